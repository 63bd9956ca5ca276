"""The reference models of the benchmarks: pinned sizes, the whole catalogue, weights by seed; nothing is trained.

    python -m tests.benchmarks.reference FOLDER

writes `FOLDER/mmoe/1` and `FOLDER/two_tower/1`. A process of its own, since it imports TensorFlow.
"""

import sys
from pathlib import Path

import numpy as np
import tf_keras as keras

from feature_service.features.catalog import build_catalog
from feature_service.features.layout import Layout
from feature_service.features.schema import Encoding, key_of
from tests.benchmarks.world import CATEGORIES, CONTENT_WIDTH
from training.export import export
from training.heads import HEAD_NAMES
from training.layers.fitted import Fitted, encodings_of
from training.run_config import RunConfig, parse_config
from training.trained import RunFiles, blueprint_of, build

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

RECALL = {
    "model": "two_tower",
    "features": {
        "user": ["user.watched.*"],
        "candidate": ["streamer.id", "room.category", "room.language", "room.activity", "room.title", "room.content"],
    },
    "inputs": {"embedding": 16, "vector": 32},
    "options": {"tower": [128], "vector": 31, "revisits": 32},
}
"""A two-tower whose vectors have 64 numbers: 31 of the tower, 1 of popularity, 32 of the streamers watched."""


def write(folder: Path) -> None:
    """Exports both models as version 1."""
    for table in (RANKER, RECALL):
        config = parse_config(table, "the benchmarks' reference")
        keras.utils.set_random_seed(config.seed)
        target = folder / config.model / "1"
        target.parent.mkdir(parents=True)
        export(build(_files(config)), target)


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
        priors=dict.fromkeys(layout.heads, 0.0),
    )


def _keys(vocabulary: str, count: int) -> np.ndarray:
    """Keys of `<vocabulary>-0`, `<vocabulary>-1`, …, int64 [count], ascending."""
    return np.sort(np.array([key_of(vocabulary, f"{vocabulary}-{number}") for number in range(count)], np.int64))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
