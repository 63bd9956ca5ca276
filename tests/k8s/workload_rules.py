"""Rules over what keeps pods running and reachable: each tells what breaks it, in a line an object."""

import re
from collections.abc import Iterator, Sequence

from tests.k8s.manifests import WORKLOADS, Object, named, of_kind, pods, selects, template_of, title

ALONE = {
    "feature-service": "one process owns log and store; its replicas are a workload of their own",
    "redis": "what it loses is filled in again from the log; answers go on without it",
    "console": "a page for engineers; an update starts the new pod before it ends the old one",
}
"""Workloads of one pod, and why; a budget for one pod could only block a node's drain."""

_FOUND_AGAIN_S = 60
"""Longer than gRPC waits between two looks for the name of a pod that was away for a minute and a half."""

STABLE = re.compile(
    r"(apps/|batch/|policy/|autoscaling/|networking\.k8s\.io/|scheduling\.k8s\.io/|rbac\.[a-z8.]+/)?v[12]"
)


def replicas_survive_a_drain(objects: Sequence[Object]) -> Iterator[str]:
    """A budget for each workload of several pods, and one that lets some of them go."""
    budgets = list(of_kind(objects, "PodDisruptionBudget"))
    for each in of_kind(objects, *WORKLOADS):
        labels = template_of(each)["metadata"]["labels"]
        found = [budget["spec"] for budget in budgets if selects(budget["spec"]["selector"], labels)]
        wanted = each["metadata"]["name"] not in ALONE
        if len(found) != wanted:
            yield f"{title(each)}: has {len(found)} budgets"
        for budget in found:
            if budget.get("minAvailable", 0) >= _fewest(objects, each):
                yield f"{title(each)}: its budget lets none go"
            if budget.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
                yield f"{title(each)}: its budget keeps pods that are broken"


def replicas_are_spread_over_nodes_and_zones(objects: Sequence[Object]) -> Iterator[str]:
    """By constraints on both, and away from their own kind."""
    for each in of_kind(objects, *WORKLOADS):
        if each["metadata"]["name"] in ALONE:
            continue
        pod = template_of(each)["spec"]
        spread = {constraint["topologyKey"] for constraint in pod.get("topologySpreadConstraints", ())}
        if spread != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}:
            yield f"{title(each)}: is spread over {sorted(spread)}"
        if "podAntiAffinity" not in pod.get("affinity", {}):
            yield f"{title(each)}: does not shun nodes that have one already"


def what_serves_has_replicas(objects: Sequence[Object]) -> Iterator[str]:
    """Two or more pods, but for what `ALONE` says."""
    for each in of_kind(objects, *WORKLOADS):
        if _fewest(objects, each) < 2 and each["metadata"]["name"] not in ALONE:
            yield f"{title(each)}: has {_fewest(objects, each)} pods"
        if _fewest(objects, each) > 1 and each["metadata"]["name"] in ALONE:
            yield f"{title(each)}: has more than the one pod that it may have"


def every_pod_is_isolated_and_every_policy_isolates_one(objects: Sequence[Object]) -> Iterator[str]:
    """Both ways, by policies that all select somebody."""
    policies = list(of_kind(objects, "NetworkPolicy"))
    every = list(pods(objects))
    for policy in policies:
        if not any(selects(policy["spec"]["podSelector"], pod.labels) for pod in every):
            yield f"{title(policy)}: selects no pod"
    for pod in every:
        ways = {
            way
            for each in policies
            if selects(each["spec"]["podSelector"], pod.labels)
            for way in each["spec"]["policyTypes"]
        }
        if ways != {"Ingress", "Egress"}:
            yield f"{pod.owner}: is isolated for {sorted(ways)}"


def what_is_scaled_exists_and_counts_nowhere_else(objects: Sequence[Object]) -> Iterator[str]:
    """An autoscaler has a target, which has no number of replicas, and two pods at least."""
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        found = [each for each in of_kind(objects, target["kind"]) if each["metadata"]["name"] == target["name"]]
        if not found or found[0]["apiVersion"] != target["apiVersion"]:
            yield f"{title(scaler)}: its target does not exist"
        elif "replicas" in found[0]["spec"]:
            yield f"{title(found[0])}: says how many replicas it has, as its autoscaler does"
        if scaler["spec"]["minReplicas"] < 2:
            yield f"{title(scaler)}: scales down to {scaler['spec']['minReplicas']}"


def updates_roll_and_services_stay_inside(objects: Sequence[Object]) -> Iterator[str]:
    """Rolling updates; selectors that select; services that nobody outside reaches."""
    for each in of_kind(objects, *WORKLOADS):
        strategy = each["spec"].get("strategy" if each["kind"] == "Deployment" else "updateStrategy", {})
        if strategy.get("type") != "RollingUpdate":
            yield f"{title(each)}: does not say that its update rolls"
        if not selects(each["spec"]["selector"], template_of(each)["metadata"]["labels"]):
            yield f"{title(each)}: does not select its own pods"
    for service in of_kind(objects, "Service"):
        spec = service["spec"]
        chosen = [pod for pod in pods(objects, *WORKLOADS) if spec["selector"].items() <= pod.labels.items()]
        ports = [{port["name"] for each in pod.containers for port in each.get("ports", ())} for pod in chosen]
        if spec.get("type", "ClusterIP") != "ClusterIP":
            yield f"{title(service)}: is reached from outside by {spec['type']}"
        if not ports or any(not {port["targetPort"] for port in spec["ports"]} <= names for names in ports):
            yield f"{title(service)}: selects no pod that has its ports"


def pods_called_by_name_are_found_again(objects: Sequence[Object]) -> Iterator[str]:
    """A name that was gone is looked up again by gRPC ever later: the next pod waits for that, or the name stays."""
    for each in of_kind(objects, "StatefulSet"):
        service = named(objects, "Service", each["spec"]["serviceName"])["spec"]
        if all(port["name"] != "grpc" for port in service["ports"]):
            continue
        if _fewest(objects, each) > 1 and each["spec"].get("minReadySeconds", 0) < _FOUND_AGAIN_S:
            yield f"{title(each)}: its update goes on before callers have found the pod that is back"
        if _fewest(objects, each) == 1 and not service.get("publishNotReadyAddresses"):
            yield f"{title(each)}: its name is gone while it starts"


def jobs_end_and_names_are_stable(objects: Sequence[Object]) -> Iterator[str]:
    """Jobs have deadlines and go; StatefulSets have a Service; no API version is still to change."""
    for job in of_kind(objects, "CronJob"):
        spec, once = job["spec"], job["spec"]["jobTemplate"]["spec"]
        needed = {"startingDeadlineSeconds": spec, "activeDeadlineSeconds": once, "ttlSecondsAfterFinished": once}
        if lacks := [name for name, place in needed.items() if not place.get(name)]:
            yield f"{title(job)}: lacks {', '.join(lacks)}"
        if spec.get("concurrencyPolicy") != "Forbid" or once["template"]["spec"].get("restartPolicy") != "Never":
            yield f"{title(job)}: may run twice at once, or in the same pod again"
    for each in of_kind(objects, "StatefulSet"):
        service = named(objects, "Service", each["spec"]["serviceName"])["spec"]
        labels = template_of(each)["metadata"]["labels"]
        if service.get("clusterIP") != "None" or not service["selector"].items() <= labels.items():
            yield f"{title(each)}: {each['spec']['serviceName']} gives its pods no names"
    for each in objects:
        native = "." not in each["apiVersion"] or each["apiVersion"].partition("/")[0].endswith(".k8s.io")
        if native and not STABLE.fullmatch(each["apiVersion"]):
            yield f"{title(each)}: {each['apiVersion']} may change"


def _fewest(objects: Sequence[Object], workload: Object) -> int:
    """How many pods a workload has at least."""
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"]):
            return scaler["spec"]["minReplicas"]
    return workload["spec"].get("replicas", 1)
