"""Rollbacks are asked for by the console's own forms alone."""

import re

import pytest
from flask.testing import FlaskClient

from tests.feature_service.console.explained import Servicer

PATH = "/models/mmoe/rollback/1"


def token(browser: FlaskClient) -> str:
    """What the form of the page holds; its cookie is with the browser then."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(PATH).text)
    assert found
    return found[1]


def test_the_form_of_the_page_rolls_back(browser: FlaskClient, servicer: Servicer) -> None:
    response = browser.post(PATH, data={"csrf": token(browser)})
    assert (response.status_code, response.location) == (303, "/models?model=mmoe&version=7")
    assert [(each.model, each.version) for each in servicer.rollbacks] == [("mmoe", 1)]


def test_looking_at_the_page_changes_nothing(browser: FlaskClient, servicer: Servicer) -> None:
    browser.get(PATH)
    assert servicer.rollbacks == []


@pytest.mark.parametrize("given", [{}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "ü" * 43}])
def test_a_form_without_the_readers_token_is_refused(
    browser: FlaskClient, servicer: Servicer, given: dict[str, str]
) -> None:
    token(browser)
    assert browser.post(PATH, data=given).status_code == 403
    assert servicer.rollbacks == []


def test_a_form_without_a_cookie_is_refused_whatever_it_holds(browser: FlaskClient, servicer: Servicer) -> None:
    assert browser.post(PATH, data={"csrf": ""}).status_code == 403
    assert browser.post(PATH, data={"csrf": "x" * 43}).status_code == 403
    assert servicer.rollbacks == []


def test_another_sites_form_is_refused_even_with_the_token(browser: FlaskClient, servicer: Servicer) -> None:
    held = token(browser)
    response = browser.post(PATH, data={"csrf": held}, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert servicer.rollbacks == []


def test_the_token_is_out_of_reach_of_scripts_and_other_sites(browser: FlaskClient) -> None:
    cookie = browser.get(PATH).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
