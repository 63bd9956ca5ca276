"""The base renders, the API server's schemas accept every object of it, and configuration has one source."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from feature_service.settings import load
from tests.k8s.manifests import ROOT, Object, named, pod_of

OLDEST = "1.32"
"""The oldest Kubernetes that the manifests are checked against; `preStop.sleep` needs 1.30."""


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_object_follows_its_schema(base: list[Object], version: str) -> None:
    for each in base:
        kubernetes_validate.validate(each, version, strict=True)


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


def test_everything_lives_in_one_namespace_that_enforces_the_restricted_profile(base: list[Object]) -> None:
    namespace = named(base, "Namespace", "onair")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"]["namespace"] for each in base if each is not namespace} == {"onair"}


def test_the_model_servers_config_map_holds_exactly_the_files_of_serving_config(base: list[Object]) -> None:
    files = {path.name: path.read_text() for path in (ROOT / "serving" / "config").glob("*.config")}
    assert _mounted(base, "model-server", "config")["data"] == files


def test_the_settings_of_the_config_map_are_settings_of_the_service(base: list[Object], tmp_path: Path) -> None:
    data = _mounted(base, "feature-service", "settings")["data"]
    (tmp_path / "settings.toml").write_text(data["settings.toml"])
    assert load(tmp_path / "settings.toml").service.model_poll_s == 5.0
    assert list(data) == ["settings.toml"]


@pytest.mark.parametrize(
    ("workload", "volume", "stem"),
    [
        ("model-server", "config", "model-server-config-"),
        ("feature-service", "settings", "feature-service-settings-"),
    ],
)
def test_a_config_map_carries_a_hash_in_its_name_so_that_a_change_rolls_the_pods(
    base: list[Object], workload: str, volume: str, stem: str
) -> None:
    name = _mounted(base, workload, volume)["metadata"]["name"]
    assert name.startswith(stem)
    assert len(name) > len(stem)


def _mounted(base: list[Object], workload: str, volume: str) -> Object:
    """The ConfigMap that a workload mounts as a volume."""
    pod = pod_of(named(base, "StatefulSet", workload))
    (name,) = [each["configMap"]["name"] for each in pod["volumes"] if each["name"] == volume]
    return named(base, "ConfigMap", name)
