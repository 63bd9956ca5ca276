"""Samples and versions get from one program to the next: who writes a folder, and who reads it; and what never ends."""

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from serving.model_list import model_names, read_model_list
from tests.k8s.manifests import ROOT, Object, named, pod_of, render_with
from training.continuation import can_go_on
from training.run_config import load_config

CONFIGS = ROOT / "training" / "configs"


def options(container: Object) -> dict[str, str]:
    """The options of a container's program, the last of each name."""
    return dict(each.split("=", 1) for each in container["args"] if "=" in each)


def container(objects: list[Object], kind: str, name: str, of: str) -> Object:
    """One container of a workload."""
    (found,) = (each for each in pod_of(objects, kind, name).containers if each["name"] == of)
    return found


def models(objects: list[Object], job: str) -> list[str]:
    """The models that a job trains."""
    (found,) = pod_of(objects, "CronJob", job).containers
    return [each.partition("=")[2] for each in found["args"] if each.startswith("--model=")]


@pytest.fixture(scope="module")
def small() -> list[Object]:
    """The base with the worker."""
    return render_with("training", "worker")


def test_every_model_that_is_served_is_trained_by_one_job(small: list[Object]) -> None:
    trained = [*models(small, "train-daily"), *models(small, "train-hourly")]
    assert sorted(trained) == sorted(model_names(read_model_list(ROOT / "serving/config/models.config")))


def test_those_that_can_go_on_do_so_by_the_hour(small: list[Object]) -> None:
    assert all(can_go_on(load_config(CONFIGS / f"{name}.toml")) for name in models(small, "train-hourly"))
    assert not any(can_go_on(load_config(CONFIGS / f"{name}.toml")) for name in models(small, "train-daily"))


def test_jobs_read_the_samples_that_the_worker_writes(small: list[Object]) -> None:
    written = options(container(small, "StatefulSet", "feature-service", "worker"))["--samples"]
    for job in ("train-daily", "train-hourly"):
        assert options(container(small, "CronJob", job, "run"))["--samples"] == written


def test_flink_hands_on_what_the_writer_lands(production: list[Object]) -> None:
    job = {**named(production, "FlinkDeployment", "hours")["spec"]["job"]}
    found = options(job)
    land = options(container(production, "StatefulSet", "feature-service", "land"))
    commit = options(container(production, "CronJob", "commit-hours", "commit"))
    assert found["--slates"] == f"{land['--to']}/slates"
    assert found["--out"] == commit["--parts"]
    assert commit["--samples"] == options(container(production, "CronJob", "train-hourly", "run"))["--samples"]
    settings = (ROOT / "k8s/overlays/production/settings/settings.toml").read_text()
    assert f'address = "{found["--events"]}"' in settings


def test_flink_finds_its_state_again_wherever_its_pods_go(production: list[Object]) -> None:
    spec = named(production, "FlinkDeployment", "hours")["spec"]
    durable = [each["name"] for each in spec["podTemplate"]["spec"]["volumes"] if "persistentVolumeClaim" in each]
    (main,) = spec["podTemplate"]["spec"]["containers"]
    mounts = [each["mountPath"] for each in main["volumeMounts"] if each["name"] in durable]
    configuration = spec["flinkConfiguration"]
    for key in ("execution.checkpointing.dir", "execution.checkpointing.savepoint-dir", "high-availability.storageDir"):
        assert any(configuration[key].startswith(f"file://{mount}/") for mount in mounts), key
    assert configuration["high-availability.type"] == "kubernetes"
    assert spec["job"]["upgradeMode"] == "savepoint"


def test_flink_has_requests_for_both_kinds_of_its_pods_and_the_container_that_its_operator_looks_for(
    production: list[Object],
) -> None:
    spec = named(production, "FlinkDeployment", "hours")["spec"]
    for kind in ("jobManager", "taskManager"):
        assert set(spec[kind]["resource"]) == {"cpu", "memory", "ephemeralStorage"}
    assert [each["name"] for each in spec["podTemplate"]["spec"]["containers"]] == ["flink-main-container"]


def test_the_job_manager_may_do_what_its_account_is_for_and_no_more(production: list[Object]) -> None:
    role = named(production, "Role", "flink")["rules"]
    resources = {resource for rule in role for resource in rule["resources"]}
    assert resources == {"pods", "configmaps", "deployments", "deployments/finalizers"}
    assert not any("*" in rule["verbs"] for rule in role)
    assert named(production, "RoleBinding", "flink")["subjects"] == [
        {"kind": "ServiceAccount", "name": "flink", "namespace": "onair"}
    ]


def test_jobs_know_who_was_erased_by_the_copy_of_the_writers_file(production: list[Object]) -> None:
    script = container(production, "StatefulSet", "feature-service", "erasures")["command"][2]
    copy = options(container(production, "CronJob", "train-hourly", "run"))["--erasures"]
    assert re.search(rf"\bmv \S+ {re.escape(copy)}\b", script)
    for job, of in (("train-daily", "run"), ("commit-hours", "commit")):
        assert options(container(production, "CronJob", job, of))["--erasures"] == copy
    assert options(container(production, "StatefulSet", "feature-service", "land"))["--erasures"] in script


def test_the_copy_of_erasures_is_made_whole(production: list[Object], tmp_path: Path) -> None:
    for name in ("data", "training"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "erasures.jsonl").write_text("{}\n")
    script = container(production, "StatefulSet", "feature-service", "erasures")["command"][2]
    script = re.sub(r"(?<=\s)/(data|training)/", rf"{tmp_path}/\1/", script)
    run_until(script, tmp_path, rounds=2)
    assert (tmp_path / "training" / "erasures.jsonl").read_text() == "{}\n"
    assert [each.name for each in (tmp_path / "training").iterdir()] == ["erasures.jsonl"]


def test_the_worker_is_started_again_in_its_container_until_the_pod_ends(small: list[Object], tmp_path: Path) -> None:
    worker = container(small, "StatefulSet", "feature-service", "worker")
    program(tmp_path, "python", f'echo "$@" >> {tmp_path}/started; exit 2')
    run_until(worker["command"][2], tmp_path, *worker["command"][3:], *worker["args"], rounds=3)
    started = (tmp_path / "started").read_text().splitlines()
    assert started[:3] == [" ".join(["-m", "training", *worker["args"]])] * 3


def program(folder: Path, name: str, script: str) -> None:
    """Puts a program of this name before all others."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)


def run_until(script: str, folder: Path, *arguments: str, rounds: int) -> None:
    """Runs a script that never ends, whose pauses take no time, for some rounds; SIGTERM ends it, with status 0."""
    program(
        folder,
        "sleep",
        f"echo >> {folder}/rounds; [ $(wc -l < {folder}/rounds) -lt {rounds} ] || exec tail -f /dev/null",
    )
    environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    process = subprocess.Popen(["sh", "-c", script, *arguments], env=environment, start_new_session=True)
    try:
        for _ in range(2000):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01)
            if (folder / "rounds").exists() and len((folder / "rounds").read_text()) >= rounds:
                break
        process.terminate()
        assert process.wait(20) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
