"""compose.yaml: its flags, addresses and files are so, and its containers are as confined as those on Kubernetes."""

import argparse
import importlib
import re
from typing import Any

import pytest
import yaml

from feature_service.settings import load
from serving.local.flags import parse_flags
from serving.model_list import read_model_list
from tests.k8s.manifests import ROOT, pod_of, render_with

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("feature-service", "console")


def interpolated(text: str) -> str:
    """A value with the defaults of its variables."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", OURS)
def test_every_argument_is_one_of_its_verb(name: str) -> None:
    verb, *arguments = SERVICES[name]["command"]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    importlib.import_module(f"feature_service.commands.{verb}").add_arguments(parser)
    parser.parse_args(arguments)


def test_the_model_server_is_that_of_kubernetes_with_a_part_of_its_flags() -> None:
    (container,) = pod_of(render_with(), "StatefulSet", "model-server").containers
    server = SERVICES["model-server"]
    assert server["image"] == container["image"]
    assert server["entrypoint"] == container["command"]
    assert set(server["command"]) <= set(container["args"])


def test_every_address_is_that_of_a_service_and_what_it_listens_on() -> None:
    model_server, service = SERVICES["model-server"], SERVICES["feature-service"]
    assert "--model-server=model-server:8500" in service["command"]
    assert parse_flags([each for each in model_server["command"] if "port" in each], cpus=1).port == 8500
    assert "--address=0.0.0.0:8600" in service["command"]
    assert "--address=feature-service:8600" in SERVICES["console"]["command"]
    assert {"--host=0.0.0.0", "--port=8080"} <= set(SERVICES["console"]["command"])


def test_only_this_machine_reaches_what_is_published() -> None:
    for name, service in SERVICES.items():
        assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ())), name


def test_every_file_that_is_mounted_is_there_and_is_what_the_program_reads() -> None:
    for name, service in SERVICES.items():
        for each in service.get("volumes", ()):
            source, target, *_ = interpolated(each).split(":")
            assert source in COMPOSE["volumes"] or source == "./demo/models" or (ROOT / source).exists(), (name, each)
            arguments = " ".join(service["command"])
            assert target in arguments or target == "/models", (name, target)


def test_the_models_of_the_list_lie_where_the_models_are_mounted() -> None:
    models = read_model_list(ROOT / "serving" / "config" / "models.config")
    assert all(each.base_path.startswith("/models/") for each in models.model_config_list.config)


@pytest.mark.parametrize("settings", ["k8s/base/settings.toml", "k8s/components/redis/settings.toml"])
def test_the_settings_are_settings_of_the_service(settings: str) -> None:
    assert load(ROOT / settings).store.address in ("", "redis://redis:6379/0")
    assert "redis" in SERVICES


def test_every_container_is_confined() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name in OURS or int(service["user"].partition(":")[0]) >= 10_000, name


def test_images_are_those_of_the_manifests() -> None:
    objects = render_with("redis")
    images = {
        each["image"]
        for pod in ("feature-service", "model-server", "redis")
        for each in pod_of(objects, "StatefulSet", pod).containers
    }
    assert {service["image"] for service in SERVICES.values()} == images
    build = SERVICES["feature-service"]["build"]
    dockerfile = (ROOT / build["dockerfile"]).read_text()
    assert re.search(rf" AS {build['target']}$", dockerfile, re.MULTILINE)


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "compose.yaml").read_text()
    passwords = re.findall(r"PASSWORD(?:: |=)(\S*)", text)
    assert set(passwords) <= {"${ONAIR_REDIS_PASSWORD-}", "…"}
