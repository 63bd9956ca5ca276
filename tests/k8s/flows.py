"""Who talks to whom: as arguments and settings name it, and as the network policies let it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.k8s.manifests import WORKLOADS, Object, Pod, of_kind, pods, selects

_ADDRESS = re.compile(r"^--(?:model-server|replica-of|address)=(?:dns:///)?([a-z][\w.-]*):(\d+)$")
"""An argument that names a host; one that is listened on is a number."""


class Flow(NamedTuple):
    """One pod that calls another.

    Attributes:
        source: Who calls.
        host: The name that it calls: of a Service, or of a pod of one.
        port: The port there.
        target: Who answers there; None = nobody does.
    """

    source: Pod
    host: str
    port: int
    target: Pod | None


def flows(objects: Sequence[Object]) -> Iterator[Flow]:
    """The flows within the namespace that arguments and settings name."""
    for pod in pods(objects):
        for container in pod.containers:
            for argument in container.get("args", ()):
                if found := _ADDRESS.match(argument):
                    yield _flow(objects, pod, found[1], int(found[2]))
            if store := urlsplit(_store(objects, container)).netloc:
                host, _, port = store.partition(":")
                yield _flow(objects, pod, host, int(port))


def stopped(flow: Flow, objects: Sequence[Object]) -> bool:
    """Whether the network policies stop a flow, at one of its ends."""
    assert flow.target is not None, flow
    leaves = _passes(objects, flow.source, "Egress", flow.target, flow.port)
    return not (leaves and _passes(objects, flow.target, "Ingress", flow.source, flow.port))


def _passes(objects: Sequence[Object], end: Pod, way: str, other: Pod, port: int) -> bool:
    """Whether a policy of one end lets the other through."""
    return any(
        _lets(rule, "to" if way == "Egress" else "from", other, port)
        for policy in of_kind(objects, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], end.labels) and way in policy["spec"]["policyTypes"]
        for rule in policy["spec"].get(way.lower(), ())
    )


def _lets(rule: Object, peers: str, other: Pod, port: int) -> bool:
    to_it = any(
        set(peer) == {"podSelector"} and selects(peer["podSelector"], other.labels) for peer in rule.get(peers, ())
    )
    return to_it and ("ports" not in rule or port in {each["port"] for each in rule["ports"]})


def _flow(objects: Sequence[Object], source: Pod, host: str, port: int) -> Flow:
    name = host.split(".")[-1] if re.match(r"[\w-]+-\d+\.", host) else host
    for service in of_kind(objects, "Service"):
        named = {each["port"]: each["targetPort"] for each in service["spec"]["ports"]}
        for pod in pods(objects, *WORKLOADS):
            found = service["metadata"]["name"] == name and service["spec"]["selector"].items() <= pod.labels.items()
            if found and (named.get(port), port) in _ports(pod):
                return Flow(source, host, port, pod)
    return Flow(source, host, port, None)


def _ports(pod: Pod) -> set[tuple[str, int]]:
    return {(port["name"], port["containerPort"]) for each in pod.containers for port in each.get("ports", ())}


def _store(objects: Sequence[Object], container: Object) -> str:
    """The address of the store in the settings that a service reads."""
    if container.get("args", [""])[0] != "serve":
        return ""
    (path,) = (each.partition("=")[2] for each in container["args"] if each.startswith("--settings="))
    name = path.rpartition("/")[2]
    (text,) = (each["data"][name] for each in of_kind(objects, "ConfigMap") if name in each["data"])
    return tomllib.loads(text).get("store", {}).get("address", "")
