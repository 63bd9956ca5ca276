"""The interceptor that counts every call of the service for its status page, refused ones too."""

import time
from typing import Any

import grpc.aio

from feature_service.admin.recent import RecentCalls
from feature_service.calls import Answer, Context, ServiceInterceptor, status_of
from protos.onair.v1 import recommendation_pb2 as pb


class CountingInterceptor(ServiceInterceptor):
    """Stands before all others, so that it sees what they refuse."""

    def __init__(self, recent: RecentCalls) -> None:
        self._recent = recent

    def around(self, method: str, answer: Answer) -> Answer:
        """Counted."""

        async def counted(request: Any, context: Context) -> Any:
            start_s, status = time.perf_counter(), "CANCELLED"
            try:
                response = await answer(request, context)
                status = status_of(context)
                if isinstance(response, pb.RecommendResponse):
                    stages = (each.stage for each in response.degraded)
                    self._recent.slate(pb.Rung.Name(response.rung), stages, time.monotonic())
                return response
            except grpc.aio.AbortError:
                status = status_of(context)
                raise
            except Exception:
                status = "UNKNOWN"
                raise
            finally:
                self._recent.call(method, status, (time.perf_counter() - start_s) * 1000, time.monotonic())

        return counted
