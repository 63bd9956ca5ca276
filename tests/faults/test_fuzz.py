"""Requests that nobody should send: each is answered by a caller's mistake, and the service holds and says nothing."""

from pathlib import Path

import pytest

from tests.faults.fuzz import fuzz

pytestmark = pytest.mark.slow

REQUESTS, SEED = 3_000, 7


async def test_no_request_breaks_the_service_or_spills_a_token_or_an_id_into_its_log(tmp_path: Path) -> None:
    outcome = await fuzz(tmp_path, REQUESTS, SEED)
    assert outcome.unexpected == []
    assert outcome.spilled == []
    assert outcome.answers
    assert outcome.statuses.total() == REQUESTS
    ends = {status for _, status in outcome.statuses}
    assert {"OK", "INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED"} <= ends
