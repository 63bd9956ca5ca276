"""Publish and rollback end to end, with a model server that serves all along."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.client import ModelServerClient, Prediction
from serving.launch import ModelServer, start_model_server
from serving.manifest import Provenance
from training.publish import publish, rollback
from training.rollout import Outcome

PROVENANCE = Provenance(0, 1, {}, "c0ffee", "abc")
CONFIG = """
model_config_list {{
  config {{
    name: "tiny" base_path: "{base_path}" model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 2 }} }}
  }}
}}
"""


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    publish(tiny_model, path, "tiny", PROVENANCE)
    return path


@pytest.fixture(scope="module")
def server(base_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    directory = tmp_path_factory.mktemp("server")
    (directory / "models.config").write_text(CONFIG.format(base_path=base_path))
    flags = {
        "model_config_file": directory / "models.config",
        "file_system_poll_wait_seconds": 1,
        "max_num_load_retries": 0,
    }
    with start_model_server(flags, log_path=directory / "server.log") as started:
        yield started


def predict(server: ModelServer) -> Prediction:
    async def ask() -> Prediction:
        async with ModelServerClient(server.target) as client:
            vector = {"user_floats": np.array([[1, 3]], np.float32)}
            return await client.predict("tiny", vector, signature="user", timeout_s=10)

    return asyncio.run(ask())


@pytest.mark.slow
def test_a_version_is_served_a_broken_one_is_not_and_a_rollback_is(
    tiny_model: Path, base_path: Path, server: ModelServer, tmp_path: Path
) -> None:
    second = publish(tiny_model, base_path, "tiny", PROVENANCE, servers=[server.target], timeout_s=60)
    assert second.available, second.lines()
    assert second.servers[0].available == (2, 1)
    assert predict(server).version == 2

    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    third = publish(broken, base_path, "tiny", PROVENANCE, servers=[server.target], timeout_s=60)
    assert third.servers[0].outcome is Outcome.FAILED, third.lines()
    assert third.servers[0].detail
    assert predict(server).version == 2

    fourth = rollback(base_path, "tiny", servers=[server.target], timeout_s=60)
    assert fourth.available, fourth.lines()
    assert fourth.manifest.rollback_of == 2
    answer = predict(server)
    assert answer.version == 4
    assert answer.outputs["vector"].tolist() == [[2, 6]]
