"""Answers: outcomes of the pipeline as the API's messages."""

from collections.abc import Sequence

import numpy as np

from feature_service.admin import messages
from feature_service.admin.feature_values import feature_values
from feature_service.checks import page_token
from feature_service.compose import Card
from feature_service.degraded import Degraded
from feature_service.features.catalog import Catalog
from feature_service.features.layout import Layout
from feature_service.features.tensors import Tensors
from feature_service.overload.ladder import Rung
from feature_service.rank import view_of
from feature_service.similar import Neighbours
from feature_service.stages import Candidates, Ranked, World
from feature_service.trace import Outcome
from feature_service.writer import Acceptance, Result
from protos.onair.v1 import recommendation_pb2 as pb

ACCEPTANCE = {
    Acceptance.ACCEPTED: pb.ACCEPTED,
    Acceptance.DUPLICATE: pb.DUPLICATE,
    Acceptance.LATE: pb.LATE,
    Acceptance.REFUSED: pb.REFUSED,
}

RUNG = {
    Rung.FULL: pb.FULL,
    Rung.FEWER_RANKED: pb.FEWER_RANKED,
    Rung.NO_RERANK: pb.NO_RERANK,
    Rung.RECALL_ORDER: pb.RECALL_ORDER,
    Rung.HOT: pb.HOT,
}


def recommend_response(outcome: Outcome, world: World) -> pb.RecommendResponse:
    """The answer without its explanation."""
    request = outcome.request
    return pb.RecommendResponse(
        request_id=request.request_id,
        rooms=[_card(card) for card in outcome.cards],
        next_page_token=_next_page_token(outcome, world),
        model_versions=outcome.versions,
        degraded=[_degradation(each) for each in outcome.trace.degraded],
        now_ms=request.now_ms,
        log_position=outcome.trace.log_position,
        arm=request.scene.arm,
        rung=RUNG[outcome.trace.rung],
    )


def explain_response(outcome: Outcome, world: World, catalog: Catalog) -> pb.ExplainResponse:
    """The answer with its whole trace, and what the ranker reads of the user and the slate's rooms."""
    answer, trace = recommend_response(outcome, world), _trace(outcome, world)
    _add_features(trace, outcome, world, catalog)
    return pb.ExplainResponse(answer=answer, trace=trace)


def report_response(results: Sequence[Result]) -> pb.ReportEventsResponse:
    """What became of each event."""
    return pb.ReportEventsResponse(
        results=[
            pb.EventResult(event_id=each.event_id, acceptance=ACCEPTANCE[each.acceptance], reason=each.reason)
            for each in results
        ]
    )


def similar_response(neighbours: Neighbours) -> pb.SimilarStreamersResponse:
    """The similar streamers."""
    return pb.SimilarStreamersResponse(
        streamers=[
            pb.SimilarStreamer(streamer_id=each.streamer_id, score=each.score, room_id=each.room_id)
            for each in neighbours.streamers
        ],
        model_version=neighbours.version,
    )


def features_response(
    tensors: Tensors, layout: Layout, unknown_room_ids: Sequence[str], now_ms: int, log_position: int
) -> pb.GetFeaturesResponse:
    """Feature tensors with named columns."""
    return pb.GetFeaturesResponse(
        tensors=[
            pb.NamedTensor(
                name=each.name,
                dtype=str(tensors[each.name].dtype),
                shape=tensors[each.name].shape,
                content=np.ascontiguousarray(tensors[each.name]).tobytes(),
                columns=[
                    pb.Column(
                        name=column.name,
                        version=column.version,
                        dtype=column.dtype,
                        width=column.width,
                        length=column.length,
                    )
                    for column in each.columns
                ],
            )
            for each in layout.tensors
        ],
        unknown_room_ids=unknown_room_ids,
        now_ms=now_ms,
        log_position=log_position,
    )


def _next_page_token(outcome: Outcome, world: World) -> str:
    ranked = outcome.trace.ranked
    if ranked is None or len(outcome.cards) < outcome.request.k:
        return ""
    rows = ranked.candidates.rows[np.array(outcome.trace.slate, np.intp)]
    return page_token(outcome.request.excluded, world.state.rooms.fields["key"][rows])


def _card(card: Card) -> pb.RoomCard:
    return pb.RoomCard(
        room_id=card.room_id,
        streamer_id=card.streamer_id,
        title=card.title,
        category=card.category,
        position=card.position,
        score=card.score,
        reason=card.reason,
        channels=card.channels,
        propensity=card.propensity,
    )


def _degradation(each: Degraded) -> pb.Degradation:
    return pb.Degradation(stage=each.stage, cause=each.cause, fallback=each.fallback)


def _trace(outcome: Outcome, world: World) -> pb.Trace:
    trace, scene = outcome.trace, outcome.request.scene
    return pb.Trace(
        candidates=_candidates(outcome, world),
        stages=[
            pb.StageTime(stage=each.stage, start_ms=each.start_ms, duration_ms=each.duration_ms)
            for each in trace.stages
        ],
        retrieved={each.channel: len(each.rows) for each in trace.recalled},
        filtered={name: int((trace.dropped_by == number).sum()) for number, name in enumerate(scene.filters)},
        ranker=scene.ranker if trace.ranked is not None and trace.ranked.heads else "",
        scene=scene.name,
        ranker_version=trace.ranker_call.model.version if trace.ranker_call else 0,
    )


def _add_features(trace: pb.Trace, outcome: Outcome, world: World, catalog: Catalog) -> None:
    ranked, call = outcome.trace.ranked, outcome.trace.ranker_call
    if ranked is None:
        return
    rows = ranked.candidates.rows[np.array(outcome.trace.slate, np.intp)]
    layout = call.layout if call else catalog.layout()
    user, rooms = feature_values(catalog, layout, view_of(outcome.request, world, rows), world.state.facts)
    trace.user_features.extend(messages.feature_values(user))
    shown = {each.room_id: each for each in trace.candidates if each.final_position >= 0}
    for card, values in zip(outcome.cards, rooms, strict=True):
        shown[card.room_id].features.extend(messages.feature_values(values))


def _candidates(outcome: Outcome, world: World) -> list[pb.CandidateTrace]:
    """One message a merged candidate, in the merge's order: what the ranker got is those that no filter dropped."""
    trace = outcome.trace
    merged = trace.candidates
    if merged is None:
        return []
    places = _places(trace.ranked)
    final = {place: position for position, place in enumerate(trace.slate)}
    moves = {name: order.moves for name, order in trace.orders.items()}
    dropped_by: list[int] = trace.dropped_by.tolist()
    messages: list[pb.CandidateTrace] = []
    for i, row in enumerate(merged.rows.tolist()):
        facts = world.state.facts.rooms.get(int(world.state.rooms.fields["key"][row]))
        message = pb.CandidateTrace(
            room_id=facts.room_id if facts else "",
            streamer_id=facts.streamer_id if facts else "",
            channels=_hits(merged, i),
            dropped_by=outcome.request.scene.filters[dropped_by[i]] if dropped_by[i] >= 0 else "",
            rank_position=-1,
            final_position=-1,
        )
        if row in places and not message.dropped_by:
            _explain_rank(message, outcome, places[row], final, moves)
        messages.append(message)
    return messages


def _places(ranked: Ranked | None) -> dict[int, int]:
    """Each ranked room's place, by its row."""
    rows: list[int] = [] if ranked is None else ranked.candidates.rows.tolist()
    return {row: place for place, row in enumerate(rows)}


def _hits(merged: Candidates, i: int) -> list[pb.ChannelHit]:
    return [
        pb.ChannelHit(channel=name, rank=int(merged.ranks[i, c]), score=float(merged.scores[i, c]))
        for c, name in enumerate(merged.channels)
        if merged.ranks[i, c] >= 0
    ]


def _explain_rank(
    message: pb.CandidateTrace, outcome: Outcome, place: int, final: dict[int, int], moves: dict[str, dict[int, str]]
) -> None:
    ranked = outcome.trace.ranked
    if ranked is None:
        return
    weights = outcome.request.scene.fusion
    message.rank_position = place
    message.final_position = final.get(place, -1)
    message.score = float(ranked.scores[place])
    message.moves.extend(f"{name}: {told[place]}" for name, told in moves.items() if place in told)
    for h, head in enumerate(ranked.heads):
        message.terms.add(
            head=head,
            prediction=float(ranked.predictions[place, h]),
            weight=weights.get(head, 0.0),
            contribution=float(ranked.contributions[place, h]),
        )
