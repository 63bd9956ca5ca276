"""What a service keeps elsewhere than in files: its store in a Redis, and its topic in Kafka."""

from typing import Any

from feature_service.log.kafka_topic import KafkaTopic
from feature_service.settings import Settings
from feature_service.stores.redis_layout import Keys, from_bytes
from feature_service.stores.redis_server import RedisServer
from training.data.service_log import read_events
from training.scan.contents import KEPT, in_packed
from training.scan.marks import Marks
from training.scan.places import Found, Scan

_CHUNK = 500


def scan_services(marks: Marks, settings: Settings, scan: Scan) -> None:
    """Looks into what the settings name: a Redis, a topic, both or neither.

    Raises:
        StoreError: The Redis cannot be reached.
        DataError: The topic cannot.
        ImportError, ValueError: A client is not installed, or an address is none.
    """
    if settings.store.address:
        _redis(marks, RedisServer(settings.store.address), Keys(settings.store.prefix), scan)
    if settings.log.address:
        topic = KafkaTopic(settings.log.address)
        for position, event in read_events(topic):
            scan.note(f"{topic} {position}", marks.in_text(repr(event)))


def _redis(marks: Marks, server: RedisServer, keys: Keys, scan: Scan) -> None:
    """All keys with the store's prefix; a key may name a user, and its value hold one."""
    readers = {b"string": _string, b"hash": _hash, b"stream": _stream}
    with server.working() as client:
        for name in client.scan_iter(match=keys.prefix + b":*", count=_CHUNK):
            place, kind = f"{server} {name!r}", client.type(name)
            if name == keys.erased:
                held = {from_bytes(field) for field, _ in client.hscan_iter(name, count=_CHUNK)}
                scan.note(place, {KEPT} if marks.key in held else set())
            elif kind in readers:
                scan.note(place, marks.in_bytes(name) | readers[kind](marks, client, name))
            elif kind != b"none":  # It has gone meanwhile.
                scan.closed.append(Found(place, f"a {kind.decode()}"))
    server.close()


def _string(marks: Marks, client: Any, name: bytes) -> set[str]:
    return in_packed(marks, client.get(name) or b"")


def _hash(marks: Marks, client: Any, name: bytes) -> set[str]:
    pairs = client.hscan_iter(name, count=_CHUNK)
    return set[str]().union(*(marks.in_bytes(field) | in_packed(marks, value) for field, value in pairs))


def _stream(marks: Marks, client: Any, name: bytes) -> set[str]:
    return set[str]().union(*(marks.in_bytes(value) for _, held in client.xrange(name) for value in held.values()))
