"""The habits that a strict reviewer of manifests looks for, as rules over every workload of the base."""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence

import pytest

from tests.k8s.manifests import ROOT, WORKLOADS, Object, named, of_kind, pod_of

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
RESOURCES = {"cpu", "memory", "ephemeral-storage"}
LOWEST_ID = 10_000
"""User and group ids from here on are no account of a node."""


def containers(base: Sequence[Object]) -> Iterator[Object]:
    """Every container of every workload."""
    return (each for workload in of_kind(base, *WORKLOADS) for each in pod_of(workload)["containers"])


def test_there_are_the_three_workloads_and_one_writer(base: list[Object]) -> None:
    replicas = {each["metadata"]["name"]: each["spec"]["replicas"] for each in of_kind(base, *WORKLOADS)}
    assert set(replicas) == {"feature-service", "model-server", "console"}
    assert replicas["feature-service"] == 1


def test_every_container_requests_and_limits_cpu_memory_and_ephemeral_storage(base: list[Object]) -> None:
    for each in containers(base):
        assert set(each["resources"]["requests"]) == RESOURCES, each["name"]
        assert set(each["resources"]["limits"]) == RESOURCES, each["name"]


def test_every_container_has_three_probes_that_differ_on_ports_that_it_exposes(base: list[Object]) -> None:
    for each in containers(base):
        exposed = {port["containerPort"] for port in each["ports"]}
        probes = [each[probe] for probe in PROBES]
        assert probes[1] != probes[2], each["name"]
        assert {_port(probe) for probe in probes} <= exposed, each["name"]


def test_readiness_and_liveness_ask_different_questions(base: list[Object]) -> None:
    handlers = ("grpc", "httpGet", "tcpSocket")
    for each in containers(base):
        ready, alive = ({key: each[probe].get(key) for key in handlers} for probe in PROBES[1:])
        assert ready != alive, each["name"]


def test_every_pod_is_confined(base: list[Object]) -> None:
    for each in of_kind(base, *WORKLOADS):
        pod = pod_of(each)
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert min(context["runAsUser"], context["runAsGroup"]) >= LOWEST_ID
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))


def test_every_container_is_confined(base: list[Object]) -> None:
    for each in containers(base):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, each["name"]


def test_every_workload_runs_as_its_own_account_without_a_token(base: list[Object]) -> None:
    for each in of_kind(base, *WORKLOADS):
        account = pod_of(each)["serviceAccountName"]
        assert account == each["metadata"]["name"]
        assert pod_of(each)["automountServiceAccountToken"] is False
        assert named(base, "ServiceAccount", account)["automountServiceAccountToken"] is False


def test_every_pod_drains_within_its_grace_period_without_a_shell(base: list[Object]) -> None:
    for each in of_kind(base, *WORKLOADS):
        for container in pod_of(each)["containers"]:
            assert (
                0
                < container["lifecycle"]["preStop"]["sleep"]["seconds"]
                < pod_of(each)["terminationGracePeriodSeconds"]
            )


def test_what_has_replicas_is_spread_and_survives_a_drain(base: list[Object]) -> None:
    budgets = {each["metadata"]["name"]: each["spec"] for each in of_kind(base, "PodDisruptionBudget")}
    replicated = [each for each in of_kind(base, *WORKLOADS) if each["spec"]["replicas"] > 1]
    assert set(budgets) == {each["metadata"]["name"] for each in replicated}
    for each in replicated:
        budget = budgets[each["metadata"]["name"]]
        keys = {spread["topologyKey"] for spread in pod_of(each)["topologySpreadConstraints"]}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert budget["minAvailable"] < each["spec"]["replicas"]
        assert budget["selector"] == each["spec"]["selector"]


def test_every_image_has_a_fixed_tag(base: list[Object]) -> None:
    for each in containers(base):
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", each["image"]), each["image"]


def test_selectors_select_the_labels_of_their_pods(base: list[Object]) -> None:
    for each in of_kind(base, *WORKLOADS):
        labels = each["spec"]["template"]["metadata"]["labels"]
        service = named(base, "Service", each["metadata"]["name"])["spec"]
        assert each["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert service["selector"].items() <= labels.items()
        assert service.get("type", "ClusterIP") == "ClusterIP"
        names = {port["name"] for container in pod_of(each)["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= names


@pytest.mark.parametrize("name", ["feature-service", "model-server"])
def test_what_is_called_over_grpc_is_headless_so_that_clients_balance(base: list[Object], name: str) -> None:
    assert named(base, "Service", name)["spec"]["clusterIP"] == "None"
    assert named(base, "StatefulSet", name)["spec"]["serviceName"] == name


def test_the_service_names_every_model_server(base: list[Object]) -> None:
    (service,) = pod_of(named(base, "StatefulSet", "feature-service"))["containers"]
    named_servers = [each.partition("=")[2] for each in service["args"] if each.startswith("--model-server=")]
    replicas = named(base, "StatefulSet", "model-server")["spec"]["replicas"]
    assert named_servers == [f"model-server-{i}.model-server:8500" for i in range(replicas)]


@pytest.mark.parametrize(("kind", "name"), [("StatefulSet", "feature-service"), ("Deployment", "console")])
def test_the_arguments_are_those_of_the_command(base: list[Object], kind: str, name: str) -> None:
    (container,) = pod_of(named(base, kind, name))["containers"]
    assert container["command"] == ["python", "-m", "feature_service"]
    verb, *arguments = container["args"]
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"feature_service.commands.{verb}").add_arguments(parser)
    assert parser.parse_known_args(arguments)[1] == []


def test_the_image_of_the_service_has_no_tensorflow() -> None:
    dockerfile = (ROOT / "k8s" / "images" / "feature-service.Dockerfile").read_text()
    (requirements,) = re.findall(r"-r (requirements/service-\S+)", dockerfile)
    assert "--require-hashes" in dockerfile
    assert not re.search(r"^tensorflow", (ROOT / requirements).read_text(), re.MULTILINE)


def _port(probe: Object) -> int:
    (handler,) = (probe[key] for key in ("grpc", "httpGet", "tcpSocket") if key in probe)
    return handler["port"]
