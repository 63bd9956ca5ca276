"""Traces: spans of a call, its stages and its Predicts, as a real collector and a real model server receive them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest

from feature_service.features.catalog import build_catalog
from feature_service.features.events import EventKind
from feature_service.observe import tracing
from feature_service.observe.observer import observer_of
from feature_service.observe.settings import TracingSettings
from feature_service.settings import SettingsError, parse
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from serving.client import unwatched
from serving.launch import free_port
from tests.feature_service.observe.collector import Collector, attributes, collecting
from tests.feature_service.observe.observed_service import Observed, event, observed
from tests.feature_service.scripted_model_server import ScriptedServer, ranker, serving, two_tower

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
STAGES = ("recall", "merge", "filter", "rank", "rerank", "compose")


@dataclass(frozen=True, slots=True)
class Stack:
    """A service that is traced, its model server, and who collects."""

    service: Observed
    models: ScriptedServer
    collector: Collector

    async def recommend(self, traceparent: str = "") -> None:
        """Asks for a slate within a caller's trace, and waits until its spans are collected."""
        headers = (("traceparent", traceparent),) if traceparent else ()
        async with grpc.aio.insecure_channel(self.service.target) as channel:
            request = pb.RecommendRequest(user_id="viewer", k=5, request_id="asked")
            await pb_grpc.RecommendationServiceStub(channel).Recommend(request, metadata=headers, timeout=30)
        await asyncio.to_thread(self.service.observer.close)


@asynccontextmanager
async def traced(folder: Path, share: float) -> AsyncGenerator[Stack]:
    catalog = build_catalog(2)
    async with (
        collecting() as collector,
        serving({"mmoe": ranker(catalog), "two_tower": two_tower(catalog)}) as models,
        observed(folder, [models.target], more=settings(collector.endpoint, share)) as service,
    ):
        await service.client.report([event("start")])
        models.headers.clear()
        collector.spans.clear()
        yield Stack(service, models, collector)


def settings(endpoint: str, share: float) -> str:
    return f"""
    [tracing]
    endpoint = "{endpoint}"
    share = {share}
    [scene]
    ranker = "mmoe"
    [scene.channels]
    hot = 10
    two_tower = 10
    """


async def test_a_call_has_a_span_with_its_stages_and_predicts_below_it(tmp_path: Path) -> None:
    async with traced(tmp_path, share=1.0) as stack:
        await stack.recommend()
    spans, call = stack.collector, stack.collector.named("Recommend")
    assert spans.services == {"onair-feature-service"}
    assert not call.parent_span_id
    for name in (*STAGES, "Predict mmoe", "Predict two_tower"):
        assert spans.named(name).parent_span_id == call.span_id
    for name in ("recall.hot", "recall.two_tower"):
        assert spans.named(name).parent_span_id == spans.named("recall").span_id
    assert {span.trace_id for span in spans.spans if span.name != "ReportEvents"} == {call.trace_id}


async def test_stages_lie_within_their_call_one_behind_the_other(tmp_path: Path) -> None:
    async with traced(tmp_path, share=1.0) as stack:
        await stack.recommend()
    spans = [stack.collector.named(name) for name in ("Recommend", *STAGES)]
    starts = [span.start_time_unix_nano for span in spans]
    assert starts == sorted(starts)
    assert max(span.end_time_unix_nano for span in spans) == spans[0].end_time_unix_nano


async def test_a_callers_trace_goes_on_through_to_the_model_server(tmp_path: Path) -> None:
    async with traced(tmp_path, share=0.0) as stack:
        await stack.recommend(SAMPLED)
    call = stack.collector.named("Recommend")
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, CALLER)
    received = {headers["traceparent"] for headers in stack.models.headers}
    sent = {stack.collector.named(f"Predict {name}").span_id.hex() for name in ("mmoe", "two_tower")}
    assert received == {f"00-{TRACE}-{span_id}-01" for span_id in sent}


async def test_a_caller_who_wants_no_trace_gets_none_but_its_id_goes_on(tmp_path: Path) -> None:
    async with traced(tmp_path, share=1.0) as stack:
        await stack.recommend(UNSAMPLED)
    assert not [span for span in stack.collector.spans if span.trace_id.hex() == TRACE]
    assert {headers["traceparent"][:35] for headers in stack.models.headers} == {f"00-{TRACE}"}
    assert {headers["traceparent"][-2:] for headers in stack.models.headers} == {"00"}


@pytest.mark.parametrize("traceparent", ["nonsense", "00-0-0-01", f"00-{TRACE}-{CALLER}"])
async def test_a_header_that_is_none_begins_a_new_trace(tmp_path: Path, traceparent: str) -> None:
    async with traced(tmp_path, share=1.0) as stack:
        await stack.recommend(traceparent)
    assert not stack.collector.named("Recommend").parent_span_id


async def test_spans_tell_of_the_answer_and_of_nobody(tmp_path: Path) -> None:
    async with traced(tmp_path, share=1.0) as stack:
        del stack.models.models["mmoe"]
        await stack.recommend()
    call = stack.collector.named("Recommend")
    told = attributes(call)
    assert told["onair.request_id"] == "asked"
    assert (told["onair.scene"], told["onair.rung"], told["onair.rooms"]) == ("home", "recall_order", 1)
    assert told["rpc.response.status_code"] == "OK"
    assert [each.name for each in call.events] == ["degraded"]
    assert stack.collector.named("Predict mmoe").status.code == 2  # ERROR
    written = "".join(span.SerializeToString().decode("latin-1") for span in stack.collector.spans)
    assert "viewer" not in written
    assert "anna" not in written


async def test_without_an_endpoint_nothing_is_watched_and_no_header_goes_along(tmp_path: Path) -> None:
    catalog = build_catalog(2)
    async with (
        serving({"mmoe": ranker(catalog), "two_tower": two_tower(catalog)}) as models,
        observed(tmp_path, [models.target], more=settings("", 1.0)) as service,
    ):
        await service.client.report([event("start")])
        await service.client.recommend("viewer")
    assert service.observer.watch is unwatched
    assert not [headers for headers in models.headers if "traceparent" in headers]


async def test_a_collector_that_is_away_costs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "EXPORT_S", 0.2)
    async with observed(tmp_path, more=settings(f"http://127.0.0.1:{free_port()}", 1.0)) as service:
        await service.client.report([event("start"), event("visit", EventKind.ENTER, user_id="somebody")])
        assert len((await service.client.recommend("viewer")).rooms) == 1


def test_a_missing_library_is_said_by_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_MODULES", ("sdk.that.is.missing",))
    with pytest.raises(SettingsError, match=r"tracing.endpoint: expected the OpenTelemetry packages"):
        observer_of(TracingSettings("http://127.0.0.1:4317", 1.0), "", forwards=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('endpoint = "127.0.0.1:4317"', "tracing.endpoint: expected http://host:port"),
        ('endpoint = "http://collector"', "tracing.endpoint: expected http://host:port"),
        ("share = 1.5", "tracing.share: expected 0 to 1, received 1.5"),
        ("sample = 1", "tracing.sample: unknown key"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_their_key(line: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse(f"[tracing]\n{line}", "the test")
