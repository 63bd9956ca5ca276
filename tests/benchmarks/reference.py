"""The reference models of the benchmarks: pinned sizes, the whole catalogue, weights by seed; nothing is trained.

    python -m tests.benchmarks.reference FOLDER mmoe two_tower

writes `FOLDER/mmoe/1` and `FOLDER/two_tower/1`. A process of its own, since it takes TensorFlow a while to start.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from feature_service.features.catalog import build_catalog
from feature_service.features.layout import Layout
from feature_service.features.schema import Encoding, key_of
from tests.benchmarks.world import CATEGORIES, CONTENT_WIDTH
from training.export import export
from training.heads import HEAD_NAMES
from training.layers.fitted import Fitted, encodings_of
from training.models import MODELS
from training.models.recall.base import Solution, SolvedRecall
from training.outputs import output_of
from training.run_config import RunConfig, parse_config
from training.trained import Model, RunFiles, blueprint_of, build

STREAMERS = 20_000
VIEWERS = 10_000

RANKER = {
    "model": "mmoe",
    "features": {"user": ["*"], "candidate": ["*"]},
    "heads": dict.fromkeys(HEAD_NAMES, 1.0),
    "inputs": {"embedding": 16, "vector": 16},
    "options": {"experts": 3, "expert": [256, 128], "tower": [32], "match": 32},
}
"""MMoE of three experts of 256 and 128 units and a tower for each of the eight heads."""

TWO_TOWER = {
    "model": "two_tower",
    "features": {
        "user": ["user.watched.*"],
        "candidate": ["streamer.id", "room.category", "room.language", "room.activity", "room.title", "room.content"],
    },
    "inputs": {"embedding": 16, "vector": 32},
    "options": {"tower": [128], "vector": 31, "revisits": 32},
}
"""A two-tower whose vectors have 64 numbers: 31 of the tower, 1 of popularity, 32 of the streamers watched."""

_HISTORY = ["user.watched.streamer", "user.watched.dwell_s", "user.watched.age_minutes"]

ITEM_CF = {"model": "item_cf", "features": {"user": _HISTORY, "candidate": ["streamer.id"]}, "options": {}}
MF = {"model": "mf", "features": {"user": ["user.id", *_HISTORY], "candidate": ["streamer.id"]}, "options": {}}
NEUMF = {"model": "neumf", "features": {"user": ["user.id"], "candidate": ["streamer.id"]}, "options": {}}
"""The other recall models at their default sizes."""

TABLES: dict[str, dict[str, Any]] = {str(table["model"]): table for table in (RANKER, TWO_TOWER, ITEM_CF, MF, NEUMF)}


def write(folder: Path, names: Sequence[str]) -> None:
    """Exports models as version 1."""
    for name in names:
        config = parse_config(TABLES[name], "the benchmarks' reference")
        keras.utils.set_random_seed(config.seed)
        target = folder / name / "1"
        target.parent.mkdir(parents=True)
        export(_model(config), target)


def _model(config: RunConfig) -> Model:
    files = _files(config)
    kind: Any = MODELS[config.model]
    if not issubclass(kind, SolvedRecall):
        return build(files)
    return kind(files.blueprint, config.options, _solution(config))


def _solution(config: RunConfig) -> Solution:
    """Random neighbours, or random vectors of streamers and viewers."""
    generator = np.random.default_rng(config.seed)
    streamers, viewers = _keys("streamer", STREAMERS), _keys("user", VIEWERS)
    if config.model == "item_cf":
        shape = (STREAMERS + 1, 1 + config.options.neighbours)
        scores = np.sort(generator.random(shape, np.float32), axis=1)[:, ::-1]
        return {
            "streamers": streamers,
            "rows": generator.integers(0, STREAMERS, shape, np.int32),
            "scores": np.ascontiguousarray(scores),
        }
    factors = config.options.factors
    return {
        "streamers": streamers,
        "viewers": viewers,
        "streamer_vectors": generator.normal(0, 0.1, (STREAMERS, factors)).astype(np.float32),
        "viewer_vectors": generator.normal(0, 0.1, (VIEWERS, factors)).astype(np.float32),
    }


def _files(config: RunConfig) -> RunFiles:
    """The run as if its features had been fitted: every streamer and a part of the viewers were seen."""
    catalog = build_catalog(CONTENT_WIDTH)
    layout = catalog.layout((*config.features.user, *config.features.candidate), heads=tuple(config.heads))
    encodings = encodings_of(catalog.features)
    return RunFiles(config, blueprint_of(config, layout, encodings, _fitted(layout)))


def _fitted(layout: Layout) -> Fitted:
    encodings = encodings_of(build_catalog(CONTENT_WIDTH).features)
    columns = [column for tensor in layout.tensors for column in tensor.columns]
    numbers = [column for column in columns if encodings[column.name][0] is not Encoding.ID]
    vocabularies = {encodings[column.name][1] for column in columns} - {""}
    sizes = {"streamer": STREAMERS, "user": VIEWERS, "category": CATEGORIES}
    return Fitted(
        vocabularies={name: _keys(name, sizes.get(name, 100)) for name in sorted(vocabularies)},
        means={column.name: np.zeros(column.width, np.float32) for column in numbers},
        scales={column.name: np.ones(column.width, np.float32) for column in numbers},
        priors={head: np.zeros(output_of(head).size, np.float32) for head in layout.heads},
    )


def _keys(vocabulary: str, count: int) -> np.ndarray:
    """Keys of `<vocabulary>-0`, `<vocabulary>-1`, …, int64 [count], ascending."""
    return np.sort(np.array([key_of(vocabulary, f"{vocabulary}-{number}") for number in range(count)], np.int64))


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
