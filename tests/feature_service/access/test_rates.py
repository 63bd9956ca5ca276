"""Rates: how many calls a caller may make at once and after a while, whatever others do."""

import pytest

from feature_service.access import rates
from feature_service.access.rates import Rates


def test_a_caller_may_make_one_seconds_calls_at_once_and_then_one_at_a_time() -> None:
    buckets = Rates()
    at_once = [buckets.wait_s("app", 3.0, 100.0) for _ in range(4)]
    assert at_once == [0, 0, 0, pytest.approx(1 / 3)]
    assert buckets.wait_s("app", 3.0, 100.2) == pytest.approx(1 / 3 - 0.2)  # A refused call costs nothing.
    assert buckets.wait_s("app", 3.0, 100.4) == 0


def test_a_bucket_never_holds_more_than_one_seconds_calls() -> None:
    buckets = Rates()
    buckets.wait_s("app", 2.0, 0.0)
    assert [buckets.wait_s("app", 2.0, 1000.0) for _ in range(3)] == [0, 0, 0.5]


def test_a_rate_below_one_a_second_lets_one_call_through_at_once() -> None:
    buckets = Rates()
    assert [buckets.wait_s("app", 0.1, 0.0) for _ in range(2)] == [0, 10]


def test_no_caller_takes_from_another() -> None:
    buckets = Rates()
    assert [buckets.wait_s("app", 1.0, 0.0) for _ in range(2)] == [0, 1]
    assert buckets.wait_s("other app", 1.0, 0.0) == 0


def test_of_too_many_callers_those_who_have_not_called_for_longest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "MOST_CALLERS", 2)
    buckets = Rates()
    for caller in ("a", "b", "a", "c"):  # `b` has to go.
        buckets.wait_s(caller, 2.0, 0.0)
    assert buckets.wait_s("a", 2.0, 0.0) == 0.5  # The third call of `a`.
    assert [buckets.wait_s("b", 2.0, 0.0) for _ in range(3)] == [0, 0, 0.5]  # A full bucket again.
