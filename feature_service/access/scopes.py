"""Scopes: what each method of the API asks of a token."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from feature_service.access.audit import user_key
from feature_service.features.events import MAX_ID_BYTES
from protos.onair.v1 import recommendation_pb2 as pb

HEALTH = "/grpc.health.v1.Health/"
"""Open to all: probes have no token, and learn nothing but that the service is up."""

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/"
"""Open to any token: it shows the API, and nobody's data."""


class Scope(StrEnum):
    """What a token may be used for."""

    ASK = "ask"
    """Slates, and streamers like another: what app services show to people."""
    REPORT = "report"
    """Reporting events, erasures among them."""
    EXPLAIN = "explain"
    """What a console shows: what is known of a user, and how the service does."""
    ADMIN = "admin"
    """What changes how the service answers."""


_SERVICE = pb.DESCRIPTOR.services_by_name["RecommendationService"].full_name

SCOPES = {
    f"/{_SERVICE}/Recommend": Scope.ASK,
    f"/{_SERVICE}/SimilarStreamers": Scope.ASK,
    f"/{_SERVICE}/ReportEvents": Scope.REPORT,
    f"/{_SERVICE}/Explain": Scope.EXPLAIN,
    f"/{_SERVICE}/GetFeatures": Scope.EXPLAIN,
    f"/{_SERVICE}/WhatIf": Scope.EXPLAIN,
    f"/{_SERVICE}/ListLiveRooms": Scope.EXPLAIN,
    f"/{_SERVICE}/GetStatus": Scope.EXPLAIN,
    f"/{_SERVICE}/ListModelVersions": Scope.EXPLAIN,
    f"/{_SERVICE}/Rollback": Scope.ADMIN,
}
"""By the full name of the method; one that is missing here is refused to all tokens."""

AUDITED: dict[str, Callable[[Any], Mapping[str, str]]] = {
    f"/{_SERVICE}/Explain": lambda request: {"user": user_key(request.user_id)},
    f"/{_SERVICE}/GetFeatures": lambda request: {"user": user_key(request.user_id)},
    f"/{_SERVICE}/WhatIf": lambda request: {"user": user_key(request.request.user_id)},
    f"/{_SERVICE}/Rollback": lambda request: {"model": request.model[:MAX_ID_BYTES], "version": str(request.version)},
}
"""Methods whose calls leave a line in the audit file, with what the line says of the request."""
