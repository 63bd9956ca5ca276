"""Bearer tokens: the file that names their hashes and scopes, and who a token is."""

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from feature_service.access.scopes import Scope
from feature_service.access.settings import rate_fits
from feature_service.tables import SettingsError, only_keys, table_of, value_of

PREFIX = "onair_"
"""Of every token: scanners of repositories can find one that strayed."""

RANDOM_BYTES = 32
"""So many cannot be guessed, so a plain hash of them can neither."""

NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
"""Whose a token is."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token is.

    Attributes:
        name: As it stands in the audit file.
        digest: SHA-256 of the token.
        scopes: What it may be used for.
        rate: Calls a second, 0 = as many as it likes; None = the settings' rate.
    """

    name: str
    digest: bytes
    scopes: frozenset[Scope]
    rate: float | None = None


def new_token() -> str:
    """A token that nobody has seen."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def digest_of(token: str) -> bytes:
    """What the file keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def find(callers: Mapping[str, Caller], token: str) -> Caller | None:
    """Whose token it is; all are compared, in constant time, whoever it is."""
    digest = digest_of(token)
    found = [caller for caller in callers.values() if hmac.compare_digest(caller.digest, digest)]
    return found[0] if found else None


def read_callers(path: Path) -> dict[str, Caller]:
    """Reads the tokens' file: tables `[[token]]` of name, sha256, scopes and, at will, rate.

    Raises:
        OSError: It cannot be read.
        SettingsError: It is no TOML, or names the token and key that cannot be used; never what a hash's place holds,
            for that may be a token.
    """
    try:
        found: object = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: expected TOML: {error}") from None
    table = table_of(found, str(path))
    only_keys(table, {"token"}, str(path))
    entries = table.get("token", [])
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in cast(list[object], entries)):
        raise SettingsError(f"{path}: token: expected tables [[token]]")
    callers: dict[str, Caller] = {}
    for place, entry in enumerate(cast(list[dict[str, Any]], entries), 1):
        caller = _caller(entry, f"{path}: token {place}")
        if caller.name in callers:
            raise SettingsError(f"{path}: token {place}.name: expected a name of its own, received {caller.name!r}")
        callers[caller.name] = caller
    return callers


def _caller(table: Mapping[str, Any], where: str) -> Caller:
    only_keys(table, {"name", "sha256", "scopes", "rate"}, where)
    name = value_of(table.get("name"), str, f"{where}.name")
    if not NAME.fullmatch(name):
        raise SettingsError(f"{where}.name: expected 1 to 64 letters, digits, dots, - or _, received {name!r}")
    digest = table.get("sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise SettingsError(f"{where}.sha256: expected 64 hexadecimal digits, the SHA-256 of the token")
    scopes = value_of(table.get("scopes"), tuple[str, ...], f"{where}.scopes")
    if not scopes or not set(scopes) <= set(Scope):
        raise SettingsError(f"{where}.scopes: expected some of {', '.join(Scope)}, received {list(scopes)}")
    rate = value_of(table["rate"], float, f"{where}.rate") if "rate" in table else None
    if rate is not None and not rate_fits(rate):
        raise SettingsError(f"{where}.rate: expected a number of 0 or more, received {rate!r}")
    return Caller(name, bytes.fromhex(digest), frozenset(map(Scope, scopes)), rate)
