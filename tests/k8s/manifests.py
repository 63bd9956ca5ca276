"""Manifests as tests read them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BASE = ROOT / "k8s" / "base"
WORKLOADS = ("Deployment", "StatefulSet")

Object = dict[str, Any]


def render(folder: Path) -> list[Object]:
    """Renders a kustomization with the kubectl of this environment, else with the one on PATH."""
    beside = Path(sys.executable).parent / "kubectl"
    kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
    assert kubectl, "expected kubectl in the environment or on PATH"
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: Sequence[Object], *kinds: str) -> Iterator[Object]:
    """The objects of some kinds."""
    return (each for each in objects if each["kind"] in kinds)


def named(objects: Sequence[Object], kind: str, name: str) -> Object:
    """The one object of a kind and a name."""
    (found,) = (each for each in of_kind(objects, kind) if each["metadata"]["name"] == name)
    return found


def pod_of(workload: Object) -> Object:
    """The pod's spec of a workload."""
    return workload["spec"]["template"]["spec"]
