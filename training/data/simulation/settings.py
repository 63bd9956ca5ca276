"""Settings of the simulated platform: its size, the effects that are on, and its frozen calibration."""

import math
from dataclasses import dataclass, field

from training.data.errors import DataError

DAY_MS = 86_400_000
STEP_MS = 120_000
"""The simulation moves in steps of two minutes; times within a step are to the millisecond."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Switches; an effect that is off is absent from the truth, so that no model can find it.

    Attributes:
        drift: Tastes turn with time.
        moments: Rooms have moments (singing, dancing, PK) of some minutes.
        broadcasts: Each of a streamer's broadcasts is a little different.
        content: Content vectors and titles tell of the streamer's factors; off, they are noise.
        position_bias: A room lower in the slate is entered less, all else equal.
        repeat: Viewers come back to streamers they have watched.
        realtime: Viewers respond to what happens in a room now; off, moments happen and nobody cares.
        newcomers: Some streamers start during the log.
        delays: Gifts come during, and follows after the visit; off, both come at once on entering.
    """

    drift: bool = True
    moments: bool = True
    broadcasts: bool = True
    content: bool = True
    position_bias: bool = True
    repeat: bool = True
    realtime: bool = True
    newcomers: bool = True
    delays: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """Numbers of the platform, frozen before any model was tuned on it.

    From KuaiLive (23,772 users, 452,621 streamers, 11,613,708 rooms, 4,909,515 clicks, 196,526 comments, 179,311 likes
    and 72,646 gifts in 21 days; 8,269 rooms live at once):

    * 4,909,515 / 23,772 / 21 = 9.83 enters a user and day;
    * 11,613,708 / 452,621 / 21 = 1.22 rooms a streamer and day;
    * 4.00 comments, 3.65 likes and 1.48 gifts for 100 enters; nine gifts of ten in the first tenth of the visit.

    Ours, for want of a published figure: ten slates a user and day, so that one room of ten shown is entered; follows
    and shares; the length of visits. Rooms last hours, where KuaiLive's 8,269 × 1,440 × 21 / 11,613,708 give 21.5
    minutes on average: a world of some hundred streamers has some dozen rooms on air only so.

    Attributes:
        slates_per_user_day: Mean number of requests.
        activity_sigma: Log-normal spread of the requests between users.
        rooms_per_streamer_day: Mean number of broadcasts.
        room_minutes: Median length of a broadcast; its log-normal spread is `room_sigma`.
        room_sigma: See there.
        hour_peak: Hour of the day (UTC) with most viewers and rooms.
        hour_swing: 0 to 1, how much the hour matters.
        newcomer_share: Share of the streamers who start during the log.
        charisma_exponent: Zipf exponent of the streamers' charisma.
        audience_at_top: Viewers of the first streamer's room, the world outside the log included.
        moments_per_hour: Mean number of moments of a room.
        moment_minutes: Range of a moment's length.
        drift_radians_per_day: How far tastes turn.
        enter_intercept: Log-odds of entering for an average viewer and room.
        enter_affinity: Weight of a standard deviation of affinity.
        enter_charisma: Weight of a standard deviation of log charisma.
        enter_heat: Weight of a moment.
        enter_loyalty: Weight of full loyalty.
        enter_language: Weight of another language than the viewer's.
        enter_position: Weight of log(1 + position).
        loyalty_visits: Visits after which loyalty is full.
        explore_share: Share of the behaviour policy that is uniform over the rooms on air.
        policy_affinity: The policy's weight of its stale and noisy estimate of affinity.
        policy_charisma: The policy's weight of a standard deviation of log charisma.
        policy_loyalty: The policy's weight of full loyalty.
        policy_noise: Standard deviation of the error in the policy's estimate of each taste.
        continue_scan: Chance to look at the next room of the slate after one that was passed by or left at once.
        continue_watched: The same after a visit.
        scan_ms: Mean time between two rooms of a slate, milliseconds.
        short_exit: Share of visits shorter than three seconds.
        watch_median_s: Median of the other visits for an average viewer, seconds.
        watch_sigma: Their log-normal spread.
        watch_affinity: How affinity, and half as much heat, stretch the visit.
        reactions: Chance of each reaction in a visit for an average viewer.
        reaction_affinity: How affinity raises the reactions.
        gift_heat: How much a moment raises gifts.
        not_interested: Chance that a seen room that was not entered is waved away.
        retention: 0 to 1, how much viewers whom slates leave content ask more often, and others less.
    """

    slates_per_user_day: float = 10.0
    activity_sigma: float = 0.8
    rooms_per_streamer_day: float = 1.22
    room_minutes: float = 170.0
    room_sigma: float = 0.6
    hour_peak: float = 21.0
    hour_swing: float = 0.6
    newcomer_share: float = 0.15
    charisma_exponent: float = 0.9
    audience_at_top: float = 30_000.0
    moments_per_hour: float = 1.5
    moment_minutes: tuple[float, float] = (4.0, 10.0)
    drift_radians_per_day: float = 0.35
    enter_intercept: float = -2.38
    enter_affinity: float = 1.1
    enter_charisma: float = 0.35
    enter_heat: float = 1.2
    enter_loyalty: float = 2.2
    enter_language: float = -1.2
    enter_position: float = -0.35
    loyalty_visits: float = 8.0
    explore_share: float = 0.2
    policy_affinity: float = 0.7
    policy_charisma: float = 0.5
    policy_loyalty: float = 1.8
    policy_noise: float = 0.7
    continue_scan: float = 0.99
    continue_watched: float = 0.85
    scan_ms: float = 2_500.0
    short_exit: float = 0.22
    watch_median_s: float = 30.0
    watch_sigma: float = 1.2
    watch_affinity: float = 0.45
    reactions: dict[str, float] = field(
        default_factory=lambda: {"like": 0.0245, "comment": 0.027, "gift": 0.0073, "follow": 0.0095, "share": 0.0045}
    )
    reaction_affinity: float = 0.5
    gift_heat: float = 1.0
    not_interested: float = 0.002
    retention: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """What is asked of the simulator.

    Attributes:
        users: Number of viewers.
        streamers: Number of streamers, newcomers included.
        days: Length of the log, days.
        seed: Same settings and seed, same events.
        start_ms: Unix milliseconds of its start; the default is midnight UTC of 5 May 2025, KuaiLive's first day.
        update_minutes: How often a room renews its lease, an even number of minutes.
        slate_size: Rooms in a slate.
        content_width: Width of content vectors.
        effects: The switches.
        calibration: The frozen numbers.

    Raises:
        DataError: A size is not positive, or the seed negative.
    """

    users: int = 2_000
    streamers: int = 400
    days: float = 3.0
    seed: int = 7
    start_ms: int = 1_746_403_200_000
    update_minutes: int = 2
    slate_size: int = 10
    content_width: int = 16
    effects: Effects = field(default_factory=Effects)
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        for name in ("users", "streamers", "days", "update_minutes", "slate_size", "content_width"):
            if not 0 < getattr(self, name) < math.inf:
                raise DataError(f"{name}: expected more than 0, received {getattr(self, name)}")
        if self.seed < 0:
            raise DataError(f"seed: expected 0 or more, received {self.seed}")
        if self.update_minutes * 60_000 % STEP_MS:
            raise DataError(f"update_minutes: expected an even number, received {self.update_minutes}")

    @property
    def end_ms(self) -> int:
        """Unix milliseconds at which the log ends."""
        return self.start_ms + int(self.days * DAY_MS)

    @property
    def lease_ms(self) -> int:
        """What rooms report as their lease: half as long again as the renewals are apart; 0 = the default suffices."""
        return 0 if self.update_minutes <= 2 else self.update_minutes * 90_000
