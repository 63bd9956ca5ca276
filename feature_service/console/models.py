"""The page Models: versions, metrics and history, and the way back to an older version."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from feature_service.console import csrf
from feature_service.console.charts import HEIGHT, WIDTH, line
from feature_service.console.client import ConsoleClient
from feature_service.console.problems import Problem
from protos.onair.v1 import recommendation_pb2 as pb

MOST_VERSIONS = 12


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric over the versions, oldest first.

    Attributes:
        name: As in the manifests.
        values: Of the versions that have it.
        versions: Their numbers.
        points: Of a line.
    """

    name: str
    values: tuple[float, ...]
    versions: tuple[int, ...]
    points: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the page shows it.

    Attributes:
        model: As the service tells it.
        versions: The newest ones, newest first.
        serving: The version that serves; 0 = none.
        metrics: By name.
    """

    model: pb.ModelVersions
    versions: tuple[pb.ModelVersion, ...]
    serving: int
    metrics: tuple[Metric, ...]


def show(client: ConsoleClient) -> str:
    """The page."""
    response = client.versions()
    rolled = request.args.get("model", ""), request.args.get("version", "")
    return render_template(
        "models.html",
        models=[lay_out(each) for each in response.models],
        history_problem=response.history_problem,
        rolled=rolled if all(rolled) else None,
        day=day,
        width=WIDTH,
        height=HEIGHT,
    )


def confirm(name: str, version: int) -> Response:
    """Asks whether to roll back."""
    token = csrf.token_of(request)
    page = render_template("confirm.html", name=name, version=version, token=token, field=csrf.FIELD)
    response = make_response(page)
    csrf.remember(response, token, secure=request.is_secure)
    return response


def roll_back(client: ConsoleClient, name: str, version: int) -> AnyResponse | tuple[str, int]:
    """Rolls back, for a form of ours alone."""
    if not csrf.is_ours(request):
        problem = Problem(g.texts("problem.not_ours"), g.texts("problem.not_ours_says"))
        return render_template("problem.html", problem=problem), 403
    published = client.roll_back(name, version).version
    return redirect(url_for("models", model=name, version=published), 303)


def lay_out(model: pb.ModelVersions) -> Model:
    """A model with its newest versions, and their metrics as lines."""
    serving = next((each.version for each in model.versions if each.serves), 0)
    versions = tuple(model.versions[:MOST_VERSIONS])
    return Model(model, versions, serving, _metrics(versions))


def day(time_ms: int) -> str:
    """A time of training data, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _metrics(versions: tuple[pb.ModelVersion, ...]) -> tuple[Metric, ...]:
    oldest_first = [each for each in reversed(versions) if each.HasField("published")]
    names = sorted({name for each in oldest_first for name in each.published.metrics})
    return tuple(_metric(name, [each for each in oldest_first if name in each.published.metrics]) for name in names)


def _metric(name: str, versions: list[pb.ModelVersion]) -> Metric:
    values = tuple(each.published.metrics[name] for each in versions)
    return Metric(name, values, tuple(each.version for each in versions), line(values, from_zero=False))
