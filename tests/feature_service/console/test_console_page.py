"""How an answer is laid out: shares of bars, colours, the funnel and what stands outside the slate."""

import math

import pytest

from feature_service.console.page import MOST_DROPPED, lay_out
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.console.explained import two_rooms


def test_score_bars_share_one_scale_so_that_rooms_compare() -> None:
    first, second = lay_out(two_rooms()).rooms
    # The largest score is room-b's, 0.5 + 2 × 0.25 = 1.0: its bar fills the width, room-a's 0.4 + 2 × 0.2 = 0.8 of it.
    assert [bar.width for bar in second.score_bar] == pytest.approx([0.5, 0.5])
    assert [bar.width for bar in first.score_bar] == pytest.approx([0.4, 0.4])
    assert [bar.start for bar in first.score_bar] == pytest.approx([0.0, 0.4])


def test_a_head_has_one_colour_everywhere() -> None:
    page = lay_out(two_rooms())
    assert page.heads == {"enter": 0, "long_watch": 1}
    for room in page.rooms:
        assert [term.bar.hue for term in room.terms] == [0, 1]
        assert [bar.hue for bar in room.score_bar] == [0, 1]


def test_a_term_that_is_no_number_has_no_bar_and_spoils_no_other() -> None:
    response = two_rooms()
    response.trace.candidates[0].terms[0].contribution = math.nan
    first, second = lay_out(response).rooms
    assert [bar.width for bar in first.score_bar] == pytest.approx([0.4])
    assert [bar.width for bar in second.score_bar] == pytest.approx([0.5, 0.5])


def test_a_term_that_takes_away_is_as_long_as_one_that_adds() -> None:
    response = two_rooms()
    response.trace.candidates[1].terms[0].contribution = -0.5
    _, second = lay_out(response).rooms
    assert [bar.width for bar in second.score_bar] == pytest.approx([0.5, 0.5])
    assert second.score_bar[0].label == "enter -0.5"


def test_stages_stand_in_the_waterfall_where_they_ran() -> None:
    page = lay_out(two_rooms())
    # recall 0 to 2 ms, rank 2 to 8 ms.
    assert page.total_ms == 8.0
    assert [(each.bar.start, each.bar.width) for each in page.stages] == [(0.0, 0.25), (0.25, 0.75)]


def test_the_funnel_counts_the_rooms_left_after_each_step() -> None:
    counts = {each.name: each.count for each in lay_out(two_rooms()).funnel}
    assert counts == {"recalled": 5, "merged": 4, "passed": 3, "ranked": 3, "slate": 2}


def test_channels_stand_by_yield() -> None:
    assert [each.name for each in lay_out(two_rooms()).channels] == ["hot", "followed", "two_tower"]


def test_next_in_line_is_the_best_room_outside_the_slate() -> None:
    assert [each.room_id for each in lay_out(two_rooms()).next_in_line] == ["room-c"]


def test_a_filter_lists_its_first_rooms_and_counts_all() -> None:
    response = two_rooms()
    for i in range(MOST_DROPPED + 4):
        response.trace.candidates.add(room_id=f"dropped-{i}", dropped_by="live", rank_position=-1, final_position=-1)
    response.trace.filtered["live"] = MOST_DROPPED + 4
    live, seen = lay_out(response).dropped
    assert (live.name, live.count, len(live.rooms)) == ("live", MOST_DROPPED + 4, MOST_DROPPED)
    assert [each.room_id for each in seen.rooms] == ["room-d"]


def test_an_answer_without_a_trace_is_still_a_slate() -> None:
    answer = two_rooms().answer
    page = lay_out(pb.ExplainResponse(answer=answer))
    assert [room.card.room_id for room in page.rooms] == ["room-a", "room-b"]
    assert page.rooms[0].terms == ()
    assert page.total_ms == 0.0
