"""The merged candidates in different orders: that of the merge, the two-tower's, and those of rankers."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from feature_service.settings import load as load_settings
from training.compare.found import Found, by_scores, in_order, merged, scores_of
from training.compare.protocol import Protocol
from training.compare.ranker import ON_AIR, describe, ranked, ranker_features, train_ranker
from training.recall_baselines import Scorer

MERGED, BY_TOWER, RANKED = "merged", "merged, by two_tower", "merged and ranked"

UNAWARE = "ranked without who is on air"
"""A second ranker where streamers off air are offered too: it is not told what goes on now."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        found: The candidates in it.
        train_s: Seconds of training that it took.
    """

    found: Found
    train_s: float = 0.0


def orders(
    protocol: Protocol,
    validation: Mapping[str, Found],
    test: Mapping[str, Found],
    *,
    tower: Scorer | None,
    budget: int,
    seed: int,
) -> dict[str, Order]:
    """Merges what the channels found for the test questions, and orders it.

    Args:
        protocol: The data and the questions.
        validation: What each channel found for the questions that rankers are trained on.
        test: The same for those that are measured.
        tower: The two-tower's scorer of the test questions; it scores what it did not find, too. None = no such order.
        budget: Candidates of the merge.
        seed: Of the rankers.

    Raises:
        DataError: The log is not readable.
    """
    dataset = protocol.dataset
    quotas, weights = quotas_of(test), load_settings().scene("").channel_weights
    trained, asked = (
        describe(
            questions,
            merged(channels, quotas, weights, budget),
            dataset.rooms,
            log=dataset.about.log,
            catalog=dataset.catalog,
            features=ranker_features(),
            by_room=protocol.by_room,
        )
        for questions, channels in ((protocol.validation, validation), (protocol.test, test))
    )
    recall_us = sum(each.query_us for each in test.values())
    found = {MERGED: Order(in_order(asked.candidates, recall_us))}
    if tower is not None:
        scores = scores_of(protocol.test, asked.candidates, tower)
        found[BY_TOWER] = Order(by_scores(asked.candidates, scores, recall_us))
    rankers = {RANKED: ()} if protocol.by_room else {RANKED: (), UNAWARE: ON_AIR}
    for name, without in rankers.items():
        started = time.perf_counter()
        with TemporaryDirectory() as directory:
            model = train_ranker(trained, dataset.catalog, Path(directory, "ranker"), seed=seed, without=without)
        found[name] = Order(ranked(model, asked, recall_us), time.perf_counter() - started)
    return found


def quotas_of(channels: Iterable[str]) -> dict[str, int]:
    """The quotas of the service's default scene, of these channels; those that it gives none have 1."""
    given = load_settings().scene("").channels
    wanted = set(channels)
    return {name: quota for name, quota in given.items() if name in wanted} | dict.fromkeys(wanted - given.keys(), 1)
