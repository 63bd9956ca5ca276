"""The servers of the cluster tests, and every storage for the same tests: files, a real HDFS, one that speaks S3."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from tests.clusters.hdfs import Hdfs
from tests.clusters.kafka_broker import KafkaBroker
from tests.clusters.object_store import ObjectStore
from training.storage import Place, Remote


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with Hdfs(tmp_path_factory.mktemp("hdfs")) as running:
        yield running


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with ObjectStore(tmp_path_factory.mktemp("object_store")) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def address(broker: KafkaBroker) -> str:
    """Of an empty topic of the test's own, for the settings."""
    return broker.topic()


@pytest.fixture(params=["file", "hdfs", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of the test's own."""
    name = f"test-{secrets.token_hex(4)}"
    if request.param == "hdfs":
        return Remote(f"{request.getfixturevalue('hdfs').uri}/{name}")
    if request.param == "s3":
        request.getfixturevalue("object_store")
        filesystem, bucket = fs.FileSystem.from_uri(f"s3://{name}?allow_bucket_creation=true")
        filesystem.create_dir(bucket)
        return Remote(f"s3://{name}")
    return tmp_path / name
