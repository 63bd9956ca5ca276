"""The job, for `flink run --pyModule training.streaming.flink.job`: logs in, parts of hours out.

Events come from a Kafka topic, or as files of lines (`training.streaming.flink.landing`); slates as files. Time is what
the logs say: when events were received and slates served. A run over what is there (`--batch`) and one that goes on for
ever are the same job. Parts are put down exactly once, and `python -m training commit` makes them samples.
"""

# PyFlink lives in an environment of its own.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyflink.common import Configuration, Duration, Encoder, Row, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import (
    BucketAssigner,
    FileSink,
    FileSource,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
)
from pyflink.table import StreamTableEnvironment

from feature_service.features.catalog import build_catalog
from feature_service.log.kafka_properties import read_properties
from feature_service.settings import load
from training.data.errors import DataError
from training.data.locations import locate
from training.data.platform import settings_toml
from training.streaming.flink.elements import EventRouter, SlateRouter
from training.streaming.flink.landing import EVENTS_FOLDER, SLATES_FOLDER, landed, record_of
from training.streaming.flink.operators import ELEMENT, RECORD, RECORDS, Hours, InOrder
from training.streaming.flink.plan import PARTS, SUFFIX, Plan
from training.streaming.schedule import CORRECT_HOURS, Schedule

_BATCH = Configuration()
"""A run over what is there. Flink's batch state holds one key at a time, which PyFlink, as it writes late, leaves."""
_BATCH.set_string("execution.runtime-mode", "BATCH")
_BATCH.set_string("execution.sorted-inputs.enabled", "false")
_BATCH.set_string("execution.batch-state-backend.enabled", "false")

_LANDING_S = 1
_IDLE_S = 30
"""Hours go on by the events' time alone once no slate has come for so long; one that comes later counts in the next
revision. Events are never idle: until they go on, no hour is over."""


def main() -> None:
    """Submits the job."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", required=True, help="kafka://host:port/topic, or URI of a folder where they land")
    parser.add_argument(
        "--kafka-properties", type=_properties, default={}, help="file of name=value lines, of Kafka's Java clients"
    )
    parser.add_argument("--slates", required=True, help="URI of a folder where they land")
    parser.add_argument("--layout", type=Path, required=True, help="the columns: a file of <data>/served/layouts")
    parser.add_argument("--settings", type=Path, help="the service's settings file")
    parser.add_argument("--out", required=True, help="URI of the job's output")
    parser.add_argument("--shards", type=int, default=64, help="over so many viewers and streamers are spread")
    parser.add_argument(
        "--correct-hours",
        type=_correct_hours,
        default=CORRECT_HOURS,
        help=f"how long late events correct an hour, {CORRECT_HOURS} (the default) or more",
    )
    parser.add_argument("--batch", action="store_true", help="take what is there, and end")
    arguments = parser.parse_args()
    environment = StreamExecutionEnvironment.get_execution_environment(_BATCH if arguments.batch else Configuration())
    parallelism = environment.get_parallelism()
    environment.set_parallelism(1)  # One numbers and orders a log; what runs beside each other are the shards.
    plan = plan_of(arguments)
    plan.write(arguments.out)
    events = _events(environment, arguments.events, arguments.kafka_properties, batch=arguments.batch)
    slates = _landing(environment, arguments.slates, SLATES_FOLDER, batch=arguments.batch)
    routers = EventRouter(plan.shards), SlateRouter(plan.shards)
    elements = _timed(events.flat_map(routers[0].route, ELEMENT)).union(
        _timed(slates.flat_map(routers[1].route, ELEMENT), idle_s=_IDLE_S)
    )
    hours = Hours(plan, final=arguments.batch)
    parts = elements.key_by(lambda element: element[0], Types.INT()).process(hours, Types.STRING())
    parts.uid("hours").set_parallelism(parallelism)
    for name, lines in ((PARTS, parts), (RECORDS.tag_id, parts.get_side_output(RECORDS))):
        lines.sink_to(_sink(f"{arguments.out}/{name}")).uid(name).set_parallelism(parallelism)
    environment.execute(f"onair hours of {arguments.events}")


def plan_of(arguments: argparse.Namespace) -> Plan:
    """What the job makes."""
    settings = load(arguments.settings)
    catalog = build_catalog(settings.service.content_width, settings.attributes)
    layout = json.loads(arguments.layout.read_text("utf-8"))
    return Plan(arguments.events, settings_toml(catalog), layout, arguments.shards, arguments.correct_hours)


class _ByClock(TimestampAssigner):
    """An element's time is the stream's."""

    def extract_timestamp(self, value: tuple[Any, ...], record_timestamp: int) -> int:  # noqa: ARG002
        """Unix milliseconds."""
        return value[1]


def _timed(elements: DataStream, *, idle_s: int = 0) -> DataStream:
    """Elements whose watermark goes on with their own time; one with `idle_s` waits so long for what does not come."""
    strategy = WatermarkStrategy.for_monotonous_timestamps()
    if idle_s:
        strategy = strategy.with_idleness(Duration.of_seconds(idle_s))
    return elements.assign_timestamps_and_watermarks(strategy.with_timestamp_assigner(_ByClock()))  # The last to say.


def _correct_hours(text: str) -> int:
    try:
        return Schedule(int(text)).correct_hours
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _properties(path: str) -> dict[str, str]:
    try:
        return read_properties(path, "--kafka-properties")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _events(
    environment: StreamExecutionEnvironment, uri: str, properties: Mapping[str, str], *, batch: bool
) -> DataStream:
    """The records of the event log."""
    if uri.startswith("kafka://"):
        return _kafka(environment, uri, properties, batch=batch)
    return _landing(environment, uri, EVENTS_FOLDER, batch=batch)


def _kafka(
    environment: StreamExecutionEnvironment, uri: str, properties: Mapping[str, str], *, batch: bool
) -> DataStream:
    """The records of a topic, whose offsets are the positions; `properties` are the client's."""
    address = urlsplit(uri)
    options = {f"properties.{name}": value for name, value in properties.items()} | {
        "connector": "kafka",
        "topic": address.path.strip("/"),
        "format": "raw",
        "properties.bootstrap.servers": address.netloc,
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset" if batch else "unbounded",
    }
    told = ", ".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in options.items())
    tables = StreamTableEnvironment.create(environment)
    tables.execute_sql(
        f"CREATE TABLE log (payload BYTES, `position` BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL) WITH ({told})"
    )
    rows = tables.to_data_stream(tables.sql_query("SELECT `position`, payload FROM log"))
    return rows.map(_record, RECORD)


def _quoted(text: str) -> str:
    """As a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _record(row: Row) -> tuple[int, bytes]:
    return row[0], bytes(row[1])


def _landing(environment: StreamExecutionEnvironment, uri: str, name: str, *, batch: bool) -> DataStream:
    """The records of a log that lands as files of lines; while it goes on landing, in the order of their positions."""
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), _flink_uri(uri))
    if not batch:
        source.monitor_continuously(Duration.of_seconds(_LANDING_S))
    lines = environment.from_source(source.build(), WatermarkStrategy.no_watermarks(), uri).uid(f"landing {name}")
    records = lines.map(record_of, RECORD)
    if batch:
        return records
    first = min((first for first, _ in landed(*locate(uri))), default=0)
    return records.key_by(lambda _: 0, Types.INT()).process(InOrder(first), RECORD).uid(f"{name} in order")


def _sink(uri: str) -> FileSink:
    """Files of lines that appear whole with a checkpoint, or at the end."""
    return (
        FileSink.for_row_format(_flink_uri(uri), Encoder.simple_string_encoder())
        .with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .with_output_file_config(OutputFileConfig.builder().with_part_suffix(SUFFIX).build())
        .build()
    )


def _flink_uri(uri: str) -> str:
    return uri if "://" in uri else Path(uri).absolute().as_uri()


if __name__ == "__main__":
    main()
