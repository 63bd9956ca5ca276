"""A servicer that answers Explain from a table and takes note of rollbacks, on a real gRPC server."""

from concurrent import futures
from dataclasses import dataclass, field

import grpc

from protos.onair.v1 import recommendation_pb2 as pb

NOW_MS = 1_767_268_800_000
"""2026-01-01 12:00:00 UTC."""


@dataclass
class Servicer:
    """Answers with what was put in; remembers what was asked.

    Attributes:
        answers: By user.
        refusal: Instead of an answer, if set.
        asked: The requests so far.
        rollbacks: Likewise.
    """

    answers: dict[str, pb.ExplainResponse] = field(default_factory=dict)
    refusal: tuple[grpc.StatusCode, str] | None = None
    asked: list[pb.RecommendRequest] = field(default_factory=list)
    rollbacks: list[pb.RollbackRequest] = field(default_factory=list)

    def explain(self, request: pb.RecommendRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        """The answer for the user, or the refusal."""
        self.asked.append(request)
        if self.refusal:
            context.abort(*self.refusal)
        return self.answers[request.user_id]

    def roll_back(self, request: pb.RollbackRequest, context: grpc.ServicerContext) -> pb.RollbackResponse:
        """Version 7, each time."""
        self.rollbacks.append(request)
        return pb.RollbackResponse(version=7)


def start(servicer: Servicer) -> tuple[grpc.Server, str]:
    """Serves on a free port of loopback; returns the server and its target."""
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    explain = grpc.unary_unary_rpc_method_handler(
        servicer.explain,
        request_deserializer=pb.RecommendRequest.FromString,
        response_serializer=pb.ExplainResponse.SerializeToString,
    )
    roll_back = grpc.unary_unary_rpc_method_handler(
        servicer.roll_back,
        request_deserializer=pb.RollbackRequest.FromString,
        response_serializer=pb.RollbackResponse.SerializeToString,
    )
    service, methods = "onair.v1.RecommendationService", {"Explain": explain, "Rollback": roll_back}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def two_rooms() -> pb.ExplainResponse:
    """Four candidates: one dropped by `seen`, one next in line, and two in the slate, which MMR turned round.

    The ranker put room-b (1.0 × 0.5 + 2.0 × 0.25 = 1.0) before room-a (1.0 × 0.4 + 2.0 × 0.2 = 0.8).
    """
    return pb.ExplainResponse(
        answer=pb.RecommendResponse(
            request_id="request-7",
            rooms=[
                _card("room-a", 0, 0.8, "followed", ["followed", "hot"], "Morning songs"),
                _card("room-b", 1, 1.0, "for you", ["two_tower"], "Chess with Vera"),
            ],
            model_versions={"mmoe": 12, "two_tower": 3},
            now_ms=NOW_MS,
            log_position=4711,
        ),
        trace=pb.Trace(
            candidates=[
                _candidate("room-a", [("followed", 0, 1.0), ("hot", 4, 9.5)], (0.4, 0.2), 1, 0, ["mmr: up 1"]),
                _candidate("room-b", [("two_tower", 0, 0.7)], (0.5, 0.25), 0, 1, ["mmr: down 1: like place 1"]),
                _candidate("room-c", [("hot", 0, 20.0)], (0.1, 0.1), 2, -1, []),
                pb.CandidateTrace(
                    room_id="room-d",
                    channels=[pb.ChannelHit(channel="hot", rank=1, score=15.0)],
                    dropped_by="seen",
                    rank_position=-1,
                    final_position=-1,
                ),
            ],
            stages=[
                pb.StageTime(stage="recall", start_ms=0.0, duration_ms=2.0),
                pb.StageTime(stage="rank", start_ms=2.0, duration_ms=6.0),
            ],
            retrieved={"followed": 1, "two_tower": 1, "hot": 3},
            filtered={"live": 0, "seen": 1},
            ranker="mmoe",
            scene="home",
        ),
    )


def _card(room_id: str, position: int, score: float, reason: str, channels: list[str], title: str) -> pb.RoomCard:
    return pb.RoomCard(
        room_id=room_id,
        streamer_id=f"streamer-of-{room_id}",
        title=title,
        category="music",
        position=position,
        score=score,
        reason=reason,
        channels=channels,
    )


def _candidate(
    room_id: str,
    hits: list[tuple[str, int, float]],
    predictions: tuple[float, float],
    rank_position: int,
    final_position: int,
    moves: list[str],
) -> pb.CandidateTrace:
    weights = {"enter": 1.0, "long_watch": 2.0}
    terms = [
        pb.FusionTerm(head=head, prediction=p, weight=weight, contribution=p * weight)
        for (head, weight), p in zip(weights.items(), predictions, strict=True)
    ]
    return pb.CandidateTrace(
        room_id=room_id,
        streamer_id=f"streamer-of-{room_id}",
        channels=[pb.ChannelHit(channel=channel, rank=rank, score=score) for channel, rank, score in hits],
        terms=terms,
        score=sum(term.contribution for term in terms),
        rank_position=rank_position,
        final_position=final_position,
        moves=moves,
    )
