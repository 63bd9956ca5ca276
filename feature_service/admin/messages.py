"""Messages: what administration answers, as the API has it."""

from collections.abc import Sequence

from feature_service.admin.feature_values import FeatureValue
from feature_service.admin.live_rooms import LiveList, LiveRoom
from feature_service.admin.model_versions import Model, Version
from feature_service.admin.moments import Moment
from feature_service.admin.series import STEP_S
from feature_service.admin.status import Status
from protos.onair.v1 import recommendation_pb2 as pb
from serving.manifest import Manifest


def live_response(found: LiveList) -> pb.ListLiveRoomsResponse:
    """A part of the rooms on air."""
    return pb.ListLiveRoomsResponse(
        rooms=[_live_room(each) for each in found.rooms],
        rooms_on_air=found.on_air,
        newcomers_on_air=found.newcomers,
        newcomer_exposure=found.newcomer_exposure,
        listed=found.listed,
        series_step_s=STEP_S,
        moments=[_moment(each) for each in found.moments],
        now_ms=found.now_ms,
    )


def status_response(status: Status) -> pb.GetStatusResponse:
    """How a service does."""
    return pb.GetStatusResponse(
        now_ms=status.now_ms,
        uptime_s=status.uptime_s,
        models=[
            pb.ServedModelStatus(model=name, version=version, problem=status.problems.get(name, ""))
            for name, version in status.versions.items()
        ],
        log_position=status.log_position,
        stored_position=status.stored_position,
        lag=status.lag,
        rooms_on_air=status.rooms_on_air,
        minutes=[pb.Minute(calls=each.calls, failed=each.failed, p99_ms=each.p99_ms) for each in status.minutes],
        methods=[
            pb.MethodStatus(method=method, calls=calls, p50_ms=times.p50_ms, p95_ms=times.p95_ms, p99_ms=times.p99_ms)
            for method, (calls, times) in status.methods.items()
        ],
        rungs=status.rungs,
        degraded=status.degraded,
    )


def versions_response(models: Sequence[Model], history_problem: str) -> pb.ListModelVersionsResponse:
    """The versions of all models."""
    return pb.ListModelVersionsResponse(models=[_model(each) for each in models], history_problem=history_problem)


def feature_values(values: Sequence[FeatureValue]) -> list[pb.FeatureValue]:
    """Features for people."""
    return [
        pb.FeatureValue(name=each.name, unit=each.unit, numbers=each.numbers, texts=each.texts, age_ms=each.age_ms)
        for each in values
    ]


def _live_room(room: LiveRoom) -> pb.LiveRoom:
    return pb.LiveRoom(
        room_id=room.facts.room_id,
        streamer_id=room.facts.streamer_id,
        title=room.facts.text("title"),
        category=room.facts.text("category"),
        activity=room.facts.text("activity"),
        viewers=room.viewers,
        minutes_on_air=room.minutes_on_air,
        heat=room.heat,
        lift=room.lift,
        newcomer=room.newcomer,
        impressions=room.impressions,
        entries=room.entries,
        heat_series=room.series,
    )


def _moment(moment: Moment) -> pb.Moment:
    return pb.Moment(
        kind=pb.MomentKind.Name(int(moment.kind)),
        room_id=moment.facts.room_id,
        title=moment.facts.text("title"),
        activity=moment.facts.text("activity"),
        lift=moment.lift,
        age_ms=moment.age_ms or 0,
    )


def _model(model: Model) -> pb.ModelVersions:
    return pb.ModelVersions(
        model=model.name,
        versions=[_version(each) for each in model.versions],
        history=[
            pb.ModelEvent(time_ms=each.time_ms, kind=each.kind, version=each.version, lines=each.lines)
            for each in model.history
        ],
        ranks=model.ranks,
        problem=model.problem,
    )


def _version(version: Version) -> pb.ModelVersion:
    manifest = version.manifest
    published = _published(manifest) if manifest else None
    return pb.ModelVersion(version=version.number, states=version.states, serves=version.serves, published=published)


def _published(manifest: Manifest) -> pb.PublishedVersion:
    provenance = manifest.provenance
    return pb.PublishedVersion(
        created=manifest.created,
        parent=manifest.parent or 0,
        rollback_of=manifest.rollback_of or 0,
        tensorflow=manifest.tensorflow,
        data_from_ms=provenance.data_from_ms,
        data_until_ms=provenance.data_until_ms,
        metrics={name: value for name, value in provenance.metrics.items() if value is not None},
        git_revision=provenance.git_revision,
    )
