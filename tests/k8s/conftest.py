"""The rendered base."""

import pytest

from tests.k8s.manifests import BASE, Object, render


@pytest.fixture(scope="session")
def base() -> list[Object]:
    """Every object of k8s/base."""
    return render(BASE)
