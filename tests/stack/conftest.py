"""One model server with small trained models, for all tests of the running stack."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import training  # noqa: F401 - selects Keras 2 before a test module imports TensorFlow.
from serving.launch import ModelServer, start_model_server
from tests.stack.running_stack import Stack, running_stack
from training.demo import write_models_config


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `tests.stack.trained.publish_models`."""
    from tests.stack.trained import publish_models

    root = tmp_path_factory.mktemp("stack")
    publish_models(root)
    return root


@pytest.fixture(scope="session")
def model_server(published: Path) -> Iterator[ModelServer]:
    """Serves the latest two versions of `two_tower`, `mmoe` and `dnn`."""
    config = published / "models.config"
    write_models_config({name: published / "models" / name for name in ("two_tower", "mmoe", "dnn")}, config)
    flags = {"model_config_file": config, "file_system_poll_wait_seconds": 1}
    with start_model_server(flags, log_path=published / "model_server.log") as server:
        yield server


@pytest.fixture
async def stack(model_server: ModelServer, tmp_path: Path) -> AsyncIterator[Stack]:
    """A feature service with nothing in it yet, on the model server."""
    async with running_stack(tmp_path, [model_server.target]) as stack:
        yield stack
