"""What manifests say of programs, files and each other is so: flags, settings, names, ports, paths and flows."""

import argparse
import ast
import importlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from feature_service.settings import Settings, load
from tests.k8s.flows import Flow, flows, stopped
from tests.k8s.manifests import ROOT, Object, Pod, named, of_kind, pod_of, pods
from tests.k8s.pod_rules import PROBES

PROGRAMS = ("feature_service", "serving", "training")

OF_THE_STOCK_SERVER = {"--enable_profiler", "--num_load_threads", "--grpc_channel_arguments"}
"""Flags of `tensorflow_model_server` that the embedded server does without."""

BROUGHT = {
    ("secret", "redis"),
    ("secret", "kafka"),
    ("secret", "tokens"),
    ("secret", "object-store"),
    ("configMap", "flink-layout"),
}
"""What is there before the manifests are applied; k8s/README.md says how it is made."""


OF_THE_WRITER = ("log", "models", "retention")
"""Settings of what replicas do not have."""


def verbs(objects: Sequence[Object]) -> Iterator[tuple[Pod, str, list[str]]]:
    """Each command of one of our programs, of a container or a probe, with the program and its arguments."""
    for pod in pods(objects):
        for container in pod.containers:
            probes = [container[probe]["exec"]["command"] for probe in PROBES if "exec" in container.get(probe, ())]
            for command in (container.get("command", []) + container.get("args", []), *probes):
                if command[:2] == ["python", "-m"]:
                    yield pod, command[2], command[3:]
                elif command[:2] == ["sh", "-c"] and (started := re.search(r'python -m (\w+) "\$@"', command[2])):
                    yield pod, started[1], command[4:]


def test_every_argument_is_one_of_its_verb(rendered: list[Object]) -> None:
    found = list(verbs(rendered))
    assert found
    for pod, program, (verb, *arguments) in found:
        assert program in PROGRAMS
        listed = importlib.import_module(f"{program}.__main__").VERBS
        parser = argparse.ArgumentParser(prog=f"{pod.owner}: {program} {verb}", allow_abbrev=False)
        importlib.import_module(listed[verb].module).add_arguments(parser)
        parser.parse_args(arguments)


def test_a_flag_that_no_verb_has_is_noticed(base: list[Object], capsys: pytest.CaptureFixture[str]) -> None:
    container = pod_of(base, "Deployment", "console").spec["containers"][0]
    broken = [{**each} for each in base]
    at = broken.index(named(base, "Deployment", "console"))
    changed = {**container, "args": [*container["args"], "--colour=red"]}
    spec = {"containers": [changed]}
    broken[at] = {**broken[at], "spec": {"template": {"metadata": {"labels": {}}, "spec": spec}}}
    with pytest.raises(SystemExit):
        test_every_argument_is_one_of_its_verb(broken)
    assert "--colour=red" in capsys.readouterr().err


def test_every_flag_is_one_of_the_model_server(rendered: list[Object]) -> None:
    from serving.local.flags import parse_flags

    (container,) = pod_of(rendered, "StatefulSet", "model-server").spec["containers"]
    names = {argument.partition("=")[0] for argument in container["args"]}
    known = [each for each in container["args"] if each.partition("=")[0] not in OF_THE_STOCK_SERVER]
    assert names >= OF_THE_STOCK_SERVER
    assert parse_flags(known, cpus=2).model_config_file == "/config/models.config"


def test_every_option_of_the_flink_job_is_one_that_it_has(production: list[Object]) -> None:
    job = named(production, "FlinkDeployment", "hours")["spec"]["job"]
    tree = ast.parse((ROOT / "training/streaming/flink/job.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    options = {
        node.args[0].value
        for node in calls
        if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
        if isinstance(node.args[0], ast.Constant)
    }
    assert {each.partition("=")[0] for each in job["args"] if each.startswith("--")} <= options
    module = job["args"][job["args"].index("-pym") + 1]
    assert ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file()


def test_every_file_of_settings_is_understood(rendered: list[Object], tmp_path: Path) -> None:
    files = {name for each in of_kind(rendered, "ConfigMap") for name in each["data"] if name.endswith(".toml")}
    assert "settings.toml" in files
    for name in files:
        settings_of(rendered, name, tmp_path)


def test_replicas_have_the_writers_settings_but_for_what_only_it_does(production: list[Object], tmp_path: Path) -> None:
    writer, replica = (_tables(production, name) for name in ("settings.toml", "replica.toml"))
    assert replica.pop("served") == {"share": 0.0}
    assert {name: table for name, table in writer.items() if name not in OF_THE_WRITER} == replica
    assert settings_of(production, "replica.toml", tmp_path).store.address == "redis://redis:6379/0"


def test_every_settings_file_of_an_argument_is_mounted(rendered: list[Object]) -> None:
    (settings,) = (each for each in of_kind(rendered, "ConfigMap") if "settings.toml" in each["data"])
    named_files = {
        argument.removeprefix("--settings=/settings/")
        for _, _, arguments in verbs(rendered)
        for argument in arguments
        if argument.startswith("--settings=")
    }
    assert named_files == set(settings["data"])


def test_every_path_of_an_argument_lies_on_a_volume_that_is_there(rendered: list[Object]) -> None:
    for pod in pods(rendered):
        volumes = {each["name"] for each in pod.spec.get("volumes", ())} | _claimed(rendered, pod)
        for container in pod.containers:
            mounts = {each["mountPath"]: each["name"] for each in container.get("volumeMounts", ())}
            assert set(mounts.values()) <= volumes, pod.owner
            paths = re.findall(r"(?:^|=)(/[\w./-]+)", "\n".join(container.get("args", ())), re.MULTILINE)
            for path in paths:
                assert any(path == mount or path.startswith(f"{mount}/") for mount in mounts), (pod.owner, path)


def test_every_volume_is_of_something_that_is_there_or_is_brought(rendered: list[Object]) -> None:
    here = {("configMap", each["metadata"]["name"]) for each in of_kind(rendered, "ConfigMap")}
    here |= {("secret", each["spec"]["secretName"]) for each in of_kind(rendered, "Certificate")}
    claims = {each["metadata"]["name"] for each in of_kind(rendered, "PersistentVolumeClaim")}
    for pod in pods(rendered):
        for volume in pod.spec.get("volumes", ()):
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, pod.owner
            for kind, key in (("configMap", "name"), ("secret", "secretName")):
                assert kind not in volume or (kind, volume[kind][key]) in here | BROUGHT, (pod.owner, volume)


def test_what_is_brought_is_described() -> None:
    readme = (ROOT / "k8s" / "README.md").read_text()
    for _, name in BROUGHT:
        assert re.search(rf"kubectl .*create .* {name} ", readme), name


def test_who_asks_model_servers_names_every_one(rendered: list[Object]) -> None:
    replicas = named(rendered, "StatefulSet", "model-server")["spec"]["replicas"]
    wanted = [f"model-server-{number}.model-server:8500" for number in range(replicas)]
    for pod, _, (verb, *arguments) in verbs(rendered):
        found = [each.partition("=")[2] for each in arguments if each.startswith("--model-server=")]
        assert found == (wanted if verb == "serve" else []), pod.owner


def test_every_flow_ends_at_a_port_that_is_there(rendered: list[Object]) -> None:
    found = list(flows(rendered))
    assert found
    for flow in found:
        assert flow.target is not None, flow


def test_the_policies_let_through_what_arguments_and_settings_name(overlay: tuple[str, list[Object]]) -> None:
    _, objects = overlay
    assert [flow for flow in flows(objects) if stopped(flow, objects)] == []


def test_the_policies_stop_what_is_no_flow(overlay: tuple[str, list[Object]]) -> None:
    _, objects = overlay
    console = pod_of(objects, "Deployment", "console")
    server = pod_of(objects, "StatefulSet", "model-server")
    assert stopped(Flow(console, "model-server", 8500, server), objects)
    assert stopped(Flow(server, "console", 8080, console), objects)


def test_every_image_of_ours_has_the_version_of_the_package(rendered: list[Object]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {container["image"] for pod in pods(rendered) for container in pod.containers if "image" in container}
    images |= {each["spec"]["image"] for each in of_kind(rendered, "FlinkDeployment")}
    ours = {image for image in images if image.startswith("onair/")}
    assert ours
    assert {image.partition(":")[2] for image in ours} == {version}


def settings_of(objects: Sequence[Object], name: str, folder: Path) -> Settings:
    """A settings file of the service's ConfigMap, as the service reads it."""
    (text,) = (each["data"][name] for each in of_kind(objects, "ConfigMap") if name in each["data"])
    (folder / name).write_text(text)
    return load(folder / name)


def _tables(objects: Sequence[Object], name: str) -> dict[str, object]:
    (text,) = (each["data"][name] for each in of_kind(objects, "ConfigMap") if name in each["data"])
    return tomllib.loads(text)


def _claimed(objects: Sequence[Object], pod: Pod) -> set[str]:
    """The volumes that a StatefulSet claims for each of its pods."""
    kind, name = pod.owner.split("/")
    claims = named(objects, kind, name)["spec"].get("volumeClaimTemplates", ())
    return {each["metadata"]["name"] for each in claims}
