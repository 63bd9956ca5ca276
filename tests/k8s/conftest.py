"""The rendered manifests."""

import pytest

from tests.k8s.manifests import BASE, COMPONENTS, OVERLAYS, Object, render, render_with

NEEDS = {
    "autoscaling": ["redis"],
    "worker": ["training"],
    "flink": ["training", "kafka"],
    "object-store": ["training"],
    "network-policy/object-store": ["training", "object-store", "network-policy"],
    "network-policy/redis": ["redis", "network-policy"],
    "network-policy/kafka": ["kafka", "network-policy"],
    "network-policy/flink": ["training", "kafka", "flink", "network-policy"],
    "network-policy/monitoring": ["monitoring", "network-policy"],
}
"""What a component builds on."""

COMPONENT_NAMES = sorted(str(path.parent.relative_to(COMPONENTS)) for path in COMPONENTS.rglob("kustomization.yaml"))
OVERLAY_NAMES = sorted(path.name for path in OVERLAYS.iterdir())


@pytest.fixture(scope="session")
def base() -> list[Object]:
    """Every object of k8s/base."""
    return render(BASE)


@pytest.fixture(scope="session", params=OVERLAY_NAMES)
def overlay(request: pytest.FixtureRequest) -> tuple[str, list[Object]]:
    """An overlay's name, and every object of it."""
    return request.param, render(OVERLAYS / request.param)


@pytest.fixture(scope="session")
def production() -> list[Object]:
    """Every object of the overlay that has most of them."""
    return render(OVERLAYS / "production")


@pytest.fixture(scope="session", params=["base", *COMPONENT_NAMES, *OVERLAY_NAMES])
def rendered(request: pytest.FixtureRequest) -> list[Object]:
    """The base, the base with each component and what it builds on, and the overlays."""
    name: str = request.param
    if name == "base":
        return render(BASE)
    if name in OVERLAY_NAMES:
        return render(OVERLAYS / name)
    return render_with(*NEEDS.get(name, ()), name)
