"""Versions that appear, fail and go while the server runs; models that a reload adds and removes."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import ModelServerConfig
from serving.client import ModelServerClient, VersionStatus
from serving.errors import ModelNotFoundError, ServerFailedError
from serving.readiness import wait_until_available
from tests.serving.model_servers import Server
from tests.serving.toy_models import add_warmup, appear, tf, warmup_record

X = {"x": np.ones((1, 3), np.float32)}
WAIT_S = 30


class Models:
    """The toy model under a name and a base path of this test's own."""

    def __init__(self, client: ModelServerClient, toys: Path, base: Path) -> None:
        self.client = client
        self.good = toys / "good"
        self.name = base.name  # the server remembers ended versions: each test has a name of its own
        self.base = base / "versions"

    async def serve(self, *versions: int, options: str = "") -> None:
        for version in versions:
            self.publish(version)
        await self.reload(
            f'config {{ name: "{self.name}" base_path: "{self.base}" model_platform: "tensorflow" {options} }}'
        )

    async def reload(self, models: str) -> None:
        await self.client.reload_config(
            text_format.Parse(f"model_config_list {{ {models} }}", ModelServerConfig()), timeout_s=WAIT_S
        )

    def publish(self, version: int) -> None:
        appear(self.good / str(version), self.base / str(version))

    async def predict(self, **options) -> tuple[float, int]:
        prediction = await self.client.predict(self.name, X, timeout_s=WAIT_S, **options)
        return prediction.outputs["y"].item(), prediction.version

    async def ended(self, version: int) -> VersionStatus:
        async with asyncio.timeout(WAIT_S):
            while True:
                (status,) = await self.client.model_status(self.name, version)
                if status.state == "END":
                    return status
                await asyncio.sleep(0.05)  # the API has no way to be told

    async def available(self, version: int) -> int:
        return await wait_until_available(self.client, self.name, version, timeout_s=WAIT_S)


@pytest_asyncio.fixture
async def models(changing_server: Server, toys: Path, tmp_path: Path) -> AsyncIterator[Models]:
    async with ModelServerClient(changing_server.process.target) as client:
        models = Models(client, toys, tmp_path)
        yield models
        await models.reload("")


async def test_a_new_version_replaces_the_old_one_without_a_failed_request(models: Models):
    await models.serve(1)
    published = asyncio.Event()

    async def ask() -> set[tuple[float, int]]:
        seen = {await models.predict()}
        while not (published.is_set() and (5.0, 2) in seen):
            seen.add(await models.predict())
        return seen

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    models.publish(2)
    published.set()
    seen = set().union(*await asyncio.wait_for(asyncio.gather(*asking), WAIT_S))

    assert seen == {(4.0, 1), (5.0, 2)}
    await models.ended(1)
    with pytest.raises(ModelNotFoundError, match=r"Servable not found for request: Specific\(.*, 1\)"):
        await models.predict(version=1)


async def test_a_request_in_flight_finishes_while_its_version_is_unloaded(models: Models):
    await models.serve(1)
    rounds = {"rounds": np.array([1500], np.int32)}
    slow = asyncio.create_task(models.client.predict(models.name, rounds, signature="slow", timeout_s=60))

    models.publish(2)
    await models.available(2)

    assert (await slow).version == 1
    assert (await models.ended(1)).code == grpc.StatusCode.OK


async def test_an_empty_version_directory_ends_with_the_reason(models: Models):
    await models.serve(1)
    (models.base / "3").mkdir()

    with pytest.raises(ServerFailedError, match="version 3 failed to load"):
        await models.available(3)

    status = await models.ended(3)
    assert status.code == grpc.StatusCode.NOT_FOUND
    assert status.message == (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called"
        f" `saved_model.pb`)\nSpecified file path: {models.base / '3'}"
    )
    assert await models.predict() == (4.0, 1)


def _garbage(path: Path) -> None:
    (path / "saved_model.pb").write_bytes(b"garbage")


def _truncated(path: Path) -> None:
    data = path / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:4])


@pytest.mark.parametrize(
    ("breaks", "code", "message"),
    [
        (_garbage, "OUT_OF_RANGE", "Read less bytes than requested"),
        (_truncated, "OUT_OF_RANGE", "Read less bytes than requested"),
        (
            lambda path: add_warmup(path, warmup_record([["a"] * 3], tf.string)),
            "INVALID_ARGUMENT",
            "Expects arg[0] to be float but string is provided",
        ),
        (
            lambda path: add_warmup(path, warmup_record([[1.0] * 3], signature="nope")),
            "FAILED_PRECONDITION",
            'Serving signature key "nope" not found.',
        ),
        (
            lambda path: add_warmup(path, warmup_record([[1.0] * 3]), b"garbage"),
            "INVALID_ARGUMENT",
            "Failed to parse warmup record: garbage from",
        ),
    ],
    ids=["garbage", "truncated variables", "warm-up dtype", "warm-up signature", "garbage warm-up"],
)
async def test_a_broken_version_ends_with_the_recorded_words(models: Models, tmp_path, breaks, code, message):
    await models.serve(1)
    breaks(shutil.copytree(models.good / "2", tmp_path / "broken"))
    appear(tmp_path / "broken", models.base / "2")
    with pytest.raises(ServerFailedError):
        await models.available(2)

    status = await models.ended(2)

    assert (status.code.name, status.message[: len(message)]) == (code, message)
    assert await models.predict() == (4.0, 1)


async def test_a_version_without_its_variables_loads_and_fails_each_predict(models: Models, tmp_path):
    broken = shutil.copytree(models.good / "2", tmp_path / "broken")
    shutil.rmtree(broken / "variables")
    await models.serve(1)
    appear(broken, models.base / "2")

    await models.available(2)

    with pytest.raises(Exception, match=r"FAILED_PRECONDITION: Could not find variable (ver|weights)"):
        await models.predict()


async def test_warm_up_requests_run_before_the_version_is_available(models: Models, tmp_path):
    warm = shutil.copytree(models.good / "2", tmp_path / "warm")
    add_warmup(warm, *[warmup_record([[1.0, 2.0, 3.0]])] * 3)
    await models.serve(1)
    appear(warm, models.base / "2")

    await models.available(2)

    assert await models.predict() == (5.0, 2)


async def test_a_numeric_file_is_a_version_that_fails(models: Models):
    await models.serve(1)
    (models.base / "77").touch()
    with pytest.raises(ServerFailedError, match="Not a directory"):
        await models.available(77)

    assert (await models.ended(77)).code == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_lower_version_comes_back_after_all_were_removed(models: Models):
    await models.serve(2)
    shutil.rmtree(models.base / "2")
    await models.ended(2)
    with pytest.raises(ModelNotFoundError, match=r"Servable not found for request: Latest"):
        await models.predict()

    models.publish(1)
    await models.available(1)

    assert await models.predict() == (4.0, 1)


async def test_labels_move_with_a_reload(models: Models):
    both = "model_version_policy { specific { versions: 1 versions: 2 } }"
    await models.serve(1, 2, options=f'{both} version_labels {{ key: "stable" value: 1 }}')
    assert await models.predict(label="stable") == (4.0, 1)
    await models.available(2)

    await models.serve(options=f'{both} version_labels {{ key: "stable" value: 2 }}')

    assert await models.predict(label="stable") == (5.0, 2)


async def test_a_label_of_a_version_that_is_not_loaded_finds_nothing(models: Models):
    await models.serve(1, options='version_labels { key: "fresh" value: 99 }')

    with pytest.raises(ModelNotFoundError, match=r"Servable not found for request: Specific\(.*, 99\)"):
        await models.predict(label="fresh")


async def test_a_removed_model_is_unloaded(models: Models):
    await models.serve(1)

    await models.reload("")

    await models.ended(1)
    with pytest.raises(ModelNotFoundError, match=r"Servable not found for request: Latest"):
        await models.predict()
