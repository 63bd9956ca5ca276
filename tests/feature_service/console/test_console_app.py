"""The Explain page in front of a real gRPC server: what it shows, and what it says when there is no answer."""

import html
import re

import grpc
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feature_service.console.app import create_app
from feature_service.console.client import ConsoleClient
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.console.explained import Servicer, start


def text_of(response: TestResponse) -> str:
    """What a reader sees: no tags, single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def test_the_form_alone_asks_nothing(browser: FlaskClient, servicer: Servicer) -> None:
    response = browser.get("/")
    assert response.status_code == 200
    assert 'name="user"' in response.text
    assert servicer.asked == []


def test_the_question_reaches_the_service_as_asked(browser: FlaskClient, servicer: Servicer) -> None:
    browser.get("/", query_string={"user": " user-1 ", "k": "7", "scene": "following"})
    (asked,) = servicer.asked
    assert (asked.user_id, asked.k, asked.scene) == ("user-1", 7, "following")


def test_cards_stand_in_the_slates_order_with_reason_channels_and_score(browser: FlaskClient) -> None:
    text = text_of(browser.get("/?user=user-1"))
    first, second = text.index("Morning songs"), text.index("Chess with Vera")
    assert first < second
    for expected in ("followed", "followed #1", "hot #5", "0.800"):
        assert expected in text[first:second]
    assert "two_tower #1" in text[second:]


def test_a_card_says_how_heads_fusion_and_re_ranking_placed_it(browser: FlaskClient) -> None:
    text = text_of(browser.get("/?user=user-1"))
    # room-a: long_watch predicts 0.2, weighs 2 and so adds 0.4; ranked second, moved up to the first place.
    assert re.search(r"long_watch 0\.2 2 0\.4\b", text)
    assert "ranking place 2 re-rank mmr: up 1 slate place 1" in text


def test_the_trace_is_shown_stage_by_stage(browser: FlaskClient) -> None:
    text = text_of(browser.get("/?user=user-1"))
    assert "recalled 5" in text
    assert "merged 4" in text
    assert "passed the filters 3" in text
    assert "recall 2.00 ms" in text
    assert "took 8.0 ms" in text
    assert "mmoe v12 , two_tower v3" in text
    assert "2026-01-01 12:00:00 UTC" in text


def test_what_a_filter_dropped_is_listed_under_its_name(browser: FlaskClient) -> None:
    text = text_of(browser.get("/?user=user-1"))
    assert "seen 1 room-d hot #2" in text
    assert "live 0" in text


def test_degradations_are_shown_with_cause_and_fallback(browser: FlaskClient, servicer: Servicer) -> None:
    degradation = pb.Degradation(stage="rank", cause="no version of mmoe serves", fallback="recall order")
    servicer.answers["user-1"].answer.degraded.append(degradation)
    assert "rank : no version of mmoe serves. Instead: recall order." in text_of(browser.get("/?user=user-1"))


def test_an_empty_slate_is_said_in_words(browser: FlaskClient, servicer: Servicer) -> None:
    servicer.answers["user-2"] = pb.ExplainResponse()
    response = browser.get("/?user=user-2")
    assert response.status_code == 200
    assert "No room is left for this user" in text_of(response)


@pytest.mark.parametrize("field", ["title", "category", "reason", "room_id", "streamer_id"])
def test_a_hostile_text_of_a_room_stays_text(browser: FlaskClient, servicer: Servicer, field: str) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    setattr(servicer.answers["user-1"].answer.rooms[0], field, hostile)
    response = browser.get("/?user=user-1")
    assert hostile in text_of(response)
    assert "<script" not in response.text
    assert "<img src=x" not in response.text


def test_a_hostile_user_stays_text_in_form_title_and_message(browser: FlaskClient, servicer: Servicer) -> None:
    servicer.refusal = (grpc.StatusCode.INVALID_ARGUMENT, "user_id: received '<script>'")
    page = browser.get("/", query_string={"user": '"><script>alert(1)</script>'}).text
    assert "<script" not in page


@pytest.mark.parametrize("path", ["/", "/?user=user-1", "/nowhere", "/health", "/static/console.css"])
def test_every_answer_forbids_inline_scripts_and_foreign_content(browser: FlaskClient, path: str) -> None:
    with browser.get(path) as response:
        headers = response.headers
    policy = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert policy["script-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_style(browser: FlaskClient) -> None:
    page = browser.get("/?user=user-1").text
    assert all(each.startswith("/") for each in re.findall(r'(?:href|src|action)="([^"#]*)', page) if each)
    assert "style=" not in page


def test_a_page_about_a_user_is_stored_nowhere(browser: FlaskClient) -> None:
    assert browser.get("/?user=user-1").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("k", ["ten", "1.5", str(2**31)])
def test_a_length_that_is_no_whole_number_is_refused_by_name(browser: FlaskClient, servicer: Servicer, k: str) -> None:
    response = browser.get("/", query_string={"user": "user-1", "k": k})
    assert response.status_code == 400
    assert f"k: expected a whole number, received '{k}'" in text_of(response)
    assert servicer.asked == []


@pytest.mark.parametrize(
    ("code", "status", "line"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400, "scene: expected home, following, received 'x'"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "did not answer in time"),
        (grpc.StatusCode.INTERNAL, 502, "answered INTERNAL: scene: expected"),
    ],
)
def test_a_refusal_of_the_service_has_its_status_and_message(
    browser: FlaskClient, servicer: Servicer, code: grpc.StatusCode, status: int, line: str
) -> None:
    servicer.refusal = (code, "scene: expected home, following, received 'x'")
    response = browser.get("/?user=user-1&scene=x")
    assert response.status_code == status
    assert line in text_of(response)
    assert 'value="user-1"' in response.text


def test_a_service_that_is_down_gives_one_clear_line() -> None:
    server, target = start(Servicer())
    server.stop(None).wait()
    client = ConsoleClient(target)
    response = create_app(client).test_client().get("/?user=user-1")
    client.close()
    assert response.status_code == 502
    assert f"The feature service at {target} cannot be reached." in text_of(response)


def test_a_path_that_does_not_exist_says_so(browser: FlaskClient) -> None:
    response = browser.get("/nowhere")
    assert response.status_code == 404
    assert "Not Found" in text_of(response)


def test_health_does_not_ask_the_service(browser: FlaskClient, servicer: Servicer) -> None:
    assert browser.get("/health").status_code == 200
    assert servicer.asked == []
