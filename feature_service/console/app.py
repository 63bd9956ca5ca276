"""The console's web application: reads the question, asks the service, shows the answer or one clear line."""

from dataclasses import dataclass
from functools import partial

import grpc
from flask import Flask, Response, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from feature_service.console.client import ApiError, ConsoleClient
from feature_service.console.page import lay_out

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Of every answer. No script runs here at all, and nothing is fetched from elsewhere."""

STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""HTTP status by gRPC status; any other is a service that failed: 502."""

DEFAULT_K = 10
INT32 = range(-(2**31), 2**31)


class QuestionError(ValueError):
    """A question that cannot be put to the service: one line that names the field."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the form asks, as text, so that it stands in the form again whatever it is."""

    user: str = ""
    scene: str = ""
    k: str = str(DEFAULT_K)

    @property
    def k_number(self) -> int:
        """Length of the slate.

        Raises:
            QuestionError: It is no whole number.
        """
        try:
            number = int(self.k)
        except ValueError:
            number = None
        if number is None or number not in INT32:
            raise QuestionError(f"k: expected a whole number, received {self.k[:40]!r}")
        return number


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer: a headline, and the line that says what happened."""

    headline: str
    line: str


def create_app(client: ConsoleClient) -> Flask:
    """The application.

    Args:
        client: Asks the service; shared by all threads.
    """
    app = Flask(__name__)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.add_template_filter(short)
    app.add_template_filter(percent)
    app.add_url_rule("/", "explain", partial(_explain, client))
    app.add_url_rule("/health", "health", _health)
    app.register_error_handler(HTTPException, _refused)
    app.after_request(_guarded)
    return app


def short(value: float) -> str:
    """A number in three significant digits."""
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share as a length of SVG."""
    return f"{100 * share:.2f}%"


def _explain(client: ConsoleClient) -> tuple[str, int]:
    question = _question()
    if not question.user:
        return _show(question), 200
    try:
        response = client.explain(question.user, question.k_number, question.scene)
    except QuestionError as error:
        return _show(question, problem=Problem("This cannot be asked", str(error))), 400
    except ApiError as error:
        return _show(question, problem=_problem(error, client.target)), STATUS.get(error.code, 502)
    return _show(question, explanation=lay_out(response)), 200


def _health() -> Response:
    """That pages are answered; whether the service is up, they say themselves."""
    return Response("ok\n", mimetype="text/plain")


def _refused(error: HTTPException) -> tuple[str, int]:
    problem = Problem(error.name, error.description or "")
    return _show(Question(), problem=problem), error.code or 500


def _guarded(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _question() -> Question:
    values = request.args
    return Question(
        user=values.get("user", "").strip(),
        scene=values.get("scene", "").strip(),
        k=values.get("k", "").strip() or str(DEFAULT_K),
    )


def _show(question: Question, **parts: object) -> str:
    return render_template("explain.html", question=question, **{"problem": None, "explanation": None, **parts})


def _problem(error: ApiError, target: str) -> Problem:
    if error.code == grpc.StatusCode.INVALID_ARGUMENT:
        return Problem("The service refused the question", str(error))
    if error.code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Problem("The service was too slow", f"The feature service at {target} did not answer in time.")
    if error.code == grpc.StatusCode.UNAVAILABLE:
        return Problem("The service is away", f"The feature service at {target} cannot be reached.")
    return Problem("The service failed", f"The feature service at {target} answered {error.code.name}: {error}")
