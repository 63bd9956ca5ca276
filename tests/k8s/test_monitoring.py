"""The dashboard and the alert rules: they ask for metrics, labels and values that there are, and say what to do.

The expressions are read as text: Prometheus' own checker, promtool, is no package that an environment installs.
"""

import json
import re
from typing import Any

import grpc
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from feature_service.features.events import EventKind
from feature_service.observe.metrics import Children, Metrics
from feature_service.overload.ladder import Rung
from feature_service.writer import Acceptance
from tests.k8s.manifests import ROOT

FOLDER = ROOT / "k8s" / "components" / "monitoring"
MODEL_SERVER = {":tensorflow:serving:request_count", ":tensorflow:serving:request_latency_bucket"}
"""Metrics of TensorFlow Serving that are asked for; read off a server of version 2.18.1."""

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
OF_EVERY_SCRAPE = {"instance", "le"}
MODEL_SERVER_LABELS = {"model_name", "status"}
VALUES = {
    "status": {code.name for code in grpc.StatusCode},
    "rung": {rung.name.lower() for rung in Rung},
    "acceptance": {str(each) for each in Acceptance},
    "kind": {kind.name.lower() for kind in EventKind},
    "room": {"on_air", "ended", "unknown"},
    "method": {"Recommend"},
}
"""What the labels that expressions select by may be."""


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    return [alert for group in rules["spec"]["groups"] for alert in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [*(alert["expr"] for alert in alerts()), *shown]


def metrics() -> dict[str, set[str]]:
    """The labels of each metric of a service, by the names under which it can be asked for."""
    found: dict[str, set[str]] = {}
    for each in vars(Metrics()).values():
        metric = each._metric if isinstance(each, Children) else each
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.collect()
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = set(metric._labelnames)  # The library tells them nowhere else.
    return found


METRICS = metrics()


def names(expression: str) -> set[str]:
    return set(re.findall(r"(?:onair_|:tensorflow)[\w:]+", expression))


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_that_is_asked_for_exists(expression: str) -> None:
    asked = names(expression)
    assert asked
    assert asked <= set(METRICS) | MODEL_SERVER


@pytest.mark.parametrize("expression", expressions())
def test_metrics_are_selected_and_summed_by_labels_that_they_have(expression: str) -> None:
    for name, matchers in re.findall(r"(onair_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= METRICS[name]
    held = OF_EVERY_SCRAPE.union(*(METRICS.get(name, MODEL_SERVER_LABELS) for name in names(expression)))
    for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert set(re.findall(r"\w+", labels)) <= held


@pytest.mark.parametrize("expression", expressions())
def test_labels_are_compared_with_values_that_they_can_have(expression: str) -> None:
    for label, pattern in re.findall(r'(\w+)(?:=|!=|=~|!~)"([^"]*)"', expression):
        assert set(pattern.split("|")) <= VALUES[label]


@pytest.mark.parametrize("expression", expressions())
def test_brackets_are_closed_in_order(expression: str) -> None:
    while (shorter := re.sub(r"\(\)|\[\]|\{\}", "", re.sub(r"[^()\[\]{}]", "", expression))) != expression:
        expression = shorter
    assert not expression


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert all(len(text.split()) >= 3 for text in alert["annotations"].values())


def test_alerts_have_names_of_their_own() -> None:
    found = [alert["alert"] for alert in alerts()]
    assert sorted(found) == sorted(set(found))


def test_every_metric_of_a_service_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    missing = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in METRICS}
    assert {name for name in missing if name not in shown} == set()


def test_panels_say_what_they_show_and_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        assert panel["description"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
