"""Another ranker by a line of settings: no code changes, and the model server goes on."""

from pathlib import Path

import pytest

from serving.launch import ModelServer
from tests.stack.running_stack import running_stack
from tests.stack.toy_platform import CATEGORIES, started

pytestmark = pytest.mark.slow


async def test_the_settings_name_the_ranker_that_serves(model_server: ModelServer, tmp_path: Path) -> None:
    process = model_server.pid
    for ranker in ("mmoe", "dnn"):
        more = f'[scene]\nranker = "{ranker}"\n'
        async with running_stack(tmp_path / ranker, [model_server.target], more) as stack:
            now_ms = stack.clock()
            await stack.client.report([started(f"{category}-0/now", category, now_ms) for category in CATEGORIES])
            explained = await stack.client.explain("viewer-1", 4)
            assert {name for name in explained.answer.model_versions if name != "two_tower"} == {ranker}
            assert "rank" not in {each.stage for each in explained.answer.degraded}
            heads = {term.head for term in explained.trace.candidates[0].terms}
            assert heads == {"enter", "long_watch", "like"}
    assert model_server.pid == process
