"""The settings of the event log: where it is."""

import re
from dataclasses import dataclass

_KAFKA = re.compile(r"kafka://(?P<servers>[^/@?#\s]+:\d+)/(?P<topic>[\w.-]{1,249})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the events go.

    Attributes:
        address: `kafka://host:port/topic`, of several brokers `host:port,host:port`; empty = the data folder.
    """

    address: str


def log_problem(log: LogSettings) -> str | None:
    """What is wrong with the settings, None when nothing is; an address may hold a password, so it is not shown."""
    if not log.address or _KAFKA.fullmatch(log.address):
        return None
    scheme, separator, _ = log.address.partition("://")
    received = f"{scheme[:20]!r}://…" if separator else "an address without ://"
    return f"address: expected kafka://host:port/topic or nothing, received {received}"


def kafka_parts(address: str) -> tuple[str, str]:
    """The brokers and the topic of an address.

    Raises:
        ValueError: It is none.
    """
    found = _KAFKA.fullmatch(address)
    if found is None:
        raise ValueError(log_problem(LogSettings(address)) or "address: expected kafka://host:port/topic")
    return found["servers"], found["topic"]
