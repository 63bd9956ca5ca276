"""Toy worlds with an obvious answer, as samples: a viewer enters the rooms of one category, and no others."""

from dataclasses import dataclass

import numpy as np

from feature_service.features.layout import (
    CANDIDATE_FLOATS,
    CANDIDATE_IDS,
    CANDIDATE_VECTORS,
    DTYPES,
    HISTORY_FLOATS,
    HISTORY_IDS,
    USER_FLOATS,
    USER_IDS,
    Column,
    Layout,
    TensorLayout,
)
from feature_service.features.schema import Encoding, key_of
from training.data.samples import Candidates, Samples, Slates
from training.heads import HEAD_NAMES
from training.layers.fitted import Encodings
from training.recall_baselines import Enters

CATEGORIES = 4
STREAMERS = 32
STEPS = 5

_COLUMNS = {
    USER_FLOATS: [("user.enter.total", 1, Encoding.LOG), ("user.enter.decayed", 2, Encoding.LINEAR)],
    USER_IDS: [("user.id", 1, "user"), ("context.hour", 1, "hour")],
    HISTORY_FLOATS: [("user.watched.dwell_s", 1, Encoding.LOG), ("user.watched.age_minutes", 1, Encoding.LOG)],
    HISTORY_IDS: [("user.watched.streamer", 1, "streamer"), ("user.watched.category", 1, "category")],
    CANDIDATE_FLOATS: [("room.viewers", 1, Encoding.LOG), ("pair.followed", 1, Encoding.FLAG)],
    CANDIDATE_IDS: [("streamer.id", 1, "streamer"), ("room.title", 3, "word"), ("room.category", 1, "category")],
    CANDIDATE_VECTORS: [("room.content", CATEGORIES, Encoding.VECTOR)],
}

HEADS = ("enter", "long_watch", "watch_time", "like")
"""The heads that the toy world has labels of."""

ENCODINGS: Encodings = {
    name: (kind, "") if isinstance(kind, Encoding) else (Encoding.ID, kind)
    for columns in _COLUMNS.values()
    for name, _, kind in columns
}


def toy_layout() -> Layout:
    """The layout of the toy world."""
    return Layout(
        tuple(
            TensorLayout(
                tensor,
                tuple(
                    Column(name, 1, DTYPES[tensor], width, STEPS if tensor in (HISTORY_FLOATS, HISTORY_IDS) else 0)
                    for name, width, _ in columns
                ),
            )
            for tensor, columns in _COLUMNS.items()
        ),
        HEADS,
    )


@dataclass(frozen=True, slots=True)
class ToyWorld:
    """Samples with what is true of them.

    Attributes:
        samples: The samples.
        taste: The category that each slate's viewer likes, [U].
        category: The category of each candidate, [N].
    """

    samples: Samples
    taste: np.ndarray
    category: np.ndarray


def toy_world(slates: int, *, seed: int, candidates: int = 8, start_ms: int = 0) -> ToyWorld:
    """Viewers like one category, which shows in their histories; of its rooms they enter all, of others none.

    A streamer's category is its number modulo `CATEGORIES`. Those who enter watch 120 s if the streamer's number is
    above the middle, else 20 s, and like if they are far above it. A slate is asked for every second from
    `start_ms` on.
    """
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 40, slates)
    taste = user % CATEGORIES
    slate = np.repeat(np.arange(slates, dtype=np.int32), candidates)
    streamer = rng.integers(0, STREAMERS, len(slate))
    category = streamer % CATEGORIES
    watched = rng.integers(0, STREAMERS // CATEGORIES, (slates, STEPS)) * CATEGORIES + taste[:, None]
    labels, mask = _labels(taste[slate] == category, streamer)
    user_key, streamer_key = _keys("user", 40)[user], _keys("streamer", STREAMERS)[streamer]
    samples = Samples(
        toy_layout(),
        Slates(_user_tensors(rng, user, watched), start_ms + np.arange(slates, dtype=np.int64) * 1000, user_key),
        Candidates(
            tensors=_candidate_tensors(rng, streamer),
            slate=slate,
            room=streamer_key,
            streamer=streamer_key,
            position=np.tile(np.arange(candidates, dtype=np.int16), slates),
            propensity=np.zeros(len(slate), np.float32),
            sampled=np.zeros(len(slate), np.bool_),
            censored=np.zeros(len(slate), np.bool_),
            labels=labels,
            mask=mask,
        ),
    )
    return ToyWorld(samples, taste, category)


def visits_of(samples: Samples) -> Enters:
    """The visits that began from the slates, with their watch time."""
    candidates = samples.candidates
    entered = candidates.labels[:, HEAD_NAMES.index("enter")] > 0
    slate, watch_s = candidates.slate[entered], candidates.labels[entered, HEAD_NAMES.index("watch_time")]
    time_ms, user = samples.slates.time_ms[slate], samples.slates.user[slate]
    return Enters.of(time_ms, user, candidates.streamer[entered], (watch_s * 1000).astype(np.int64))


def _keys(kind: str, count: int) -> np.ndarray:
    return np.array([key_of(kind, str(number)) for number in range(count)], np.int64)


def _user_tensors(rng: np.random.Generator, user: np.ndarray, watched: np.ndarray) -> dict[str, np.ndarray]:
    hours = _keys("hour", 24)[rng.integers(0, 24, len(user))]
    steps = [_keys("streamer", STREAMERS)[watched], _keys("category", CATEGORIES)[watched % CATEGORIES]]
    return {
        USER_FLOATS: rng.lognormal(1.0, 1.0, (len(user), 3)).astype(np.float32),
        USER_IDS: np.stack([_keys("user", 40)[user], hours], axis=-1),
        HISTORY_FLOATS: rng.lognormal(3.0, 1.0, (len(user), STEPS, 2)).astype(np.float32),
        HISTORY_IDS: np.stack(steps, axis=-1),
    }


def _candidate_tensors(rng: np.random.Generator, streamer: np.ndarray) -> dict[str, np.ndarray]:
    category = streamer % CATEGORIES
    words = _keys("word", 8)
    title = [words[category], words[4 + rng.integers(0, 4, len(streamer))], np.zeros(len(streamer), np.int64)]
    ids = [_keys("streamer", STREAMERS)[streamer], *title, _keys("category", CATEGORIES)[category]]
    floats = [rng.lognormal(4.0, 1.0, len(streamer)), rng.integers(0, 2, len(streamer))]
    return {
        CANDIDATE_FLOATS: np.stack(floats, axis=-1).astype(np.float32),
        CANDIDATE_IDS: np.stack(ids, axis=-1),
        CANDIDATE_VECTORS: np.eye(CATEGORIES, dtype=np.float32)[category],
    }


def _labels(enter: np.ndarray, streamer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    long_watch = enter & (streamer >= STREAMERS // 2)
    columns = {
        "enter": enter,
        "long_watch": long_watch,
        "watch_time": np.where(enter, np.where(long_watch, 120.0, 20.0), 0.0),
        "like": enter & (streamer >= STREAMERS * 3 // 4),
    }
    labels = np.zeros((len(enter), len(HEAD_NAMES)), np.float32)
    mask = np.zeros((len(enter), len(HEAD_NAMES)), np.bool_)
    for head, values in columns.items():
        labels[:, HEAD_NAMES.index(head)] = values
        mask[:, HEAD_NAMES.index(head)] = enter if head == "watch_time" else True
    return labels, mask
