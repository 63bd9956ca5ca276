"""Rules over what pods run: each tells what breaks it, in a line an object; nothing = it holds."""

import re
from collections.abc import Iterator, Sequence

from tests.k8s.manifests import Object, Pod, named, pods

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
HANDLERS = ("grpc", "httpGet", "tcpSocket", "exec")
LOWEST_ID = 10_000
"""User and group ids from here on are no account of a node."""

NEEDS_A_TOKEN = {"flink"}
"""Accounts that ask the API server for something: the JobManager starts TaskManagers."""


def every_container_has_requests_and_limits(objects: Sequence[Object]) -> Iterator[str]:
    """CPU, memory and ephemeral storage, so that no pod takes a neighbour's. The operator sets those of Flink's."""
    for owner, container in _containers(objects):
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            missing = {"cpu", "memory", "ephemeral-storage"} - set(resources.get(kind, ()))
            if missing and not owner.startswith("FlinkDeployment/"):
                yield f"{owner}: {container['name']}: {kind} lack {', '.join(sorted(missing))}"


def every_port_is_probed_and_no_probe_asks_anothers_question(objects: Sequence[Object]) -> Iterator[str]:
    """Who serves a port has three probes, on ports that it exposes; readiness and liveness ask different questions."""
    for owner, container in _containers(objects):
        exposed = {port["containerPort"] for port in container.get("ports", ())}
        if not exposed:
            continue
        told = f"{owner}: {container['name']}"
        if lacks := [probe for probe in PROBES if probe not in container]:
            yield f"{told}: lacks {', '.join(lacks)}"
            continue
        ready, alive = ([container[probe].get(key) for key in HANDLERS] for probe in PROBES[1:])
        if ready == alive:
            yield f"{told}: readiness and liveness ask the same question"
        if strange := {port for probe in PROBES for port in _ports(container[probe])} - exposed:
            yield f"{told}: probes of ports that it does not expose: {strange}"


def every_pod_is_confined(objects: Sequence[Object]) -> Iterator[str]:
    """The restricted profile, and more: users that no node knows, a read-only root, nothing of the node's."""
    for pod in pods(objects):
        context = pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{pod.owner}: expected runAsNonRoot and the seccomp profile RuntimeDefault"
        if min(context.get("runAsUser", 0), context.get("runAsGroup", 0)) < LOWEST_ID:
            yield f"{pod.owner}: expected a user and a group from {LOWEST_ID} on"
        if {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec) or "hostPath" in str(pod.spec.get("volumes")):
            yield f"{pod.owner}: shares something with its node"
        for container in pod.containers:
            if container.get("securityContext") != {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }:
                yield f"{pod.owner}: {container['name']}: expected a read-only root and no privilege"


def every_image_has_a_fixed_tag(objects: Sequence[Object]) -> Iterator[str]:
    """The same manifests run the same code."""
    for owner, image, _ in _images(objects):
        if not re.fullmatch(r"[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z]+)?(@sha256:[0-9a-f]{64})?", image):
            yield f"{owner}: {image}"


def every_image_is_pulled_anew(objects: Sequence[Object]) -> Iterator[str]:
    """Nobody runs an image that a node has and may not be read from the registry by this pod."""
    for owner, image, policy in _images(objects):
        if policy != "Always":
            yield f"{owner}: {image}: imagePullPolicy {policy}"


def every_pod_has_its_account_and_no_token_or_secret_in_plain(objects: Sequence[Object]) -> Iterator[str]:
    """An account of its own, no token but for who needs one, and secrets by reference alone."""
    for pod in pods(objects):
        account = pod.spec.get("serviceAccountName", "default")
        if pod.owner.startswith("FlinkDeployment/"):
            account = _account_of_flink(objects, pod)
        if account == "default":
            yield f"{pod.owner}: runs as the default account"
            continue
        offered = named(objects, "ServiceAccount", account).get("automountServiceAccountToken", True)
        if account not in NEEDS_A_TOKEN and (offered or pod.spec.get("automountServiceAccountToken", True)):
            yield f"{pod.owner}: has a token of {account}"
        for container in pod.containers:
            for variable in container.get("env", ()):
                if re.search(r"PASSWORD|SECRET|TOKEN|AUTH|KEY$", variable["name"]) and "value" in variable:
                    yield f"{pod.owner}: {container['name']}: {variable['name']} stands in the manifest"


def every_pod_drains_before_it_ends(objects: Sequence[Object]) -> Iterator[str]:
    """Who serves a port goes on answering while callers leave, and its grace period is longer than that."""
    for pod in pods(objects):
        for container in pod.containers:
            sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if container.get("ports") and not 0 < sleep < pod.spec.get("terminationGracePeriodSeconds", 30):
                yield f"{pod.owner}: {container['name']}: drains for {sleep} s"


def every_pod_has_a_priority(objects: Sequence[Object]) -> Iterator[str]:
    """One of the classes here, and no variable twice."""
    for pod in pods(objects):
        named(objects, "PriorityClass", pod.spec.get("priorityClassName", "onair-serving"))
        if "priorityClassName" not in pod.spec:
            yield f"{pod.owner}: has no priority"
        for container in pod.containers:
            names = [variable["name"] for variable in container.get("env", ())]
            if len(names) != len(set(names)):
                yield f"{pod.owner}: {container['name']}: names a variable twice"


def _containers(objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    return ((pod.owner, container) for pod in pods(objects) for container in pod.containers)


def _images(objects: Sequence[Object]) -> Iterator[tuple[str, str, str]]:
    """Every image with its owner and pull policy."""
    for each in objects:
        if each["kind"] == "FlinkDeployment":
            yield f"FlinkDeployment/{each['metadata']['name']}", each["spec"]["image"], each["spec"]["imagePullPolicy"]
    for owner, container in _containers(objects):
        if not owner.startswith("FlinkDeployment/"):
            yield owner, container["image"], container.get("imagePullPolicy", "none")


def _account_of_flink(objects: Sequence[Object], pod: Pod) -> str:
    return named(objects, "FlinkDeployment", pod.owner.partition("/")[2])["spec"].get("serviceAccount", "default")


def _ports(probe: Object) -> list[int]:
    return [probe[key]["port"] for key in HANDLERS if "port" in probe.get(key, ())]
