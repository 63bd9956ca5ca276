"""The status of a service: what it serves, how far it has read, and what it answered in the last minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_service.admin.recent import MinuteCounts, Times
from feature_service.service import FeatureService


@dataclass(frozen=True, slots=True)
class Status:
    """How a process does.

    Attributes:
        now_ms: The service's clock.
        uptime_s: Since its start.
        versions: The version of each model that serves; 0 = none does.
        problems: What keeps a newer version from serving, by model.
        log_position: Events of the log that the records include.
        stored_position: Those that the store includes; -1 = this process does not write it.
        lag: Why the records may not be the newest; empty = they are.
        rooms_on_air: How many.
        minutes: The last ones, oldest first.
        methods: Calls by status, and their times, by method.
        rungs: Slates by rung.
        degraded: Slates by the stage that they had to do without.
    """

    now_ms: int
    uptime_s: float
    versions: Mapping[str, int]
    problems: Mapping[str, str]
    log_position: int
    stored_position: int
    lag: str
    rooms_on_air: int
    minutes: Sequence[MinuteCounts]
    methods: Mapping[str, tuple[dict[str, int], Times]]
    rungs: Mapping[str, int]
    degraded: Mapping[str, int]


def status_of(service: FeatureService, started_s: float, now_s: float) -> Status:
    """The status of a service.

    Args:
        service: The service.
        started_s: When it started, seconds on a steady clock.
        now_s: Now, on the same.
    """
    now_ms, recent, rollout = service.now_ms(), service.recent, service.rollout
    return Status(
        now_ms=now_ms,
        uptime_s=now_s - started_s,
        versions={name: rollout.current.versions.get(name, 0) for name in sorted(rollout.names)},
        problems=dict(rollout.problems),
        log_position=service.state.position,
        stored_position=service.keeper.stored_position,
        lag=service.keeper.lag,
        rooms_on_air=len(service.live.rows(now_ms)),
        minutes=recent.minutes(now_s),
        methods=recent.methods(now_s),
        rungs=recent.rungs(now_s),
        degraded=recent.degraded(now_s),
    )
