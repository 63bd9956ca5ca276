"""Opening: the event log that the settings choose, the data folder's own or a Kafka topic."""

from pathlib import Path

from feature_service.log.kafka import KafkaLog
from feature_service.log.kafka_topic import KafkaTopic
from feature_service.log.local import LocalLog
from feature_service.log.protocol import LogError
from feature_service.log.settings import LogSettings
from feature_service.tables import SettingsError

LOG_FOLDER = "log"

LOG_ID_FILE = "store.id"
"""Names the log whose view the folder's store is: one that lies elsewhere is not taken for another by mistake."""


def open_log(settings: LogSettings, data: Path, base: int) -> LocalLog | KafkaLog:
    """Opens the event log of a data folder for writing.

    Args:
        settings: Which log.
        data: The folder.
        base: The position of the store that is the log's view.

    Raises:
        SettingsError: The address is none, or its client library is not installed.
        LogError: The log cannot be opened, or is shorter than its store.
    """
    if not settings.address:
        return LocalLog.open(data / LOG_FOLDER, base=base)
    try:
        return KafkaLog.open(settings.address, base)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"log.address: {error}") from None


def claim_log(settings: LogSettings, data: Path) -> None:
    """Makes sure that a folder's store is the view of the settings' log; a new folder notes the topic.

    Args:
        settings: Which log.
        data: The folder; must exist.

    Raises:
        SettingsError: As `open_log`.
        LogError: The store is the view of another log, or a topic cannot be reached.
    """
    path = data / LOG_ID_FILE
    held = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    if not settings.address:
        if "/" in held:
            raise LogError(f"{data}: expected log.address of the topic {held}, whose view the store is, received none")
        return
    found = _topic_id(settings.address)
    if held == found:
        return
    if held or (data / LOG_FOLDER).exists():
        of = f"of the topic {held}" if "/" in held else "with a log of its own"
        raise LogError(f"{data}: expected a new folder or the one of the topic {found}, received one {of}")
    path.write_text(f"{found}\n", encoding="utf-8")


def _topic_id(address: str) -> str:
    try:
        return KafkaTopic(address).describe().id
    except (ImportError, ValueError) as error:
        raise SettingsError(f"log.address: {error}") from None
