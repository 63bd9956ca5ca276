"""The console's web application: its pages, the reader's language, and the headers that guard every answer."""

from functools import partial
from urllib.parse import urlencode

from flask import Flask, Response, g, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from feature_service.console import explain, live, models, status, what_if
from feature_service.console.client import ApiError, ConsoleClient
from feature_service.console.problems import Problem, problem_of, status_of
from feature_service.console.streams import Streams
from feature_service.console.texts import COOKIE, HTML_NAMES, LANGUAGES, Texts, language_of, read_texts

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Of every answer. Only the console's own files run and style, and nothing is fetched from elsewhere."""

LANGUAGE_AGE_S = 365 * 24 * 3600


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
    streams = Streams()
    app.add_url_rule("/", "explain", partial(explain.show, client))
    app.add_url_rule("/what-if", "what_if", partial(what_if.show, client))
    app.add_url_rule("/live", "live", partial(live.show, client))
    app.add_url_rule("/live/events", "live_events", partial(live.events, client, streams))
    app.add_url_rule("/models", "models", partial(models.show, client))
    app.add_url_rule("/models/<name>/rollback/<int:version>", "confirm", models.confirm)
    app.add_url_rule(
        "/models/<name>/rollback/<int:version>", "roll_back", partial(models.roll_back, client), methods=["POST"]
    )
    app.add_url_rule("/status", "status", partial(status.show, client))
    app.add_url_rule("/health", "health", _health)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(ApiError, partial(_failed, client.target))
    app.before_request(partial(_choose_language, read_texts()))
    app.context_processor(_words)
    app.after_request(_guarded)
    return app


def short(value: float) -> str:
    """A number in three significant digits."""
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share as a length of SVG."""
    return f"{100 * share:.2f}%"


def _health() -> Response:
    """That pages are answered; whether the service is up, they say themselves."""
    return Response("ok\n", mimetype="text/plain")


def _choose_language(texts: dict[str, Texts]) -> None:
    g.texts = texts[language_of(request)]


def _words() -> dict[str, object]:
    """What every template may use."""
    other = next(language for language in LANGUAGES if language != g.texts.language)
    return {"t": g.texts, "html_language": HTML_NAMES[g.texts.language], "in_other_language": _same_page_in(other)}


def _same_page_in(language: str) -> str:
    """The address of this page in another language; of a page that is sent by a form, or is none, the start page's."""
    if request.endpoint is None or request.method != "GET":
        return url_for("explain", lang=language)
    values = [(key, value) for key, value in request.args.items(multi=True) if key != COOKIE]
    return f"{url_for(request.endpoint, **(request.view_args or {}))}?{urlencode([*values, (COOKIE, language)])}"


def _refused(error: HTTPException) -> tuple[str, int]:
    problem = Problem(error.name, error.description or "")
    return render_template("problem.html", problem=problem), error.code or 500


def _failed(target: str, error: ApiError) -> tuple[str, int]:
    return render_template("problem.html", problem=problem_of(error, target, g.texts)), status_of(error)


def _guarded(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Accept-Language, Cookie"
    if request.args.get(COOKIE) in LANGUAGES:
        response.set_cookie(COOKIE, request.args[COOKIE], max_age=LANGUAGE_AGE_S, httponly=True, samesite="Lax")
    return response
