"""Item-based CF: what its graph finds, why, and what is similar."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from feature_service.features.layout import CANDIDATE_IDS, HISTORY_FLOATS, HISTORY_IDS, Column, Layout, TensorLayout
from tests.training.collaborative.test_interactions import visits
from training.callable_model import CallableModel
from training.collaborative.interactions import DAY_MS, Interactions
from training.layers.blueprint import Blueprint, InputSizes
from training.layers.fitted import Fitted
from training.models.recall.item_cf import ItemCf, ItemCfOptions

STEPS = 4
OPTIONS = ItemCfOptions(shrink=1e-9, weight="days", half_life_days=1e9, recent_half_life_days=1.0, found=3)
A, B, C, LONER, NEWCOMER = 11, 22, 33, 44, 55


def column(name: str, dtype: str, length: int = 0) -> Column:
    return Column(name, 1, dtype, 1, length)


LAYOUT = Layout(
    (
        TensorLayout(
            HISTORY_FLOATS,
            (column("user.watched.dwell_s", "float32", STEPS), column("user.watched.age_minutes", "float32", STEPS)),
        ),
        TensorLayout(HISTORY_IDS, (column("user.watched.streamer", "int64", STEPS),)),
        TensorLayout(CANDIDATE_IDS, (column("streamer.id", "int64"),)),
    )
)


def solved(options: ItemCfOptions) -> CallableModel:
    """A and B were watched by two viewers, B and C by a third, the loner by a fourth: cosines A–B 2/√6, B–C 1/√3."""
    pairs = [(1, A), (1, B), (2, A), (2, B), (3, B), (3, C), (4, LONER)]
    interactions = Interactions.of(visits(*[(0, user, streamer, 1) for user, streamer in pairs]), DAY_MS)
    blueprint = Blueprint(
        layout=LAYOUT, encodings={}, fitted=Fitted({}, {}, {}, {}), sizes=InputSizes(), head_weights={}
    )
    return CallableModel.of(ItemCf(blueprint, options, ItemCf.solve(interactions, options, seed=1)))


@pytest.fixture(scope="module")
def model() -> CallableModel:
    """With similarities as they are."""
    return solved(OPTIONS)


def found(model: CallableModel, *histories: Sequence[tuple[int, float]]) -> dict[str, np.ndarray]:
    """The answers for viewers who watched (streamer, minutes ago), newest first."""
    keys = np.zeros((len(histories), STEPS, 1), np.int64)
    floats = np.zeros((len(histories), STEPS, 2), np.float32)
    for viewer, steps in enumerate(histories):
        for place, (key, age) in enumerate(steps):
            keys[viewer, place], floats[viewer, place] = key, (60, age)
    return model.ask("serving_default", {HISTORY_IDS: keys, HISTORY_FLOATS: floats})


def test_the_neighbours_of_what_was_watched_are_found_with_the_reason(model: CallableModel) -> None:
    answer = found(model, [(A, 0), (C, 0)])
    # B: 2/√6 from A and 1/√3 from C, A the more; A and C themselves 1 each, A first as the newest.
    assert answer["streamer"].tolist() == [[B, A, C]]
    assert answer["score"][0] == pytest.approx([2 / 6**0.5 + 1 / 3**0.5, 1, 1])
    assert answer["because"].tolist() == [[A, A, C]]


def test_the_reason_is_who_adds_most_and_not_who_was_watched_last(model: CallableModel) -> None:
    answer = found(model, [(C, 0), (A, 0)])
    assert (answer["streamer"][0, 0], answer["because"][0, 0]) == (B, A)


def test_what_was_watched_long_ago_counts_less(model: CallableModel) -> None:
    answer = found(model, [(C, 0), (A, 1440)])  # A half-life of one day.
    assert answer["streamer"].tolist() == [[C, B, A]]
    assert answer["score"][0] == pytest.approx([1, 1 / 3**0.5 + 1 / 6**0.5, 0.5])
    assert answer["because"].tolist() == [[C, C, A]]


def test_several_visits_of_a_day_count_as_that_day(model: CallableModel) -> None:
    assert found(model, [(A, 0), (A, 5)])["score"][0] == pytest.approx(found(model, [(A, 0)])["score"][0])


def test_viewers_asked_for_together_are_answered_apart(model: CallableModel) -> None:
    together = found(model, [(A, 0)], [(LONER, 0)], [], [(C, 0), (A, 1440)])
    alone = [found(model, steps) for steps in ([(A, 0)], [(LONER, 0)], [], [(C, 0), (A, 1440)])]
    for name, values in together.items():
        assert values.tolist() == [answer[name][0].tolist() for answer in alone]


def test_nothing_is_found_for_who_watched_nobody_known(model: CallableModel) -> None:
    for answer in (found(model, []), found(model, [(NEWCOMER, 0)])):
        assert answer["streamer"].tolist() == [[0, 0, 0]]
        assert answer["score"].tolist() == [[0, 0, 0]]
        assert answer["because"].tolist() == [[0, 0, 0]]


def test_similar_streamers_are_others(model: CallableModel) -> None:
    answer = model.ask("similar", {CANDIDATE_IDS: np.array([[B], [LONER], [NEWCOMER], [0]])})
    assert answer["streamer"].tolist() == [[A, C, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert answer["score"][0] == pytest.approx([2 / 6**0.5, 1 / 3**0.5, 0])


def test_rows_that_sum_to_one_let_the_streamer_with_fewer_neighbours_say_more() -> None:
    normalised = solved(replace(OPTIONS, normalise=1.0))
    answer = found(normalised, [(A, 0), (C, 0)])
    # Row A holds 1 and 2/√6, row C 1 and 1/√3: B gets .4495 + .3660, C 1 / 1.5774, A 1 / 1.8165; C overtakes A.
    assert answer["streamer"].tolist() == [[B, C, A]]
    assert answer["score"][0] == pytest.approx([0.8155, 0.6340, 0.5505], abs=1e-4)
    assert found(normalised, [(LONER, 0)])["score"][0].tolist() == [1, 0, 0]
    similar = normalised.ask("similar", {CANDIDATE_IDS: np.array([[B]])})
    assert similar["score"][0] == pytest.approx([2 / 6**0.5, 1 / 3**0.5, 0])


def test_itself_lowers_the_streamers_watched_before_and_no_others() -> None:
    answer = found(solved(replace(OPTIONS, itself=0.5)), [(A, 0)])
    assert answer["streamer"].tolist() == [[B, A, 0]]
    assert answer["score"][0] == pytest.approx([2 / 6**0.5, 0.5, 0])


def test_half_of_the_normalisation_divides_by_the_root_of_the_sum() -> None:
    answer = found(solved(replace(OPTIONS, normalise=0.5)), [(A, 0)])
    assert answer["score"][0] == pytest.approx([1 / 1.8165**0.5, 0.8165 / 1.8165**0.5, 0], abs=1e-4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"itself": 0.0}, "itself: expected a number above 0, received 0.0"),
        ({"itself": float("inf")}, "itself: expected a number above 0, received inf"),
        ({"normalise": 1.5}, "normalise: expected a number between 0 and 1, received 1.5"),
        ({"normalise": float("nan")}, "normalise: expected a number between 0 and 1, received nan"),
    ],
)
def test_what_cannot_be_is_named(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(OPTIONS, **changed)
