"""The truth of the simulated platform: who likes what, and the probability that a viewer enters a room."""

from dataclasses import dataclass

import numpy as np

from training.data.simulation.people import (
    AGE_BANDS,
    CATEGORIES,
    FACTORS,
    GENDERS,
    Floats,
    Ints,
    Streamers,
    Viewers,
    draw_streamers,
    draw_viewers,
    unit,
)
from training.data.simulation.rooms import Rooms, draw_rooms
from training.data.simulation.settings import DAY_MS, SimulationSettings


@dataclass(frozen=True, slots=True)
class World:
    """Everything that does not depend on what viewers do.

    Rows of viewers, streamers and rooms are what the ids of the log count: `user-00012` is row 12.
    Times are milliseconds since the log's start.
    """

    settings: SimulationSettings
    viewers: Viewers
    streamers: Streamers
    rooms: Rooms

    def taste(self, users: Ints, time_ms: float) -> Floats:
        """Tastes at a time: the start's, turned by the drift.

        Args:
            users: int64 [N], rows of viewers.
            time_ms: Since the log's start.

        Returns:
            float64 [N, FACTORS], unit length.
        """
        if not self.settings.effects.drift:
            return self.viewers.taste[users]
        angle = self.settings.calibration.drift_radians_per_day * time_ms / DAY_MS
        return np.cos(angle) * self.viewers.taste[users] + np.sin(angle) * self.viewers.drift[users]

    def affinity(self, users: Ints, rooms: Ints, time_ms: float) -> Floats:
        """How well rooms fit tastes: the scaled inner product, about standard normal over random pairs.

        Args:
            users: int64 [N], rows of viewers.
            rooms: int64 [N, K], rows of rooms.
            time_ms: Since the log's start.

        Returns:
            float64 [N, K].
        """
        return np.sqrt(FACTORS) * np.einsum("nd,nkd->nk", self.taste(users, time_ms), self.rooms.factors[rooms])

    def heat(self, rooms: Ints, time_ms: Ints) -> Floats:
        """What is going on in rooms now: 1 in a moment, else 0; shapes as `Rooms.moment`."""
        return (self.rooms.moment(rooms, time_ms) >= 0).astype(np.float64)

    def standing_logit(self, users: Ints, rooms: Ints, time_ms: float, loyalty: Floats) -> Floats:
        """Log-odds that a viewer enters a room seen in the first position while nothing special happens in it.

        Args:
            users: int64 [N], rows of viewers.
            rooms: int64 [N, K], rows of rooms.
            time_ms: Since the log's start.
            loyalty: float64 [N, K], 0 to 1; see `loyalty`.

        Returns:
            float64 [N, K].
        """
        numbers = self.settings.calibration
        streamer = self.rooms.streamer[rooms]
        foreign = self.streamers.language[streamer] != self.viewers.language[users][:, None]
        logit = (
            numbers.enter_intercept
            + numbers.enter_affinity * self.affinity(users, rooms, time_ms)
            + numbers.enter_charisma * self.streamers.charisma[streamer]
            + numbers.enter_language * foreign
        )
        return logit + numbers.enter_loyalty * loyalty if self.settings.effects.repeat else logit

    def heat_logit(self, heat: Floats) -> Floats:
        """What a moment adds to the log-odds; any shape."""
        return self.settings.calibration.enter_heat * heat if self.settings.effects.realtime else np.zeros_like(heat)

    def enter_probability(
        self, user: int, rooms: Ints, time_ms: int, *, visits: Ints | None = None, position: int = 0
    ) -> Floats:
        """The oracle: the probability that a viewer enters each room, were it shown.

        Args:
            user: Row of the viewer.
            rooms: int64 [K], rows of rooms.
            time_ms: Since the log's start.
            visits: int64 [K], earlier visits of at least three seconds to each room's streamer; None = none.
            position: 0-based place in the slate.

        Returns:
            float64 [K], 0 to 1.
        """
        known = self.loyalty(np.zeros(len(rooms)) if visits is None else visits)
        logit = self.standing_logit(np.array([user]), rooms[None, :], time_ms, known[None, :])[0]
        heat = self.heat(rooms, np.full(len(rooms), time_ms))
        return sigmoid(logit + self.heat_logit(heat) + self.position_logit(np.array(position)))

    def loyalty(self, visits: Floats | Ints) -> Floats:
        """Loyalty, 0 to 1, after so many visits of at least three seconds to a streamer; any shape."""
        return np.minimum(np.log1p(visits) / np.log1p(self.settings.calibration.loyalty_visits), 1.0)

    def position_logit(self, position: Ints) -> Floats:
        """What a 0-based position adds to the log-odds; any shape."""
        weight = self.settings.calibration.enter_position if self.settings.effects.position_bias else 0.0
        return weight * np.log1p(position)

    def live(self, time_ms: int) -> Ints:
        """int64 [K], rows of the rooms on air at a time, in order of start."""
        return np.flatnonzero((self.rooms.start_ms <= time_ms) & (time_ms < self.rooms.end_ms))

    def busyness(self, time_ms: float | Ints) -> float | Floats:
        """How busy the hour is: a mean of 1 over the day; any shape."""
        numbers = self.settings.calibration
        hour = (self.settings.start_ms + time_ms) % DAY_MS / 3_600_000
        return 1 + numbers.hour_swing * np.cos((hour - numbers.hour_peak) / 24 * 2 * np.pi)


def draw_world(settings: SimulationSettings) -> World:
    """Draws a world; each concern has its own stream of chance, so a switch changes only its own."""
    groups_rng, viewers_rng, streamers_rng, rooms_rng = np.random.default_rng([settings.seed, 0]).spawn(4)
    centres = unit(groups_rng.normal(size=(len(CATEGORIES), FACTORS)))
    groups = unit(groups_rng.normal(size=(len(AGE_BANDS) * len(GENDERS), FACTORS)))
    streamers = draw_streamers(settings, centres, streamers_rng)
    return World(
        settings=settings,
        viewers=draw_viewers(settings, groups, viewers_rng),
        streamers=streamers,
        rooms=draw_rooms(settings, streamers, rooms_rng),
    )


def sigmoid(logit: Floats) -> Floats:
    """1 / (1 + exp(-logit)); any shape."""
    return 1 / (1 + np.exp(-logit))
