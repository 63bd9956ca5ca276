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


def _overload(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Overload: requests at a rate of their own, deadline {numbers['deadline_ms']:.0f} ms; capacity "
        f"{numbers['capacity']:.0f} answers a second at full quality"
    )
    yield "× capacity   per s   goodput   refused    late  failed   p99 ms   rungs"
    for level in numbers["levels"]:
        rungs = ", ".join(f"{name.lower()} {share:.0%}" for name, share in level["rungs"].items())
        yield (
            f"{level['multiple']:10.2f}{level['rate']:8.0f}{level['goodput']:10.0f}{level['refused']:10.1%}"
            f"{level['late']:8.1%}{level['failed']:8.1%}{level['p99_ms']:9.0f}   {rungs}"
        )
    yield f"goodput at the last level by the highest: {numbers['goodput_ratio']:.2f}"


def _served(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Served log: Recommend without it and with it, {numbers['rooms']:,} live rooms, slates of {numbers['slate']}; "
        f"{numbers['logged']:,} of {numbers['answers']:,} answers logged, {numbers['bytes_a_slate']:,.0f} bytes each"
    )
    yield from _beside(numbers)


def _observed(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Metrics: Recommend without and with them, {numbers['rooms']:,} live rooms, slates of {numbers['slate']}; "
        f"{numbers['samples']:,} samples a scrape; CPU of the service with them {numbers['cpu_ratio']:.3f} times"
    )
    yield from _beside(numbers)


def _beside(numbers: Numbers) -> Iterator[str]:
    yield "clients   without p50    p99   with p50    p99   added p50    p99, ms"
    for level in numbers["levels"]:
        without, with_it = level["without"], level["with"]
        yield (
            f"{without['clients']:7}{without['p50_ms']:14.2f}{without['p99_ms']:7.2f}{with_it['p50_ms']:11.2f}"
            f"{with_it['p99_ms']:7.2f}{level['added_p50_ms']:12.2f}{level['added_p99_ms']:7.2f}"
        )
    yield "CPU of the service a request, ms: {:.2f} without, {:.2f} with".format(*numbers["cpu_ms"])


def _index(numbers: Numbers) -> Iterator[str]:
    yield f"Live index: top {numbers['k']} of vectors of width {numbers['width']}, one core; µs"
    yield (
        f"{'rooms':>10}{'exact':>9}{'memory pass':>13}{'ratio':>7}{'swept':>9}{'memory pass':>13}{'beside writes':>15}"
        f"{'insert':>8}{'remove':>8}"
    )
    for each in numbers["exact"]:
        yield (
            f"{each['rooms']:10,}{each['search_us']:9.0f}{each['memory_pass_us']:13.0f}{each['ratio']:7.2f}"
            f"{each['swept_search_us']:9.0f}{each['swept_memory_pass_us']:13.0f}"
            f"{each['search_beside_writes_us']:15.0f}{each['insert_us']:8.1f}{each['remove_us']:8.1f}"
        )
    yield f"approximate, {numbers['probe']:.0%} of the cells visited; recall against exact, then with a tenth replaced"
    yield (
        f"{'rooms':>10}{'world':>11}{'recall':>8}{'replaced':>10}{'search':>8}{'exact':>8}{'insert':>8}{'remove':>8}"
        f"{'build s':>9}{'exact beside it, without, by the wall':>39}"
    )
    for each in numbers["approximate"]:
        yield (
            f"{each['rooms']:10,}{each['world']:>11}{each['recall']:8.3f}{each['recall_after_changes']:10.3f}"
            f"{each['search_us']:8.0f}{each['exact_search_us']:8.0f}{each['insert_us']:8.1f}{each['remove_us']:8.1f}"
            f"{each['build_s']:9.1f}{each['search_beside_build_us']:25.0f}{each['search_without_build_us']:14.0f}"
        )


def _channels(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Channels: {numbers['rooms']:,} live rooms, Recommend with all of them p50 {numbers['p50_ms']:.2f} ms; "
        "each less, in turns"
    )
    yield f"{'channel':>10}{'adds ms':>9}{'works ms':>10}{'finds':>7}{'alone among the candidates':>28}"
    for each in numbers["channels"]:
        yield (
            f"{each['channel']:>10}{each['adds_ms']:9.2f}{each['span_ms']:10.2f}{each['found']:7.0f}"
            f"{each['candidates']:28.0f}"
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


def _stores(numbers: Numbers) -> Iterator[str]:
    yield f"Stores: bytes each; one user read, all rooms read, a checkpoint of {numbers[0]['changed']:,} users"
    yield (
        f"{'store':>8}{'user B':>9}{'room B':>9}{'streamer B':>12}{'user µs':>9}{'p99 µs':>8}{'rooms ms':>10}"
        f"{'checkpoint ms':>15}"
    )
    for each in numbers:
        yield (
            f"{each['store']:>8}{each['user_bytes']:9.0f}{each['room_bytes']:9.0f}{each['streamer_bytes']:12.0f}"
            f"{each['user_us']:9.0f}{each['user_p99_us']:8.0f}{each['rooms_ms']:10.0f}{each['checkpoint_ms']:15.0f}"
        )


def _logs(numbers: Numbers) -> Iterator[str]:
    yield "Logs: events acknowledged, in batches of 50; the topic has one copy"
    yield f"{'log':>8}{'clients':>9}{'events/s':>10}{'p50 ms':>8}{'p99 ms':>8}"
    for each in numbers:
        yield (
            f"{each['log']:>8}{each['clients']:9}{each['events_per_s']:10,.0f}{each['p50_ms']:8.1f}"
            f"{each['p99_ms']:8.1f}"
        )


def _visible(numbers: Numbers) -> Iterator[str]:
    yield (
        f"Visible: from a viewer's report until the answers show it, at {numbers['rate']:,} events/s; "
        f"{numbers['rooms']:,} live rooms, {numbers['viewers']:,} viewers"
    )
    yield (
        f"{'store':>8}{'answering':>11}{'events/s':>10}{'changes':>9}{'p50 ms':>8}{'p99 ms':>8}{'most ms':>9}"
        f"{'writer, cores':>15}{'replicas':>10}"
    )
    for each in numbers["stores"]:
        yield (
            f"{each['store']:>8}{each['answering']:11}{each['events_per_s']:10,.0f}{each['changes']:9,}"
            f"{each['p50_ms']:8.0f}{each['p99_ms']:8.0f}{each['most_ms']:9.0f}{each['writer_cores']:15.2f}"
            f"{each['replicas_cores']:10.2f}"
        )


_TABLES: Mapping[str, Callable[[Numbers], Iterator[str]]] = MappingProxyType(
    {
        "recommend": _recommend,
        "overload": _overload,
        "served": _served,
        "observed": _observed,
        "channels": _channels,
        "index": _index,
        "replay": _replay,
        "start": _start,
        "stores": _stores,
        "logs": _logs,
        "visible": _visible,
    }
)
