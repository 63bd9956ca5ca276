"""The versions of the models: what the model servers have, what serves here, and what the store knows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_service.admin.model_store import ModelStore, StoredModel, StoreUnknownError
from feature_service.recall import CHANNELS
from feature_service.service import FeatureService
from serving.history import Entry
from serving.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Version:
    """One version.

    Attributes:
        number: Its number.
        states: What each model server says of it, by address.
        serves: Whether it does, in the answers of this service.
        manifest: As it was published; None = not known here.
    """

    number: int
    states: Mapping[str, str]
    serves: bool
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        name: Served name.
        versions: Newest first.
        history: Newest first.
        ranks: Whether it is a ranker, not the model of a channel.
        problem: What keeps a newer version from serving; empty = nothing.
    """

    name: str
    versions: Sequence[Version]
    history: Sequence[Entry]
    ranks: bool
    problem: str


async def model_versions(service: FeatureService, store: ModelStore, timeout_s: float) -> tuple[list[Model], str]:
    """All models that serve or are published, by name.

    Args:
        service: What serves.
        store: Where they are published.
        timeout_s: For the model servers.

    Returns:
        The models, and why their manifests and history are not known here; empty = they are.
    """
    stored: Mapping[str, StoredModel] = {}
    problem = ""
    try:
        stored = await asyncio.to_thread(store.models)
    except StoreUnknownError as error:
        problem = str(error)
    names = sorted({*service.rollout.names, *stored})
    servers = service.pipeline.servers
    states = await asyncio.gather(*(servers.states(name, timeout_s) for name in names))
    return [_model(service, name, each, stored.get(name)) for name, each in zip(names, states, strict=True)], problem


def _model(
    service: FeatureService, name: str, states: Mapping[str, Mapping[int, str]], stored: StoredModel | None
) -> Model:
    serving = service.rollout.current.versions.get(name, 0)
    manifests = stored.manifests if stored else {}
    numbers = sorted({*manifests, *(version for each in states.values() for version in each)}, reverse=True)
    return Model(
        name=name,
        versions=[
            Version(
                number=number,
                states={server: each[number] for server, each in states.items() if number in each},
                serves=number == serving,
                manifest=manifests.get(number),
            )
            for number in numbers
        ],
        history=stored.history if stored else (),
        ranks=name not in CHANNELS,
        problem=service.rollout.problems.get(name, ""),
    )
