"""The service is killed under load: what it acknowledged is there afterwards, once, and the state is the log's."""

from pathlib import Path

import pytest

from feature_service import settings
from feature_service.boot import LOG_FOLDER, booted
from feature_service.log.reader import read_log
from tests.faults.reporters import SETTINGS, Reporters, assert_nothing_lost, killed_under_load

pytestmark = pytest.mark.slow

FIRST, SECOND = 1_000, 500
"""Acknowledged events before each kill."""


def tear_the_last_record(log: Path) -> None:
    """Leaves the beginning of a record behind the last one, as a write that the kill cut short does."""
    last = max(log.glob("*.log"))
    data = last.read_bytes()
    last.write_bytes(data + data[:9])


@pytest.fixture
async def killed(tmp_path: Path) -> tuple[Path, Reporters]:
    """The folder of a service that was killed twice under load, and what its reporters know."""
    reporters = Reporters()
    await killed_under_load(tmp_path, reporters, FIRST)
    tear_the_last_record(tmp_path / "data" / LOG_FOLDER)
    await killed_under_load(tmp_path, reporters, FIRST + SECOND)
    tear_the_last_record(tmp_path / "data" / LOG_FOLDER)
    return tmp_path / "data", reporters


async def test_what_was_acknowledged_is_there_once_and_the_state_is_that_of_the_log(
    killed: tuple[Path, Reporters],
) -> None:
    data, reporters = killed
    async with booted(settings.parse(SETTINGS, "the test"), data, []) as service:
        await assert_nothing_lost(service, reporters, lambda: read_log(data / LOG_FOLDER, 0))
