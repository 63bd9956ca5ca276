"""Manifests as tests read them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
BASE = ROOT / "k8s" / "base"
COMPONENTS = ROOT / "k8s" / "components"
OVERLAYS = ROOT / "k8s" / "overlays"
WORKLOADS = ("Deployment", "StatefulSet")
NAME = "app.kubernetes.io/name"

Object = dict[str, Any]


class Pod(NamedTuple):
    """The pods of one workload or job.

    Attributes:
        owner: `kind/name` of what makes them.
        labels: Their labels.
        spec: What they run.
        serves: Whether they run on, rather than to an end.
    """

    owner: str
    labels: dict[str, str]
    spec: Object
    serves: bool

    @property
    def containers(self) -> list[Object]:
        """All that run in them, those that run first too."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


@cache
def render(folder: Path) -> list[Object]:
    """Renders a kustomization with the kubectl of this environment, else with the one on PATH; not to be changed."""
    beside = Path(sys.executable).parent / "kubectl"
    kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
    assert kubectl, "expected kubectl in the environment or on PATH"
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


@cache
def render_with(*components: str) -> list[Object]:
    """Renders the base with components, in their order; not to be changed."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        paths = [os.path.relpath(COMPONENTS / each, folder) for each in components]
        kustomization = {"namespace": "onair", "resources": [os.path.relpath(BASE, folder)], "components": paths}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return render(folder)


def of_kind(objects: Sequence[Object], *kinds: str) -> Iterator[Object]:
    """The objects of some kinds."""
    return (each for each in objects if each["kind"] in kinds)


def named(objects: Sequence[Object], kind: str, name: str) -> Object:
    """The one object of a kind and a name."""
    (found,) = (each for each in of_kind(objects, kind) if each["metadata"]["name"] == name)
    return found


def title(each: Object) -> str:
    """What an object is called in messages."""
    return f"{each['kind']}/{each['metadata']['name']}"


def template_of(workload: Object) -> Object:
    """The template of the pods that an object makes."""
    if workload["kind"] == "CronJob":
        return workload["spec"]["jobTemplate"]["spec"]["template"]
    return workload["spec"]["podTemplate" if workload["kind"] == "FlinkDeployment" else "template"]


def pods(objects: Sequence[Object], *kinds: str) -> Iterator[Pod]:
    """The pods of all that makes some, or of some kinds."""
    for each in of_kind(objects, *(kinds or (*WORKLOADS, "CronJob", "FlinkDeployment"))):
        template = template_of(each)
        yield Pod(title(each), template["metadata"]["labels"], template["spec"], each["kind"] != "CronJob")


def pod_of(objects: Sequence[Object], kind: str, name: str) -> Pod:
    """The pods of one workload or job."""
    (pod,) = pods([named(objects, kind, name)])
    return pod


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a selector selects a pod."""
    assert set(selector) <= {"matchLabels", "matchExpressions"}, selector
    among = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in among), selector
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in among
    )
