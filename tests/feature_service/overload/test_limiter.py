"""Tests of the limiter: what it learns, what it refuses, and which rung it gives."""

from contextlib import ExitStack

import pytest

from feature_service.overload.ladder import Rung, rung_at
from feature_service.overload.limiter import START, Limiter, OverloadedError

TARGET_S = 0.1


class Timer:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def run(limiter: Limiter, timer: Timer, at_once: int, took_s: float) -> list[Rung]:
    """Lets so many in, one after the other, and ends them together after a time; tells their rungs."""
    with ExitStack() as stack:
        rungs = [stack.enter_context(limiter.admitted()) for _ in range(at_once)]
        timer.now_s += took_s
    return rungs


def test_as_many_as_may_are_let_in_and_the_next_is_refused_with_a_hint() -> None:
    timer = Timer()
    limiter = Limiter(TARGET_S, 1, 100, timer)
    with ExitStack() as stack:
        for _ in range(START):
            stack.enter_context(limiter.admitted())
        with (
            pytest.raises(OverloadedError, match=f"expected at most {START} requests at once") as refused,
            limiter.admitted(),
        ):
            pass
        assert refused.value.retry_after_s == TARGET_S
    assert limiter.in_flight == 0


def test_who_comes_when_more_are_in_flight_gets_a_lower_rung() -> None:
    rungs = run(Limiter(TARGET_S, 10, 10, Timer()), Timer(), 10, 0)
    # Of ten that may run, the sixth finds five: half of them.
    assert rungs == [Rung.FULL] * 5 + [Rung.FEWER_RANKED] * 2 + [Rung.NO_RERANK] + [Rung.RECALL_ORDER] + [Rung.HOT]


@pytest.mark.parametrize(
    ("utilisation", "rung"), [(0, Rung.FULL), (0.5, Rung.FEWER_RANKED), (0.79, Rung.NO_RERANK), (1, Rung.HOT)]
)
def test_rung_follows_the_utilisation(utilisation: float, rung: Rung) -> None:
    assert rung_at(utilisation) is rung


@pytest.mark.parametrize(("times", "left"), [(2, 1 / 2), (3, 1 / 3), (50, 0.3)])
def test_slow_answers_bring_the_limit_down_once_for_all_that_ran_together(times: int, left: float) -> None:
    timer = Timer()
    limiter = Limiter(TARGET_S, 1, 100, timer)
    timer.now_s = 1.0
    run(limiter, timer, START, times * TARGET_S)
    assert limiter.limit == int(START * left)


def test_slow_answers_never_bring_it_below_the_least() -> None:
    timer = Timer()
    limiter = Limiter(TARGET_S, 4, 100, timer)
    for _ in range(50):
        run(limiter, timer, 1, 2 * TARGET_S)
    assert limiter.limit == 4


def test_fast_answers_raise_it_while_half_of_it_is_in_use() -> None:
    timer = Timer()
    limiter = Limiter(TARGET_S, 1, 100, timer)
    run(limiter, timer, START, TARGET_S / 2)
    raised = limiter.limit
    assert raised > START - 1
    for _ in range(200):
        run(limiter, timer, 1, TARGET_S / 2)
    assert limiter.limit == raised, "one at a time says nothing of what more of them would take"


def test_fast_answers_never_raise_it_above_the_most() -> None:
    timer = Timer()
    limiter = Limiter(TARGET_S, 1, 40, timer)
    for _ in range(100):
        run(limiter, timer, limiter.limit, TARGET_S / 2)
    assert limiter.limit == 40


def test_one_that_fails_gives_its_place_back() -> None:
    limiter = Limiter(TARGET_S, 1, 100, Timer())
    with pytest.raises(ZeroDivisionError), limiter.admitted():
        _ = 1 / 0
    assert limiter.in_flight == 0
