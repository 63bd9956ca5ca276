"""What slates tell of themselves: stages, rungs, degradations, the yield of channels, the age of features."""

from collections import Counter, OrderedDict

from feature_service.observe.metrics import Metrics
from feature_service.trace import Outcome

MOST_REMEMBERED = 50_000
"""Answers whose impressions are waited for; with their ids, about 10 MB."""


class SlateMetrics:
    """Counts the slates that go to viewers, and remembers the clock of their features."""

    def __init__(self, metrics: Metrics, most_remembered: int = MOST_REMEMBERED) -> None:
        self._metrics = metrics
        self._most_remembered = most_remembered
        self._computed_ms: OrderedDict[str, int] = OrderedDict()

    def shown(self, outcome: Outcome) -> None:
        """Counts a slate that goes to a viewer."""
        metrics, trace, cards = self._metrics, outcome.trace, outcome.cards
        metrics.answers[outcome.request.scene.name, trace.rung.name.lower()].inc()
        for stage in trace.stages:
            metrics.stages[stage.stage,].observe(stage.duration_ms / 1000)
        for each in trace.degraded:
            metrics.degradations[each.stage, each.kind].inc()
        for recalled in trace.recalled:
            metrics.channel_candidates[recalled.channel,].observe(len(recalled.rows))
        for channel, places in Counter(name for card in cards for name in card.channels).items():
            metrics.channel_places[channel,].inc(places)
        if not cards:
            metrics.empty_answers.inc()
        metrics.places.inc(len(cards))
        metrics.ended_places.inc(trace.ended)
        self._remember(outcome.request.request_id, outcome.request.now_ms)

    def seen(self, request_id: str, time_ms: int) -> None:
        """Measures the age of the features behind an impression, if their answer was one of this process."""
        computed_ms = self._computed_ms.get(request_id)
        if computed_ms is not None:
            self._metrics.feature_age.observe(max(time_ms - computed_ms, 0) / 1000)

    def _remember(self, request_id: str, now_ms: int) -> None:
        self._computed_ms[request_id] = now_ms
        if len(self._computed_ms) > self._most_remembered:
            self._computed_ms.popitem(last=False)
