"""What if: the same request with other weights, another ranker or another version of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from feature_service.checks import RequestError
from feature_service.features.catalog import Catalog
from feature_service.fusion import weight_problem
from feature_service.model_servers import ModelServers
from feature_service.models import ServedModel, bind
from feature_service.stages import Request, World
from serving import contract
from serving.errors import ModelNotFoundError, RequestRefusedError

MOST_HEADS = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """What should be different.

    Attributes:
        fusion: Weight by head instead of the scene's; None = the scene's.
        ranker: Served name of another ranker; empty = the scene's.
        version: A version of it that the model servers have; 0 = what serves, else the newest of them.
    """

    fusion: Mapping[str, float] | None
    ranker: str
    version: int


def check_wish(wish: Wish) -> None:
    """Checks the weights as those of settings are checked.

    Raises:
        RequestError: Names the weight.
    """
    weights = wish.fusion or {}
    if len(weights) > MOST_HEADS:
        raise RequestError(f"fusion: expected at most {MOST_HEADS} heads, received {len(weights)}")
    for head, weight in weights.items():
        if problem := weight_problem(head, weight):
            raise RequestError(f"fusion.{head[:40]}: {problem}")


async def wished(
    request: Request, wish: Wish, world: World, servers: ModelServers, catalog: Catalog, timeout_s: float
) -> tuple[Request, World]:
    """The request and the world as they would be.

    Args:
        request: As it is.
        wish: What should be different, checked.
        world: What serves.
        servers: The model servers.
        catalog: What a layout may name.
        timeout_s: For the questions to the model servers.

    Raises:
        RequestError: The model servers have no such ranker or version, or it is none that can serve here.
        ServingError: A model server does not answer.
    """
    fusion = request.scene.fusion if wish.fusion is None else wish.fusion
    ranker = wish.ranker or request.scene.ranker
    scene = replace(request.scene, fusion=fusion, ranker=ranker)
    held = world.models.get(ranker)
    if not ranker or (held is not None and wish.version in (0, held.version)):
        return replace(request, scene=scene), world
    model = await _loaded(ranker, wish.version, servers, catalog, timeout_s)
    return replace(request, scene=scene), replace(world, models={**world.models, ranker: model})


async def _loaded(name: str, version: int, servers: ModelServers, catalog: Catalog, timeout_s: float) -> ServedModel:
    """A version that every model server has, bound to the catalogue."""
    try:
        available = await servers.available(name, timeout_s)
    except ModelNotFoundError:
        available = set[int]()
    if not available:
        raise RequestError(f"ranker: expected one that the model servers have loaded, received {name[:40]!r}")
    if version and version not in available:
        there = ", ".join(map(str, sorted(available)))
        raise RequestError(f"ranker_version: expected one of {there}, received {version}")
    try:
        chosen = version or max(available)
        model = await bind(servers, catalog, name, chosen, (contract.SERVING_DEFAULT,), timeout_s)
    except (ValueError, RequestRefusedError) as error:
        raise RequestError(f"ranker: {error}") from None
    if not model.layout.heads:
        raise RequestError(f"ranker: expected a model with heads, received {name[:40]!r}")
    return model
