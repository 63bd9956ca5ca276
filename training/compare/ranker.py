"""The ranker behind the merged channels: trained on what they found in the validation part, with what was entered.

It reads the catalogue's features as of the question and, of each channel, what the merge knows: its score and 1 over
its rank. The recall models are fitted before the validation part, so that their scores there are not of visits that
they have seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.layout import CANDIDATE_FLOATS, CANDIDATE_TENSORS, Column, Layout, TensorLayout
from feature_service.features.schema import Encoding
from feature_service.features.tensors import Tensors
from feature_service.stages import Candidates
from training.compare.found import Found, by_scores
from training.compare.moments import Moment, features_at
from training.compare.questions import Questions
from training.data.samples import Candidates as Shown
from training.data.samples import RoomVersions, Samples, Slates
from training.heads import HEAD_NAMES
from training.layers.fitted import Encodings, encodings_of
from training.models.ranking import Ranker
from training.predict import predict
from training.run_config import load_config
from training.train import Progress, train

CONFIG = Path(__file__).with_name("ranker.toml")

CHANNEL = "channel."
"""What the names of the channels' columns begin with."""

ON_AIR = ("streamer.*.decayed", f"{CHANNEL}hot.*")
"""Columns that tell who is on air, where streamers on air and off are ranked together: what goes on with them now."""

STOPPING_SHARE = 0.2
"""Of the questions that it is trained on, the last: training stops early by them."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Questions with the candidates that the channels found together.

    Attributes:
        questions: The questions.
        candidates: Merged candidates a question; rows are places among the rooms offered.
        samples: The same as samples of a ranker: a slate a question, a row a candidate, entered or not.
    """

    questions: Questions
    candidates: Sequence[Candidates]
    samples: Samples


def channel_columns(channels: Sequence[str]) -> tuple[Column, ...]:
    """The columns that tell of each channel: its score (0 = not found) and 1 / (1 + rank) (0 = not found)."""
    return tuple(Column(f"{CHANNEL}{name}.{what}", 1, "float32", 1) for name in channels for what in ("score", "rank"))


def ranker_encodings(catalog: Catalog, channels: Sequence[str]) -> Encodings:
    """How the ranker takes its columns in."""
    plain = {column.name: (Encoding.LINEAR, "") for column in channel_columns(channels)}
    return dict(encodings_of(catalog.features)) | plain


def ranker_features(config: Path = CONFIG) -> tuple[str, ...]:
    """The catalogue's features that the ranker reads, as patterns."""
    chosen = load_config(config).features
    return tuple(each for each in chosen.user + chosen.candidate if not each.startswith(CHANNEL))


def describe(
    questions: Questions,
    candidates: Sequence[Candidates],
    rooms: RoomVersions,
    *,
    log: str,
    catalog: Catalog,
    features: Sequence[str],
    by_room: bool,
) -> Merged:
    """Computes what the ranker reads of merged candidates.

    Args:
        questions: The questions.
        candidates: Of each, at least one of them with a candidate.
        rooms: The rooms.
        log: URI of the event log.
        catalog: Computes the features.
        features: Patterns of the catalogue's features.
        by_room: Whether the offered rooms stand for themselves; False = for their streamers, on air or not.
    """
    cases = questions.cases
    rows = [offered[each.rows] for offered, each in zip(questions.offered, candidates, strict=True)]
    moments = [
        Moment(
            int(cases.time_ms[number]),
            int(cases.user[number]),
            rooms.room[chosen] if by_room else np.zeros(len(chosen), np.int64),
            rooms.streamer[chosen],
        )
        for number, chosen in enumerate(rows)
    ]
    layout = catalog.layout(features, ("enter",))
    tensors = features_at(log, catalog, layout, moments)
    channels = candidates[0].channels
    tensors[CANDIDATE_FLOATS] = np.hstack([tensors[CANDIDATE_FLOATS], _channel_values(candidates)])
    samples = _samples(questions, candidates, rows, rooms, with_channels(layout, channels), tensors)
    return Merged(questions, candidates, samples)


def train_ranker(
    merged: Merged,
    catalog: Catalog,
    directory: Path,
    *,
    seed: int,
    without: Sequence[str] = (),
    config: Path = CONFIG,
    on_progress: Callable[[Progress], None] | None = None,
) -> Ranker:
    """Trains on the questions whose target was found; stops early by the last fifth of them.

    Args:
        merged: The questions.
        catalog: Says how features are encoded.
        directory: Gets the run.
        seed: Of the training.
        without: Patterns of candidates' columns that this ranker may not read.
        config: Of the ranker.
        on_progress: Is told after each epoch.
    """
    found = np.bincount(merged.samples.candidates.slate, _entered(merged.samples)) > 0
    samples = merged.samples.of_slates(found)
    count = len(samples.slates.user)
    run = load_config(config)
    features = replace(run.features, candidate=(*run.features.candidate, *(f"!{each}" for each in without)))
    first = np.arange(count) < round(count * (1 - STOPPING_SHARE))
    model = train(
        replace(run, seed=seed, features=features),
        samples.of_slates(first),
        samples.of_slates(~first),
        directory,
        encodings=ranker_encodings(catalog, merged.candidates[0].channels),
        on_progress=on_progress,
    ).model
    if not isinstance(model, Ranker):
        raise TypeError(f"{config}: expected the configuration of a ranker, received that of {type(model).__name__}")
    return model


def ranked(model: Ranker, merged: Merged, query_us: float) -> Found:
    """The candidates in the order of the ranker's predictions; equal ones stay in the order of the merge."""
    scores = predict(model, merged.samples)[:, 0]
    stops = np.cumsum([len(each.rows) for each in merged.candidates])
    return by_scores(merged.candidates, np.split(scores, stops[:-1]), query_us)


def with_channels(layout: Layout, channels: Sequence[str]) -> Layout:
    """The layout with the channels' columns behind the candidates' floats."""
    tensors = tuple(
        TensorLayout(tensor.name, tensor.columns + channel_columns(channels))
        if tensor.name == CANDIDATE_FLOATS
        else tensor
        for tensor in layout.tensors
    )
    return Layout(tensors, layout.heads)


def _channel_values(candidates: Sequence[Candidates]) -> NDArray[np.float32]:
    """Score and 1 / (1 + rank) of each channel side by side, float32 [N, 2 · channels]."""
    ranks = np.concatenate([each.ranks for each in candidates])
    scores = np.nan_to_num(np.concatenate([each.scores for each in candidates]), nan=0.0)
    places = np.where(ranks < 0, 0.0, 1.0 / (1.0 + np.maximum(ranks, 0)))
    return np.stack([scores, places], axis=-1).reshape(len(ranks), -1).astype(np.float32)


def _samples(
    questions: Questions,
    candidates: Sequence[Candidates],
    rows: Sequence[NDArray[np.intp]],
    rooms: RoomVersions,
    layout: Layout,
    tensors: Tensors,
) -> Samples:
    sizes = [len(each) for each in rows]
    every = np.concatenate(rows)
    labels = np.zeros((len(every), len(HEAD_NAMES)), np.float32)
    mask = np.zeros(labels.shape, np.bool_)
    enter = HEAD_NAMES.index("enter")
    mask[:, enter] = True
    labels[:, enter] = np.concatenate([each.rows for each in candidates]) == np.repeat(questions.target, sizes)
    cases = questions.cases
    user_side = {name: values for name, values in tensors.items() if name not in CANDIDATE_TENSORS}
    shown = Shown(
        tensors={name: values for name, values in tensors.items() if name in CANDIDATE_TENSORS},
        slate=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        room=rooms.room[every],
        streamer=rooms.streamer[every],
        position=np.full(len(every), -1, np.int16),
        propensity=np.zeros(len(every), np.float32),
        sampled=labels[:, enter] == 0,
        censored=np.zeros(len(every), np.bool_),
        labels=labels,
        mask=mask,
    )
    return Samples(layout, Slates(user_side, cases.time_ms, cases.user), shown)


def _entered(samples: Samples) -> NDArray[np.float32]:
    return samples.candidates.labels[:, HEAD_NAMES.index("enter")]
