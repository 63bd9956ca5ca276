"""Everything renders, the API server's schemas accept it, and configuration has one source."""

import copy
import json
from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from tests.k8s.manifests import ROOT, Object, named, template_of, title

OLDEST = "1.32"
"""The oldest Kubernetes that the manifests are checked against; `preStop.sleep` needs 1.30."""

CUSTOM = {
    "Certificate": "cert-manager.io/v1",
    "Issuer": "cert-manager.io/v1",
    "FlinkDeployment": "flink.apache.org/v1beta1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
}
"""Kinds of operators, whose schemas Kubernetes does not have, with their versions; tests of their own look at them."""

CLUSTER_WIDE = {"Namespace", "PriorityClass"}


def test_every_object_follows_its_schema(rendered: list[Object]) -> None:
    for each in rendered:
        if each["kind"] in CUSTOM:
            assert each["apiVersion"] == CUSTOM[each["kind"]]
        else:
            _follows(json.dumps(each))


@pytest.mark.parametrize(
    ("path", "misspelt"),
    [
        (("spec", "template", "spec"), "terminationGracePeriodSecond"),
        (("spec", "template", "spec", "containers", 0, "livenessProbe"), "tcpsocket"),
        (("spec", "template", "spec", "containers", 0, "resources"), "limit"),
    ],
)
def test_a_misspelt_field_is_refused(base: list[Object], path: tuple[str | int, ...], misspelt: str) -> None:
    broken = copy.deepcopy(named(base, "StatefulSet", "model-server"))
    place: Any = broken
    for step in path:
        place = place[step]
    place[misspelt] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match=misspelt):
        kubernetes_validate.validate(broken, OLDEST, strict=True)


def test_everything_lives_in_one_namespace_that_enforces_the_restricted_profile(rendered: list[Object]) -> None:
    labels = named(rendered, "Namespace", "onair")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for each in rendered:
        assert each["metadata"].get("namespace") == (None if each["kind"] in CLUSTER_WIDE else "onair"), title(each)


def test_no_object_is_there_twice(rendered: list[Object]) -> None:
    names = [title(each) for each in rendered]
    assert sorted(set(names)) == sorted(names)


def test_the_model_servers_config_map_holds_exactly_the_files_of_serving_config(rendered: list[Object]) -> None:
    files = {path.name: path.read_text() for path in (ROOT / "serving" / "config").glob("*.config")}
    assert _mounted(rendered, "model-server", "config")["data"] == files


def test_nothing_else_in_the_manifests_says_which_models_there_are() -> None:
    files = [path for path in (ROOT / "k8s").rglob("*") if path.is_file() and path.suffix != ".md"]
    assert [str(path) for path in files if "model_config_list" in path.read_text()] == []


@pytest.mark.parametrize(("workload", "volume"), [("model-server", "config"), ("feature-service", "settings")])
def test_a_config_map_carries_a_hash_in_its_name_so_that_a_change_rolls_the_pods(
    rendered: list[Object], workload: str, volume: str
) -> None:
    stem, _, suffix = _mounted(rendered, workload, volume)["metadata"]["name"].rpartition("-")
    assert stem == f"{workload}-{volume}"
    assert len(suffix) == 10


@cache
def _follows(text: str) -> None:
    """Checks an object, which is often the same in many renderings."""
    for version in (OLDEST, kubernetes_validate.latest_version()):
        kubernetes_validate.validate(json.loads(text), version, strict=True)


def _mounted(objects: list[Object], workload: str, volume: str) -> Object:
    """The ConfigMap that a workload mounts as a volume."""
    pod = template_of(named(objects, "StatefulSet", workload))["spec"]
    (name,) = [each["configMap"]["name"] for each in pod["volumes"] if each["name"] == volume]
    return named(objects, "ConfigMap", name)
