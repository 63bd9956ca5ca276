"""Two slates beside each other: what stays, what moves, and where the sliders stand."""

import pytest

from feature_service.console.charts import HEIGHT, WIDTH, line, shares
from feature_service.console.comparison import compare, sliders
from protos.onair.v1 import recommendation_pb2 as pb


def answer(rooms: str, **weights: float) -> pb.ExplainResponse:
    """A slate of rooms that are called by one letter each, ranked by heads of these weights."""
    terms = [pb.FusionTerm(head=head, weight=weight) for head, weight in weights.items()]
    cards = [pb.RoomCard(room_id=room, position=position) for position, room in enumerate(rooms)]
    trace = pb.Trace(candidates=[pb.CandidateTrace(room_id="x", terms=terms)], ranker="mmoe", ranker_version=2)
    return pb.ExplainResponse(answer=pb.RecommendResponse(rooms=cards), trace=trace)


def test_rooms_that_move_come_and_go_are_counted() -> None:
    found = compare(answer("abcd"), answer("cabe"))
    # c goes from the third place to the first, a and b one down; e comes in for d.
    assert [side.moved for side in found.then] == [2, -1, -1, None]
    assert [side.moved for side in found.now] == [-1, -1, 2, None]
    assert (found.stay, found.moved, found.come, found.go) == (3, 3, 1, 1)


def test_a_slider_stands_at_the_settings_weight_and_reaches_four_times_as_far() -> None:
    enter, watch_time = sliders(answer("a", enter=2.0, watch_time=0.002), answer("a"), {})
    assert (enter.value, enter.low, enter.high, enter.step) == (2.0, 0.0, 8.0, 0.2)
    assert (watch_time.value, watch_time.high) == (0.002, 0.008)


def test_a_head_without_a_weight_can_be_given_one() -> None:
    (share,) = sliders(answer("a", share=0.0), answer("a"), {})
    assert (share.value, share.high) == (0.0, 4.0)


def test_a_head_of_what_nobody_wants_slides_below_zero_only() -> None:
    (unwanted,) = sliders(answer("a", not_interested=-1.0), answer("a"), {})
    assert (unwanted.value, unwanted.low, unwanted.high) == (-1.0, -4.0, 0.0)


def test_sliders_stand_where_they_were_put_even_beyond_their_reach() -> None:
    enter, like = sliders(answer("a", enter=1.0, like=1.0), answer("a"), {"enter": 9.0})
    assert (enter.value, enter.high, enter.settings) == (9.0, 9.0, 1.0)
    assert like.value == 0.0


def test_a_line_runs_from_edge_to_edge() -> None:
    points = [tuple(map(float, point.split(","))) for point in line([0, 1, 3]).split()]
    assert [x for x, _ in points] == pytest.approx([2, WIDTH / 2, WIDTH - 2])
    # A third of the height at a third of the greatest value; SVG counts from above.
    assert [y for _, y in points] == pytest.approx([HEIGHT - 2, HEIGHT - 10, 2])


def test_a_line_of_equal_values_and_one_of_none_can_be_drawn() -> None:
    assert line([0.5, 0.5], from_zero=False)
    assert line([7]) == line([]) == ""


def test_shares_of_nothing_are_nothing() -> None:
    assert shares([0, 0]) == [0.0, 0.0]
    assert shares([1, 4]) == [0.25, 1.0]
