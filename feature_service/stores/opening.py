"""Opening: the store that the settings choose, a file of the data folder or a Redis."""

import uuid
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.log.opening import LOG_ID_FILE
from feature_service.settings import SettingsError
from feature_service.stores.protocol import Store, StoreError
from feature_service.stores.redis import RedisStore
from feature_service.stores.settings import StoreSettings
from feature_service.stores.sqlite import SqliteStore

STORE_FILE = "store.sqlite"


def open_store(settings: StoreSettings, data: Path, dtypes: Mapping[Entity, RecordDtype]) -> Store:
    """Opens the store of a data folder.

    Args:
        settings: Which store.
        data: The folder; must exist.
        dtypes: The present dtypes of the records.

    Raises:
        SettingsError: The address is none, or its client library is not installed.
        StoreError: The store cannot be opened, or is another folder's.
    """
    return _open_redis(settings, data, dtypes) if settings.address else SqliteStore.open(data / STORE_FILE, dtypes)


@contextmanager
def renewed_store(settings: StoreSettings, data: Path, dtypes: Mapping[Entity, RecordDtype]) -> Generator[Store]:
    """An empty store to be filled from the log's begin; afterwards it is the folder's store.

    A file takes the old one's place when it is complete. A Redis is emptied at once; if the work breaks off, the next
    start goes on with it.

    Raises:
        SettingsError: As `open_store`.
        StoreError: Likewise.
    """
    if settings.address:
        with closing(_open_redis(settings, data, dtypes)) as store:
            store.clear()
            yield store
        return
    fresh = data / f"{STORE_FILE}.new"
    _remove(fresh)
    with closing(SqliteStore.open(fresh, dtypes)) as store:
        yield store
    _remove(data / STORE_FILE)
    fresh.rename(data / STORE_FILE)


def _open_redis(settings: StoreSettings, data: Path, dtypes: Mapping[Entity, RecordDtype]) -> RedisStore:
    try:
        return RedisStore.open(
            settings.address, dtypes, prefix=settings.prefix, log_id=_log_id(data), user_days=settings.user_days
        )
    except (ImportError, ValueError) as error:
        raise SettingsError(f"store.address: {error}") from None


def _log_id(data: Path) -> str:
    """The id of the folder's log, a new one at first: so two folders do not share a Redis by mistake."""
    path = data / LOG_ID_FILE
    try:
        if not path.exists():
            path.write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: expected the id of the folder's log: {error}") from None


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
