"""Kafka's client: what is said without it, and how a platform's own properties come in."""

import sys
from pathlib import Path

import pytest

from feature_service.log.kafka_client import PROPERTIES_VARIABLE, KafkaClients
from feature_service.log.opening import open_log
from feature_service.log.protocol import LogError
from feature_service.log.settings import LogSettings
from feature_service.settings import SettingsError

ADDRESS = "kafka://127.0.0.1:1/events"


@pytest.fixture
def properties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names."""
    path = tmp_path / "kafka.properties"
    monkeypatch.setenv(PROPERTIES_VARIABLE, str(path))
    return path


def test_who_wants_kafka_without_the_library_hears_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka.admin", None)
    said = r"log\.address: expected the package confluent-kafka \(pip install 'onair\[kafka\]'\), found none"
    with pytest.raises(SettingsError, match=said):
        open_log(LogSettings(ADDRESS), tmp_path, 0)


def test_properties_come_from_a_file_and_those_that_a_log_needs_stay(properties: Path) -> None:
    properties.write_text("# TLS\nsecurity.protocol = ssl\n\nbootstrap.servers=elsewhere:9092\nlog_level=7\n")
    clients = KafkaClients(ADDRESS)
    assert clients.options["security.protocol"] == "ssl"
    assert clients.options["bootstrap.servers"] == "127.0.0.1:1"
    assert clients.options["log_level"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sasl.password=oyster\nno.such=1\n", 'No such configuration property: "no.such"'),
        ("sasl.password=oyster\nsecurity.protocol=none\n", 'Invalid value "none" for configuration property'),
    ],
)
def test_a_property_that_is_none_is_named_without_the_password(properties: Path, text: str, said: str) -> None:
    properties.write_text(text)
    with pytest.raises(LogError) as refusal:
        KafkaClients(ADDRESS).admin()
    assert str(refusal.value).startswith(f"{ADDRESS}: expected a topic that can be read and written: {said}")
    assert "oyster" not in str(refusal.value)


def test_a_file_of_properties_that_cannot_be_read_is_named(properties: Path) -> None:
    with pytest.raises(ValueError, match=rf"{PROPERTIES_VARIABLE}: expected a readable file: .*{properties}"):
        KafkaClients(ADDRESS)
    properties.write_text("sasl.password oyster\n")
    with pytest.raises(ValueError, match=f"expected a name=value in each line of {properties}") as refusal:
        KafkaClients(ADDRESS)
    assert "oyster" not in str(refusal.value)
