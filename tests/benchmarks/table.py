"""The numbers of the benchmarks as lines of text for people."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

Numbers = Any
"""A part's numbers, as it gave them."""


def lines(numbers: Mapping[str, Numbers]) -> Iterator[str]:
    """The machine, then a table a part."""
    yield ", ".join(f"{name} {value}" for name, value in numbers["machine"].items())
    for name, table in _TABLES.items():
        if name in numbers:
            yield ""
            yield from table(numbers[name])


def _recommend(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Recommend: {numbers['rooms']:,} live rooms, {numbers['ranked']} ranked, slates of {numbers['slate']}; "
        "the baseline is the same two Predicts with ready bytes"
    )
    header = "clients   p50 ms   p99 ms   per s", " bare p50 bare p99   per s", "p50 ratio"
    yield "   ".join(header)
    for level in numbers["levels"]:
        ours, bare = level["recommend"], level["bare"]
        yield (
            f"{ours['clients']:8}{ours['p50_ms']:9.2f}{ours['p99_ms']:9.2f}{ours['rate']:8.0f}   "
            f"{bare['p50_ms']:9.2f}{bare['p99_ms']:9.2f}{bare['rate']:8.0f}   {level['p50_ratio']:9.2f}"
        )
    own = numbers["own"]
    yield (
        f"own time at one client {own['own_ms']:.2f} ms, own_time_ratio {own['own_time_ratio']:.2f} "
        f"(ranker's Predict {own['ranker_predict_ms']:.2f} ms, user tower's {own['user_tower_predict_ms']:.2f} ms)"
    )
    stages = ", ".join(f"{stage} {taken:.2f}" for stage, taken in own["stages_ms"].items())
    yield f"of it, ms: {stages}, transport {own['transport_ms']:.2f}; CPU of the service {own['service_cpu_ms']:.2f}"
    yield (
        f"a viewer's first request, from the store: p50 {numbers['first_request_p50_ms']:.2f} ms; "
        f"start with models, every room embedded: {numbers['start_with_models_s']:.1f} s"
    )


def _replay(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Replay: {numbers['rows_per_s']:,.0f} candidate rows/s on one core, in slates of {numbers['slate_size']:.1f}, "
        f"{numbers['features']} features ({numbers['rows']:,} rows, {numbers['events']:,} events applied)"
    )


def _start(numbers: Numbers) -> Iterator[str]:
    yield "Start-up, without model servers"
    yield f"{'live rooms':>12}{'known users':>13}{'start s':>9}{'resident MB':>13}{'store MB':>10}"
    for each in numbers:
        yield (
            f"{each['rooms']:12,}{each['known_users']:13,}{each['start_s']:9.2f}"
            f"{each['resident_mb']:13.0f}{each['store_mb']:10.0f}"
        )


_TABLES: Mapping[str, Callable[[Numbers], Iterator[str]]] = MappingProxyType(
    {"recommend": _recommend, "replay": _replay, "start": _start}
)
