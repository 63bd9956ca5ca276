"""What model servers are said to have made of a version, over real gRPC."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from protos.onair.v1.tfserving_pb2 import GetModelStatusRequest, GetModelStatusResponse
from serving.contract import GET_MODEL_STATUS
from training.rollout import Outcome, ServerState, await_version

START, LOADING, AVAILABLE, END = 10, 20, 30, 50
State = tuple[int, int, int, str]  # Version, state, error code, error message.


@contextmanager
def model_server(answers: Sequence[Sequence[State] | None]) -> Iterator[str]:
    """A server that answers GetModelStatus with these states one after the other, then with the last; None: unknown."""
    left = list(answers)

    def status(request: GetModelStatusRequest, context: grpc.ServicerContext) -> GetModelStatusResponse:
        states = left.pop(0) if len(left) > 1 else left[0]
        if states is None:
            name = request.model_spec.name
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        response = GetModelStatusResponse()
        for version, state, code, message in states or ():
            item = response.model_version_status.add(version=version, state=state)  # pyright: ignore[reportArgumentType]
            item.status.error_code = code  # pyright: ignore[reportAttributeAccessIssue]
            item.status.error_message = message
        return response

    service, method = GET_MODEL_STATUS.strip("/").split("/")
    handler: Callable[..., grpc.RpcMethodHandler] = grpc.unary_unary_rpc_method_handler
    server = grpc.server(ThreadPoolExecutor(1))
    methods = {method: handler(status, GetModelStatusRequest.FromString, GetModelStatusResponse.SerializeToString)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def await_one(answers: Sequence[Sequence[State] | None], timeout_s: float = 10) -> ServerState:
    with model_server(answers) as address:
        (state,) = await_version([address], "mmoe", 2, timeout_s)
    return state


def test_waits_until_the_version_is_available() -> None:
    state = await_one(
        [
            [(1, AVAILABLE, 0, "")],
            [(2, LOADING, 0, ""), (1, AVAILABLE, 0, "")],
            [(2, AVAILABLE, 0, ""), (1, AVAILABLE, 0, "")],
        ]
    )
    assert (state.outcome, state.detail, state.available) == (Outcome.AVAILABLE, "", (2, 1))


def test_waits_for_a_server_that_does_not_know_the_model_yet() -> None:
    assert await_one([None, [(2, AVAILABLE, 0, "")]]).outcome is Outcome.AVAILABLE


def test_a_version_that_fails_to_load_is_reported_with_the_servers_error() -> None:
    state = await_one([[(2, END, 3, "Expects arg[0] to be float but string is provided"), (1, AVAILABLE, 0, "")]])
    assert state.outcome is Outcome.FAILED
    assert state.detail == "INVALID_ARGUMENT: Expects arg[0] to be float but string is provided"
    assert state.available == (1,)


@pytest.mark.parametrize("own", [[], [(2, END, 0, "")]])
def test_a_version_that_gave_way_to_a_higher_one_is_superseded(own: list[State]) -> None:
    state = await_one([[(3, AVAILABLE, 0, ""), *own]])
    assert (state.outcome, state.detail) == (Outcome.SUPERSEDED, "version 3 is available")


def test_a_version_still_loading_when_the_time_is_up_is_late() -> None:
    state = await_one([[(2, LOADING, 0, "")]], timeout_s=0.3)
    assert (state.outcome, state.detail, state.available) == (Outcome.LATE, "its state is LOADING", ())


def test_a_server_that_nobody_runs_is_late_and_silent() -> None:
    with model_server([[]]) as address:
        pass
    (state,) = await_version([address], "mmoe", 2, 0.3)
    assert state.outcome is Outcome.LATE
    assert state.available is None
    assert state.detail


def test_servers_are_reported_in_the_order_given() -> None:
    with model_server([[(2, AVAILABLE, 0, "")]]) as good, model_server([[(2, END, 5, "gone")]]) as bad:
        states = await_version([bad, good], "mmoe", 2, 10)
    assert [state.server for state in states] == [bad, good]
    assert [state.outcome for state in states] == [Outcome.FAILED, Outcome.AVAILABLE]
