"""Questions of a comparison: which rooms are offered."""

from tests.training.compare.recall_worlds import cases_of, enters_of, rooms_of
from training.compare.questions import among_all, among_live

ROOMS = rooms_of((100, 1, 0, 50), (101, 2, 20, 90), (102, 3, 60, 90), (103, 1, 60, 90))
ENTERS = enters_of((5, 7, 1), (30, 7, 2))


def test_rooms_on_air_at_the_moment_are_offered() -> None:
    questions = among_live(cases_of((30, 7, 0, 101, 2)), ROOMS, ENTERS)
    assert ROOMS.room[questions.offered[0]].tolist() == [100, 101]
    assert questions.target.tolist() == [1]


def test_target_off_air_is_put_among_the_rooms() -> None:
    questions = among_live(cases_of((55, 7, 0, 102, 3)), ROOMS, ENTERS)
    assert ROOMS.room[questions.offered[0]].tolist() == [101, 102]
    assert questions.target.tolist() == [1]


def test_all_streamers_are_offered_once_whether_on_air_or_not() -> None:
    questions = among_all(cases_of((30, 7, 0, 103, 1)), ROOMS, ENTERS)
    assert ROOMS.streamer[questions.offered[0]].tolist() == [1, 2, 3]
    assert questions.target.tolist() == [0]


def test_streamer_entered_before_is_a_repeat_and_one_entered_only_now_is_new() -> None:
    questions = among_live(cases_of((30, 7, 0, 101, 2), (31, 7, 1, 101, 2)), ROOMS, ENTERS)
    assert questions.repeat.tolist() == [False, True]


def test_questions_come_in_order_of_time() -> None:
    questions = among_live(cases_of((70, 7, 0, 102, 3), (30, 8, 1, 101, 2)), ROOMS, ENTERS)
    assert questions.cases.user.tolist() == [8, 7]
    assert [questions.case(0).user_row, questions.case(1).user_row] == [1, 0]
