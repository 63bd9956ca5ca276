"""The metrics of calls: each is counted once, by its method and the status that its caller saw. Real gRPC."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feature_service.client import FeatureServiceClient
from feature_service.log.protocol import LogError
from feature_service.service import FeatureService
from tests.feature_service.observe.observed_service import Observed, event, observed

COUNT = "onair_rpc_duration_seconds_count"


class Refuses(grpc.aio.ServerInterceptor):
    """A guard that lets nobody in."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        async def refuse(request: Any, context: Any) -> Any:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

        handler: Any = await continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(refuse, handler.request_deserializer, handler.response_serializer)


class Reports:
    """Takes reports, and answers as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.arrived = asyncio.Event()

    async def report(self, reported: Any, now_ms: int) -> Any:
        self.arrived.set()
        if self._error:
            raise self._error
        await asyncio.Event().wait()


def reporting_to(reports: Reports) -> Any:
    def change(service: FeatureService) -> FeatureService:
        return replace(service, writer=reports)

    return change


async def counted(stack: Observed, method: str, status: str) -> None:
    """Waits until one call is counted: the server may still be at it when the caller has gone."""
    async with asyncio.timeout(30):
        while not stack.value(COUNT, method=method, status=status):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_call_is_counted_by_its_method_and_its_status(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack:
        await stack.client.recommend("viewer")
        with pytest.raises(grpc.aio.AioRpcError):
            await stack.client.recommend("viewer", k=-1)
    assert stack.value(COUNT, method="Recommend", status="OK") == 1
    assert stack.value(COUNT, method="Recommend", status="INVALID_ARGUMENT") == 1


async def test_a_call_takes_longer_than_the_stages_of_its_answer(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack:
        await stack.client.recommend("viewer")
    call_s = stack.value("onair_rpc_duration_seconds_sum", method="Recommend", status="OK")
    stages = ("recall", "merge", "filter", "rank", "rerank", "compose")
    stages_s = sum(stack.value("onair_stage_duration_seconds_sum", stage=stage) for stage in stages)
    assert call_s > stages_s > 0


async def test_a_failure_is_counted_by_the_status_that_its_caller_sees(tmp_path: Path) -> None:
    async with observed(tmp_path, change=reporting_to(Reports(LogError("the disk is full")))) as stack:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stack.client.report([event("start")])
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert stack.value(COUNT, method="ReportEvents", status="UNAVAILABLE") >= 1  # The client tries again.


async def test_an_error_that_nobody_expects_is_counted_as_unknown(tmp_path: Path) -> None:
    async with observed(tmp_path, change=reporting_to(Reports(KeyError("broken")))) as stack:
        with pytest.raises(grpc.aio.AioRpcError):
            await stack.client.report([event("start")])
    assert stack.value(COUNT, method="ReportEvents", status="UNKNOWN") == 1


async def test_a_caller_who_goes_away_is_counted_as_cancelled(tmp_path: Path) -> None:
    reports = Reports()
    async with observed(tmp_path, change=reporting_to(reports)) as stack:
        call = asyncio.create_task(stack.client.report([event("start")]))
        await asyncio.wait_for(reports.arrived.wait(), 30)
        call.cancel()
        await counted(stack, "ReportEvents", "CANCELLED")


async def test_a_call_whose_deadline_is_over_is_told_from_one_whose_caller_went_away(tmp_path: Path) -> None:
    async with (
        observed(tmp_path, change=reporting_to(Reports())) as stack,
        FeatureServiceClient(stack.target, 0.3) as hurried,
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await hurried.report([event("start")])
        await counted(stack, "ReportEvents", "DEADLINE_EXCEEDED")


async def test_a_call_that_another_interceptor_refuses_is_counted(tmp_path: Path) -> None:
    async with observed(tmp_path, guards=[Refuses()]) as stack:
        with pytest.raises(grpc.aio.AioRpcError):
            await stack.client.recommend("viewer")
    assert stack.value(COUNT, method="Recommend", status="UNAUTHENTICATED") == 1


async def test_health_checks_are_not_counted(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        await stub.Check(health_pb2.HealthCheckRequest())
    samples = [each for metric in stack.observer.metrics.registry.collect() for each in metric.samples]
    assert not [each for each in samples if each.name == COUNT]
