"""The log in a real Kafka: what every log does, whose the topic must be, and what is refused."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition

from feature_service.clock import wall_clock
from feature_service.log.codec import EVENTS as CODEC
from feature_service.log.kafka import KafkaLog
from feature_service.log.kafka_client import PROPERTIES_VARIABLE
from feature_service.log.kafka_topic import KafkaReader, KafkaTopic
from feature_service.log.opening import LOG_FOLDER, claim_log
from feature_service.log.protocol import EventLog, LogError
from feature_service.log.settings import LogSettings
from tests.clusters.kafka_broker import PASSWORD, USER, KafkaBroker
from tests.feature_service.event_streams import START_MS
from tests.feature_service.log.log_contract import EVENTS, LogContract, read, write
from tests.stack.running_stack import eventually


@pytest.fixture
def log(address: str) -> Iterator[KafkaLog]:
    log = KafkaLog.open(address)
    yield log
    log.close()


class TestKafkaLog(LogContract):
    @pytest.fixture(autouse=True)
    def topic(self, broker: KafkaBroker, address: str) -> None:
        self._broker, self._address = broker, address

    def opened(self) -> KafkaLog:
        return KafkaLog.open(self._address)

    def forget(self, log: EventLog) -> int:
        name = self._address.rpartition("/")[2]
        first = log.position // 2
        place = TopicPartition(name, 0, first)
        self._broker.admin.delete_records([place])[place].result()
        return first


async def test_an_event_that_went_elsewhere_shows_another_writer_and_ends_the_log(address: str, log: KafkaLog) -> None:
    await log.durable(log.append(EVENTS[:3]))
    other = KafkaLog.open(address)
    await other.durable(other.append(EVENTS[3:5]))
    said = "expected an event at offset 3, but it went to 5: somebody else writes this topic; start the service again"
    with pytest.raises(LogError, match=said):
        await log.durable(log.append(EVENTS[5:6]))
    with pytest.raises(LogError, match=said):
        log.append(EVENTS[6:7])
    await log.durable(3)  # What was acknowledged stays so.
    # The topic is the truth, so whoever begins again has it all.
    other.close()
    again = KafkaLog.open(address)
    assert await read(again, 0) == list(enumerate(EVENTS[:6]))
    await again.durable(again.append(EVENTS[6:7]))
    again.close()


async def test_the_times_of_events_are_those_of_their_receipt(address: str, log: KafkaLog) -> None:
    await write(log)
    assert log.since(START_MS + 7_001) == 8
    assert log.since(START_MS + 20_000) == len(EVENTS)


async def test_a_follower_gets_each_event_once(address: str, log: KafkaLog) -> None:
    reader = KafkaReader(KafkaTopic(address), 0)
    got = list(reader.poll())
    for each in EVENTS:
        await log.durable(log.append([each]))
        got += await asyncio.to_thread(lambda: list(reader.poll()))
    reader.close()
    assert got == list(enumerate(EVENTS))


async def test_an_event_that_the_broker_refuses_ends_the_log(broker: KafkaBroker) -> None:
    address = broker.topic(config={"message.timestamp.after.max.ms": "60000"})
    log = KafkaLog.open(address)
    await log.durable(log.append([EVENTS[0]]))
    with pytest.raises(LogError, match=r"start the service again, it goes on from what is in the log"):
        await log.durable(log.append([EVENTS[1]._replace(received_ms=wall_clock() + 3_600_000), EVENTS[2]]))
    with pytest.raises(LogError, match="start the service again"):
        log.append(EVENTS[3:4])
    log.close()
    assert list(KafkaTopic(address).read(0)) == [(0, EVENTS[0])]


async def test_a_store_that_is_ahead_of_the_topic_is_refused(address: str, log: KafkaLog) -> None:
    await write(log)
    KafkaLog.open(address, base=20).close()
    with pytest.raises(LogError, match="expected a log up to position 21, as the store has it, received one to 20"):
        KafkaLog.open(address, base=21)


def test_a_topic_that_cannot_be_a_log_is_refused(broker: KafkaBroker) -> None:
    with pytest.raises(LogError, match="expected a topic with one partition, received 3: one process writes it, sev"):
        KafkaLog.open(broker.topic(partitions=3))
    with pytest.raises(LogError, match=r"expected cleanup\.policy=delete, received compact: compaction takes events"):
        KafkaLog.open(broker.topic(config={"cleanup.policy": "compact"}))
    with pytest.raises(LogError, match=r"/nowhere: expected a topic with one partition, found no topic of that name"):
        KafkaLog.open(f"kafka://{broker.address}/nowhere")


async def test_what_transactions_leave_between_events_is_no_event(broker: KafkaBroker, address: str) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": "other", "log_level": 0})
    producer.init_transactions()
    topic = KafkaTopic(address)
    for end in (2, 4):  # The mark is the last thing in the topic, or an event follows.
        producer.begin_transaction()
        producer.produce(address.rpartition("/")[2], CODEC.to_bytes(EVENTS[0]))
        producer.commit_transaction()

        async def marked(end: int = end) -> bool:
            return topic.span()[1] == end

        await eventually(marked)
        with pytest.raises(LogError, match="expected the event at 1, found offset 2 behind it: only the service may"):
            list(topic.read(0))


async def test_a_guarded_broker_lets_in_who_has_the_password_and_nobody_tells_it(
    broker: KafkaBroker, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = broker.guarded(address)
    given = f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username={USER}\nsasl.password="
    monkeypatch.setenv(PROPERTIES_VARIABLE, str(tmp_path / "kafka.properties"))
    (tmp_path / "kafka.properties").write_text(given + PASSWORD)
    log = KafkaLog.open(guarded)
    await log.durable(log.append(EVENTS[:1]))
    assert await read(log, 0) == [(0, EVENTS[0])]
    log.close()

    (tmp_path / "kafka.properties").write_text(f"{given}oyster")
    with pytest.raises(
        LogError, match=f"{guarded}: expected a broker that answers, .*Authentication failed"
    ) as refusal:
        KafkaLog.open(guarded)
    assert "oyster" not in str(refusal.value)


def test_what_is_no_event_is_named_by_its_position(broker: KafkaBroker, address: str) -> None:
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce(address.rpartition("/")[2], b"\xff\xff")
    producer.flush(10)
    with pytest.raises(LogError, match=r"expected an onair\.v1\.Event at 0"):
        list(KafkaTopic(address).read(0))


def test_a_topic_that_was_made_again_is_another_log(broker: KafkaBroker, address: str, tmp_path: Path) -> None:
    claim_log(LogSettings(address), tmp_path)
    claim_log(LogSettings(address), tmp_path)
    name = address.rpartition("/")[2]
    first = KafkaTopic(address).describe().id
    broker.admin.delete_topics([name])[name].result()
    broker.topic(name)
    said = f"expected a new folder or the one of the topic .*, received one of the topic {re.escape(first)}"
    with pytest.raises(LogError, match=said):
        claim_log(LogSettings(address), tmp_path)


def test_a_folder_with_a_log_of_its_own_takes_no_topic_and_the_other_way_round(address: str, tmp_path: Path) -> None:
    (tmp_path / "local" / LOG_FOLDER).mkdir(parents=True)
    with pytest.raises(LogError, match=r"expected a new folder or the one of the topic .*, received one with a log"):
        claim_log(LogSettings(address), tmp_path / "local")
    (tmp_path / "kafka").mkdir()
    claim_log(LogSettings(address), tmp_path / "kafka")
    with pytest.raises(
        LogError, match=r"expected log\.address of the topic .*, whose view the store is, received none"
    ):
        claim_log(LogSettings(""), tmp_path / "kafka")
