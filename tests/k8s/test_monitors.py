"""What Prometheus is to scrape is there: pods, ports, paths, and a policy that lets it in."""

import re
from collections.abc import Iterator

from tests.k8s.manifests import ROOT, Object, Pod, of_kind, pods, selects

MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}


def endpoints(objects: list[Object]) -> Iterator[tuple[Pod, int, str]]:
    """The pod, port and path of all that is scraped."""
    for monitor in of_kind(objects, "PodMonitor"):
        chosen = [pod for pod in pods(objects) if selects(monitor["spec"]["selector"], pod.labels)]
        assert chosen, monitor["metadata"]["name"]
        for pod in chosen:
            ports = {each["name"]: each["containerPort"] for one in pod.containers for each in one.get("ports", ())}
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                yield pod, ports[endpoint["port"]], endpoint["path"]


def test_all_that_serve_are_scraped(production: list[Object]) -> None:
    assert {pod.owner for pod, _, _ in endpoints(production)} == {
        "StatefulSet/feature-service",
        "Deployment/feature-service-replica",
        "StatefulSet/model-server",
    }


def test_the_port_and_path_are_those_that_the_service_shows_metrics_at(production: list[Object]) -> None:
    for pod, port, path in endpoints(production):
        if "feature-service" in pod.owner:
            assert f"--metrics-address=0.0.0.0:{port}" in pod.containers[0]["args"]
            assert path == "/metrics"


def test_the_port_and_path_are_those_that_the_model_server_shows_metrics_at(production: list[Object]) -> None:
    config = (ROOT / "serving" / "config" / "monitoring.config").read_text()
    (found,) = ((pod, port, path) for pod, port, path in endpoints(production) if "model-server" in pod.owner)
    pod, port, path = found
    assert f"--rest_api_port={port}" in pod.spec["containers"][0]["args"]
    assert re.search(rf'path: "{path}"', config)


def test_prometheus_is_let_in(production: list[Object]) -> None:
    policies = [each["spec"] for each in of_kind(production, "NetworkPolicy")]
    for pod, port, _ in endpoints(production):
        rules = [
            rule
            for policy in policies
            if selects(policy["podSelector"], pod.labels)
            for rule in policy.get("ingress", ())
        ]
        assert any(MONITORING in rule["from"] and {"protocol": "TCP", "port": port} in rule["ports"] for rule in rules)
