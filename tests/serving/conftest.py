"""Fixtures of the serving tests: the toy model on disk, and model server processes shared by the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import ModelServerConfig
from tests.serving.model_servers import KINDS, Server, start
from tests.serving.toy_models import save_version


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the toy model's versions 1, 2 and 3 under `good`."""
    base = tmp_path_factory.mktemp("models")
    for version in (1, 2, 3):
        save_version(base / "good", version)
    return base


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest, toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with `m` (versions 1 and 2, labels stable and canary) and `m2` (version 1), to read from only."""
    config = text_format.Parse(
        f"""model_config_list {{
          config {{ name: "m" base_path: "{toys}/good" model_platform: "tensorflow"
                   model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
                   version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "canary" value: 2 }} }}
          config {{ name: "m2" base_path: "{toys}/good" model_platform: "tensorflow"
                   model_version_policy {{ specific {{ versions: 1 }} }} }}
        }}""",
        ModelServerConfig(),
    )
    path = tmp_path_factory.mktemp("config") / "models.config"
    path.write_text(text_format.MessageToString(config))
    yield from start(request.param, {"model_config_file": path})


@pytest.fixture(scope="session", params=KINDS)
def changing_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without models, whose model list the tests replace."""
    path = tmp_path_factory.mktemp("config") / "empty.config"
    path.write_text("model_config_list {}\n")
    yield from start(request.param, {"model_config_file": path})
