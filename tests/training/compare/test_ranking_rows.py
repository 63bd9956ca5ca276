"""Rows of the comparison of rankers: their nets, and what these predict together."""

from dataclasses import replace

import numpy as np
import pytest

from serving.verbs import UserError
from tests.training.test_evaluate import samples_of
from tests.training.worlds import toy_layout
from training.compare.ranking.compare import entered_alone, together
from training.compare.ranking.feature_groups import GROUPS, left_out
from training.compare.ranking.rows import PAIRS, Net, heads_of, nets_of
from training.compare.ranking.settings import Settings, config_of, trainable
from training.heads import HEAD_NAMES

BOTH = ("enter", "long_watch")


def test_a_row_of_single_tasks_is_a_net_a_head() -> None:
    assert nets_of("mmoe:single", BOTH) == (Net("mmoe", ("enter",)), Net("mmoe", ("long_watch",)))
    assert nets_of("mmoe", BOTH) == (Net("mmoe", BOTH),)


def test_the_mean_of_a_history_is_an_option_of_din() -> None:
    assert nets_of("din:mean", BOTH) == (Net("din", BOTH, (("attention", "mean"),)),)


@pytest.mark.parametrize("row", ["nobody", "mmoe:nothing", "mmoe:mean"])
def test_a_row_that_is_not_there_is_refused(row: str) -> None:
    with pytest.raises(UserError, match=f"received '{row}'"):
        nets_of(row, BOTH)


def test_a_conversion_needs_both_heads() -> None:
    with pytest.raises(UserError, match=r"mmoe:cvr: expected data with enter and long_watch, received \['enter'\]"):
        nets_of("mmoe:cvr", ["enter"])


def test_what_is_predicted_given_an_enter_is_multiplied_by_its_probability() -> None:
    nets = nets_of("mmoe:cvr", BOTH)
    predicted = together(nets, [np.array([[0.5], [0.2]], np.float32), np.array([[0.5], [1.0]], np.float32)])
    assert heads_of(nets) == BOTH
    np.testing.assert_allclose(predicted, [[0.5, 0.25], [0.2, 0.2]])


def test_single_tasks_stand_side_by_side_as_they_are() -> None:
    columns = [np.array([[0.5]], np.float32), np.array([[0.4]], np.float32)]
    np.testing.assert_allclose(together(nets_of("mmoe:single", BOTH), columns), [[0.5, 0.4]])


def test_of_entered_impressions_alone_the_others_have_no_label() -> None:
    samples = entered_alone(samples_of([1, 2, 3], {"enter": [1, 0, 1], "long_watch": [1, 0, 0]}))
    watch = HEAD_NAMES.index("long_watch")
    assert samples.candidates.mask[:, watch].tolist() == [True, False, True]
    assert samples.candidates.labels[:, watch].tolist() == [1, 0, 0]


def test_nets_that_differ_have_folders_of_their_own() -> None:
    nets = {net for row in ("mmoe", "mmoe:single", "mmoe:cvr", "din", "din:mean") for net in nets_of(row, BOTH)}
    nets |= {replace(net, without=group) for net in nets for group in GROUPS}
    assert len({net.name for net in nets}) == len(nets)


def test_a_group_of_features_is_taken_away_by_its_patterns() -> None:
    assert left_out("history", toy_layout()) == ("!user.watched.*",)


def test_a_group_that_the_data_lack_is_refused() -> None:
    with pytest.raises(UserError, match="--drop-group attributes: expected data with one of"):
        left_out("attributes", toy_layout())


def test_a_net_is_configured_by_its_ranker_then_by_all_then_by_itself() -> None:
    settings = Settings(
        rows=(),
        shared={"inputs": {"embedding": 4}, "training": {"epochs": 7}},
        rankers={"din": {"training": {"epochs": 3}}},
    )
    config = config_of(nets_of("din:mean", ["enter"])[0], settings, 5, ["!pair.*"])
    assert (config.seed, config.inputs.embedding, config.training.epochs) == (5, 4, 3)
    assert config.options.attention == "mean"
    assert set(config.heads) == {"enter"}
    assert config.features.user[-1] == config.features.candidate[-1] == "!pair.*"
    assert config_of(nets_of("mmoe", ["enter"])[0], settings, 5).training.epochs == 7


@pytest.mark.parametrize("protocol", ["samples", "kuairand", "census"])
def test_the_settings_of_a_protocol_configure_all_their_rows(protocol: str) -> None:
    settings = Settings.load(protocol)
    for row in settings.present_rows():
        for net in nets_of(row, BOTH):
            assert config_of(net, settings, 1).model == net.ranker


def test_every_ranker_that_can_be_trained_is_in_the_comparison_of_samples() -> None:
    assert set(trainable()) == {row.partition(":")[0] for row in Settings.load("samples").present_rows()}


def test_claims_are_of_rows_that_are_compared() -> None:
    rows = Settings.load("samples").rows
    assert all(row in rows for pair in PAIRS for row in pair)
