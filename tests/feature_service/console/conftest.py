"""A console in front of a real gRPC server."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from feature_service.console.app import create_app
from feature_service.console.client import ConsoleClient
from tests.feature_service.console.explained import Servicer, start, two_rooms


@pytest.fixture
def servicer() -> Servicer:
    """Knows one user."""
    return Servicer(answers={"user-1": two_rooms()})


@pytest.fixture
def browser(servicer: Servicer) -> Iterator[FlaskClient]:
    """Asks the console, which asks the servicer."""
    server, target = start(servicer)
    client = ConsoleClient(target)
    yield create_app(client).test_client()
    client.close()
    server.stop(None).wait()
