"""The rules of k8s/README.md hold for every overlay, and each is broken by what it is there to find."""

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.k8s import pod_rules, workload_rules
from tests.k8s.manifests import ROOT, Object, named

Rule = Callable[[Sequence[Object]], Iterator[str]]

RULES: dict[str, tuple[Rule, ...]] = {
    "1": (pod_rules.every_container_has_requests_and_limits,),
    "2": (pod_rules.every_port_is_probed_and_no_probe_asks_anothers_question,),
    "3": (pod_rules.every_pod_is_confined,),
    "4": (workload_rules.replicas_survive_a_drain, pod_rules.every_pod_drains_before_it_ends),
    "5": (workload_rules.replicas_are_spread_over_nodes_and_zones,),
    "6": (workload_rules.what_serves_has_replicas,),
    "7": (workload_rules.every_pod_is_isolated_and_every_policy_isolates_one,),
    "8": (pod_rules.every_image_has_a_fixed_tag, pod_rules.every_image_is_pulled_anew),
    "9": (workload_rules.what_is_scaled_exists_and_counts_nowhere_else,),
    "10": (pod_rules.every_pod_has_its_account_and_no_token_or_secret_in_plain,),
    "11": (
        workload_rules.updates_roll_and_services_stay_inside,
        workload_rules.pods_called_by_name_are_found_again,
    ),
    "12": (workload_rules.jobs_end_and_names_are_stable, pod_rules.every_pod_has_a_priority),
}
"""The rules by their number in k8s/README.md."""

NOT_OF = {("local", "every_image_is_pulled_anew"): "images are loaded into its node, and no registry has them"}

ALL = [rule for rules in RULES.values() for rule in rules]

_GONE = object()

Change = tuple[str, str, str, tuple[str | int, ...], Any]
"""A rule, the kind and name of an object, the place in it, and what stands there instead (`_GONE` = nothing)."""

MODEL_SERVER = ("StatefulSet", "model-server")
REPLICA = ("Deployment", "feature-service-replica")
WRITER = ("StatefulSet", "feature-service")
DAILY = ("CronJob", "train-daily")
POD = ("spec", "template", "spec")
FIRST = (*POD, "containers", 0)
JOB = ("spec", "jobTemplate", "spec")
BATCH = (*JOB, "template", "spec")

BREAKS: list[Change] = [
    ("every_container_has_requests_and_limits", *WRITER, (*FIRST, "resources", "limits", "ephemeral-storage"), _GONE),
    ("every_container_has_requests_and_limits", *WRITER, (*POD, "containers", 1, "resources"), _GONE),
    ("every_port_is_probed_and_no_probe_asks_anothers_question", *MODEL_SERVER, (*FIRST, "startupProbe"), _GONE),
    (
        "every_port_is_probed_and_no_probe_asks_anothers_question",
        *MODEL_SERVER,
        (*FIRST, "livenessProbe"),
        {"httpGet": {"path": "/v1/models/two_tower", "port": 8501}, "periodSeconds": 60},
    ),
    (
        "every_port_is_probed_and_no_probe_asks_anothers_question",
        *MODEL_SERVER,
        (*FIRST, "livenessProbe", "tcpSocket", "port"),
        8502,
    ),
    ("every_pod_is_confined", *REPLICA, (*POD, "securityContext", "runAsGroup"), 1000),
    ("every_pod_is_confined", *REPLICA, (*POD, "hostPID"), True),
    ("every_pod_is_confined", *DAILY, (*BATCH, "containers", 0, "securityContext", "capabilities"), _GONE),
    ("every_pod_is_confined", "FlinkDeployment", "hours", ("spec", "podTemplate", "spec", "securityContext"), {}),
    ("replicas_survive_a_drain", "PodDisruptionBudget", "model-server", ("spec", "minAvailable"), 3),
    (
        "replicas_survive_a_drain",
        "PodDisruptionBudget",
        "model-server",
        ("spec", "selector", "matchLabels"),
        {"a": "b"},
    ),
    (
        "replicas_survive_a_drain",
        "PodDisruptionBudget",
        "feature-service-replica",
        ("spec", "selector", "matchLabels", "app.kubernetes.io/component"),
        _GONE,
    ),
    ("every_pod_drains_before_it_ends", *MODEL_SERVER, (*POD, "terminationGracePeriodSeconds"), 45),
    ("every_pod_drains_before_it_ends", *REPLICA, (*FIRST, "lifecycle"), _GONE),
    ("replicas_are_spread_over_nodes_and_zones", *REPLICA, (*POD, "topologySpreadConstraints", 1), _GONE),
    ("replicas_are_spread_over_nodes_and_zones", *MODEL_SERVER, (*POD, "affinity"), _GONE),
    ("what_serves_has_replicas", *MODEL_SERVER, ("spec", "replicas"), 1),
    ("what_serves_has_replicas", *WRITER, ("spec", "replicas"), 2),
    ("what_serves_has_replicas", "HorizontalPodAutoscaler", "feature-service-replica", ("spec", "minReplicas"), 1),
    (
        "every_pod_is_isolated_and_every_policy_isolates_one",
        "NetworkPolicy",
        "redis",
        ("spec", "podSelector", "matchLabels"),
        {"app.kubernetes.io/name": "valkey"},
    ),
    (
        "every_pod_is_isolated_and_every_policy_isolates_one",
        "NetworkPolicy",
        "default-deny",
        ("spec", "policyTypes"),
        ["Ingress"],
    ),
    ("every_image_has_a_fixed_tag", *MODEL_SERVER, (*FIRST, "image"), "tensorflow/serving:latest"),
    ("every_image_has_a_fixed_tag", "FlinkDeployment", "hours", ("spec", "image"), "onair/flink"),
    ("every_image_is_pulled_anew", *MODEL_SERVER, (*FIRST, "imagePullPolicy"), "IfNotPresent"),
    ("what_is_scaled_exists_and_counts_nowhere_else", *REPLICA, ("spec", "replicas"), 3),
    ("what_is_scaled_exists_and_counts_nowhere_else", *REPLICA, ("metadata", "name"), "replica"),
    (
        "every_pod_has_its_account_and_no_token_or_secret_in_plain",
        *DAILY,
        (*BATCH, "serviceAccountName"),
        _GONE,
    ),
    (
        "every_pod_has_its_account_and_no_token_or_secret_in_plain",
        *REPLICA,
        (*POD, "automountServiceAccountToken"),
        True,
    ),
    (
        "every_pod_has_its_account_and_no_token_or_secret_in_plain",
        "ServiceAccount",
        "redis",
        ("automountServiceAccountToken",),
        _GONE,
    ),
    (
        "every_pod_has_its_account_and_no_token_or_secret_in_plain",
        *REPLICA,
        (*FIRST, "env"),
        [{"name": "ONAIR_REDIS_PASSWORD", "value": "hunter2"}],
    ),
    ("updates_roll_and_services_stay_inside", *REPLICA, ("spec", "strategy", "type"), "Recreate"),
    ("updates_roll_and_services_stay_inside", "Service", "console", ("spec", "type"), "LoadBalancer"),
    ("updates_roll_and_services_stay_inside", "Service", "console", ("spec", "selector"), {"a": "b"}),
    ("updates_roll_and_services_stay_inside", "Service", "console", ("spec", "ports", 0, "targetPort"), "grpc"),
    ("pods_called_by_name_are_found_again", *MODEL_SERVER, ("spec", "minReadySeconds"), 10),
    (
        "pods_called_by_name_are_found_again",
        "Service",
        "feature-service-writer",
        ("spec", "publishNotReadyAddresses"),
        _GONE,
    ),
    ("jobs_end_and_names_are_stable", *DAILY, (*JOB, "activeDeadlineSeconds"), _GONE),
    ("jobs_end_and_names_are_stable", *DAILY, ("spec", "concurrencyPolicy"), "Allow"),
    ("jobs_end_and_names_are_stable", *DAILY, (*BATCH, "restartPolicy"), "OnFailure"),
    ("jobs_end_and_names_are_stable", *MODEL_SERVER, ("spec", "serviceName"), "console"),
    ("jobs_end_and_names_are_stable", *REPLICA, ("apiVersion",), "apps/v1beta1"),
    ("every_pod_has_a_priority", *REPLICA, (*POD, "priorityClassName"), _GONE),
    ("every_pod_has_a_priority", *REPLICA, (*FIRST, "env"), [{"name": "A", "value": "1"}] * 2),
]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.__name__)
def test_the_rule_holds(overlay: tuple[str, list[Object]], rule: Rule) -> None:
    name, objects = overlay
    if (name, rule.__name__) in NOT_OF:
        pytest.skip(NOT_OF[name, rule.__name__])
    assert list(rule(objects)) == []


def test_components_keep_the_rules_without_an_overlay_too(rendered: list[Object]) -> None:
    of_overlays = (
        workload_rules.every_pod_is_isolated_and_every_policy_isolates_one,
        pod_rules.every_image_is_pulled_anew,
    )
    for rule in ALL:
        assert rule in of_overlays or list(rule(rendered)) == [], rule.__name__


@pytest.mark.parametrize(
    ("rule", "kind", "name", "place", "value"), BREAKS, ids=[f"{each[0]}-{each[3][-1]}" for each in BREAKS]
)
def test_the_rule_finds_what_breaks_it(
    production: list[Object], rule: str, kind: str, name: str, place: tuple[str | int, ...], value: object
) -> None:
    broken = copy.deepcopy(production)
    where: Any = named(broken, kind, name)
    for step in place[:-1]:
        where = where[step]
    if value is _GONE:
        del where[place[-1]]
    else:
        where[place[-1]] = value
    assert list({each.__name__: each for each in ALL}[rule](broken))


def test_every_rule_is_seen_to_be_broken() -> None:
    assert {rule for rule, *_ in BREAKS} == {rule.__name__ for rule in ALL}


def test_the_table_of_rules_names_the_tests_of_all_twelve() -> None:
    table = (ROOT / "k8s" / "README.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", table, re.MULTILINE))
    assert rows == {number: ", ".join(f"`{rule.__name__}`" for rule in rules) for number, rules in RULES.items()}
