"""The service's settings decide when its live indexes approximate; what cannot be is refused before it starts."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from feature_service.boot import booted
from feature_service.features.catalog import build_catalog
from feature_service.live import build
from feature_service.live.approximate import Approximation
from feature_service.model_servers import ModelServers
from feature_service.rollout import Rollout
from feature_service.settings import SettingsError, load, parse
from serving import contract
from tests.feature_service.live_platform import CONTENT_WIDTH, NOON_MS, LivePlatform
from tests.feature_service.scripted_model_server import serving, two_tower

PATIENCE_S = 30.0


async def _refusal(text: str, folder: Path) -> str:
    with pytest.raises(SettingsError) as refusal:
        async with booted(parse(f"[service]\n{text}", "test"), folder / "data", []):
            pass
    return str(refusal.value)


async def test_a_size_or_share_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    expected = "service.approximate_above: expected 0 or a number of rooms, received -5"
    assert await _refusal("approximate_above = -5", tmp_path) == expected
    expected = "service.approximate_probe: expected a share above 0 and at most 1, received 10.0"
    assert await _refusal("approximate_probe = 10", tmp_path) == expected
    assert not (tmp_path / "data").exists()


async def test_who_wants_to_approximate_without_the_library_hears_it_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    refusal = await _refusal("approximate_above = 200_000", tmp_path)
    assert refusal == "service.approximate_above: expected the package faiss-cpu (pip install 'onair[ann]'), found none"


def test_the_default_is_exact() -> None:
    assert load().service.approximate_above == 0


async def test_every_index_of_the_rollout_approximates_from_the_size_on() -> None:
    catalog, platform = build_catalog(CONTENT_WIDTH), LivePlatform()
    platform.start("anna/1")
    async with serving({"two_tower": two_tower(catalog)}) as server:
        servers = ModelServers([server.target])
        rollout = Rollout(
            servers=servers,
            catalog=catalog,
            state=platform.state,
            live=platform.live,
            signatures={"two_tower": (contract.USER, contract.ROOM)},
            now_ms=lambda: NOON_MS,
            approximation=Approximation(above=1, probe=1.0),
        )
        await rollout.follow()
        await servers.close()
    for thread in threading.enumerate():
        if thread.name == build.THREAD_NAME:
            thread.join(PATIENCE_S)
    index = rollout.current.indexes["two_tower"]
    before, after = (index.search(np.ones(2, np.float32), 5)[0].tolist() for _ in range(2))
    assert before == after == platform.live.rows(NOON_MS).tolist()
    assert index.approximates
