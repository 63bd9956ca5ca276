"""Rooms of the simulated world: when they are on air, their moments, contents and titles."""

from dataclasses import dataclass

import numpy as np

from training.data.simulation.people import CATEGORIES, FACTORS, Floats, Ints, Streamers, unit
from training.data.simulation.settings import DAY_MS, SimulationSettings

MINUTE_MS = 60_000
MOMENT_KINDS = ("singing", "dancing", "pk")
CALM = "game"
CHATTING = "chatting"
_GAP_MS = 10 * MINUTE_MS
_SHORTEST_MS = 5 * MINUTE_MS
_KEY = 1 << 42
"""More than any time in a log, so that room × _KEY + time orders moments by room, then time."""

_WORDS = (
    ("evening songs", "acoustic covers", "open mic", "karaoke night"),
    ("street dance", "choreography", "dance battle", "warm up"),
    ("late night talk", "your questions", "coffee and chat", "stories"),
    ("ranked climb", "speedrun", "new release", "co-op night"),
    ("city walk", "mountain trail", "fishing", "road trip"),
    ("home cooking", "street food", "baking", "noodle challenge"),
    ("make-up basics", "skin care", "outfit of the day", "hair styling"),
    ("match talk", "training day", "basketball", "home workout"),
)
"""Title phrases of each of CATEGORIES."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Columns over rooms, R rows in order of start; times are milliseconds since the log's start.

    Attributes:
        streamer: int64 [R], row of the streamer.
        number: int64 [R], counts the streamer's rooms from 1.
        start_ms: int64 [R].
        end_ms: int64 [R]; it may lie after the log's end.
        factors: float64 [R, FACTORS], unit length; the streamer's, a little changed unless that is off.
        content: float32 [R, W], what an upstream encoder would say of the room.
        phrase: int64 [R, 2], category and phrase of the title.
        moment_key: int64 [M], room × 2^42 + start, ascending.
        moment_end_ms: int64 [M].
        moment_kind: int64 [M], index into MOMENT_KINDS.
    """

    streamer: Ints
    number: Ints
    start_ms: Ints
    end_ms: Ints
    factors: Floats
    content: np.ndarray
    phrase: Ints
    moment_key: Ints
    moment_end_ms: Ints
    moment_kind: Ints

    @property
    def moment_room(self) -> Ints:
        """int64 [M], row of each moment's room."""
        return self.moment_key // _KEY

    @property
    def moment_start_ms(self) -> Ints:
        """int64 [M]."""
        return self.moment_key % _KEY

    def moment(self, rooms: Ints, time_ms: Ints) -> Ints:
        """The moment of each room at a time.

        Args:
            rooms: int64, any shape; rows of rooms.
            time_ms: int64, broadcastable to it; since the log's start.

        Returns:
            int64 of the same shape: index into MOMENT_KINDS, or -1 where nothing special happens.
        """
        if not len(self.moment_key):
            return np.full(np.broadcast_shapes(rooms.shape, np.shape(time_ms)), -1)
        row = np.maximum(np.searchsorted(self.moment_key, rooms * _KEY + time_ms, side="right") - 1, 0)
        key = self.moment_key[row]
        on = (key // _KEY == rooms) & (key % _KEY <= time_ms) & (time_ms < self.moment_end_ms[row])
        return np.where(on, self.moment_kind[row], -1)


def draw_rooms(settings: SimulationSettings, streamers: Streamers, rng: np.random.Generator) -> Rooms:
    """Draws the broadcasts of all streamers and what happens in them."""
    streamer, start_ms, end_ms = _schedule(settings, streamers, rng)
    count = len(streamer)
    # All is drawn in any case, so that a switch changes nothing else.
    own = rng.normal(size=(count, FACTORS)) / np.sqrt(FACTORS)
    factors = unit(streamers.factors[streamer] + 0.3 * own * settings.effects.broadcasts)
    noise, anything = unit(rng.normal(size=(count, FACTORS))), rng.integers(len(CATEGORIES), size=count)
    told, category = (factors, streamers.category[streamer]) if settings.effects.content else (noise, anything)
    mixing = rng.normal(size=(FACTORS, settings.content_width))
    content = told @ mixing + rng.normal(scale=0.3, size=(count, settings.content_width))
    key, moment_end_ms, kind = _moments(settings, start_ms, end_ms, rng)
    return Rooms(
        streamer=streamer,
        number=_numbers(streamer),
        start_ms=start_ms,
        end_ms=end_ms,
        factors=factors,
        content=content.astype(np.float32),
        phrase=np.stack([category, rng.integers(len(_WORDS[0]), size=count)], axis=1),
        moment_key=key,
        moment_end_ms=moment_end_ms,
        moment_kind=kind,
    )


def title(phrase: Ints) -> str:
    """The title for a row of `Rooms.phrase`."""
    return _WORDS[int(phrase[0])][int(phrase[1])]


def _schedule(settings: SimulationSettings, streamers: Streamers, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Streamer, start and end of each room, by start; one room a streamer at a time, from the evening before on."""
    calibration = settings.calibration
    days = np.arange(-1, int(np.ceil(settings.days)))
    counts = rng.poisson(calibration.rooms_per_streamer_day, (settings.streamers, len(days)))
    streamer = np.repeat(np.arange(settings.streamers), counts.sum(axis=1))
    day = np.repeat(np.tile(days, settings.streamers), counts.reshape(-1))
    hour = streamers.hour[streamer] + rng.normal(scale=2.0, size=len(streamer))
    start_ms = (day * DAY_MS + hour * 60 * MINUTE_MS).astype(np.int64)
    minutes = rng.lognormal(np.log(calibration.room_minutes), calibration.room_sigma, len(streamer))
    length_ms = np.maximum(minutes * MINUTE_MS, _SHORTEST_MS).astype(np.int64)
    order = np.lexsort((start_ms, streamer))
    streamer, start_ms, length_ms = streamer[order], start_ms[order], length_ms[order]
    _one_at_a_time(streamer, start_ms, length_ms)
    end_ms = start_ms + length_ms
    # What is on air as the log starts is reported as started then, spread over the first minute.
    shown_ms = np.where(start_ms < 0, rng.integers(MINUTE_MS, size=len(start_ms)), start_ms)
    span_ms = settings.end_ms - settings.start_ms
    from_ms = streamers.from_ms[streamer]
    keep = (end_ms >= shown_ms + _SHORTEST_MS) & (shown_ms < span_ms) & ((start_ms >= from_ms) | (from_ms == 0))
    order = np.argsort(shown_ms[keep], kind="stable")
    return streamer[keep][order], shown_ms[keep][order], end_ms[keep][order]


def _one_at_a_time(streamer: Ints, start_ms: Ints, length_ms: Ints) -> None:
    """Moves the start of rooms, sorted by streamer and start, after the end of the streamer's last; in place."""
    last, free_ms = -1, 0
    for row, (who, start, length) in enumerate(
        zip(streamer.tolist(), start_ms.tolist(), length_ms.tolist(), strict=True)
    ):
        begin = max(start, free_ms) if who == last else start
        start_ms[row] = begin
        last, free_ms = who, begin + length + _GAP_MS


def _numbers(streamer: Ints) -> Ints:
    """Counts the rooms of each streamer from 1, in the order given."""
    order = np.argsort(streamer, kind="stable")
    grouped = streamer[order]
    first = np.searchsorted(grouped, grouped, side="left")
    numbers = np.empty(len(streamer), np.int64)
    numbers[order] = np.arange(len(streamer)) - first + 1
    return numbers


def _moments(
    settings: SimulationSettings, start_ms: Ints, end_ms: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Key, end and kind of all moments; those of one room do not overlap."""
    calibration = settings.calibration
    if not settings.effects.moments:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    hours = (end_ms - start_ms) / (60 * MINUTE_MS)
    counts = rng.poisson(calibration.moments_per_hour * hours)
    room = np.repeat(np.arange(len(start_ms)), counts)
    at_ms = start_ms[room] + (rng.random(len(room)) * (end_ms - start_ms)[room]).astype(np.int64)
    low, high = calibration.moment_minutes
    until_ms = at_ms + (rng.uniform(low, high, len(room)) * MINUTE_MS).astype(np.int64)
    kind = rng.integers(len(MOMENT_KINDS), size=len(room))
    order = np.argsort(room * _KEY + at_ms, kind="stable")
    key, until_ms = (room * _KEY + at_ms)[order], until_ms[order]
    # A later moment ends the one before it.
    following = np.append(key[1:], np.int64(-1))
    same = following // _KEY == key // _KEY
    until_ms = np.where(same, np.minimum(until_ms, following % _KEY), until_ms)
    return key, until_ms, kind[order]
