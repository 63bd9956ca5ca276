"""How one waits for a version: what passes, and what ends the wait; the client is a fake."""

from typing import Any

import grpc

from serving.client import VersionStatus
from serving.errors import serving_error
from serving.readiness import wait_until_available


class Answers:
    """A client whose `model_status` gives these answers in turn; errors are raised."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)

    async def model_status(self, model: str, version: int | None = None) -> list[VersionStatus]:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_server_too_busy_to_answer_in_time_is_asked_again():
    late = serving_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    client: Any = Answers(late, [VersionStatus(3, "AVAILABLE", grpc.StatusCode.OK, "")])

    assert await wait_until_available(client, "m", 3, timeout_s=10) == 3
