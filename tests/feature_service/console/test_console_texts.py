"""The words of the console: the same in every language, and none outside the dictionaries."""

import re
import string
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from feature_service.console import app
from feature_service.console.texts import LANGUAGES, read_texts

TEMPLATES = Path(app.__file__).with_name("templates")
NAMES = {"OnAir", "UTC", "ms", "v", "M"}
"""What is called so in every language; `v` stands before versions."""

ENGLISH, *OTHERS = LANGUAGES


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_keys(language: str) -> None:
    texts = read_texts()
    assert _keys(texts[language].words) == _keys(texts[ENGLISH].words)


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_fills_in_the_same_values(language: str) -> None:
    texts = read_texts()
    for section, words in texts[ENGLISH].words.items():
        for key, text in words.items():
            assert _fields(texts[language].words[section][key]) == _fields(text), f"{section}.{key}"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_template_has_words_of_its_own(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    attributes = " ".join(re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text))
    shown = re.sub(r"<[^>]*>", " ", text)
    assert set(re.findall(r"[^\W\d_]+", f"{shown} {attributes}")) <= NAMES


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_every_key_of_a_template_is_in_the_dictionary(path: Path) -> None:
    words = read_texts()[ENGLISH].words
    keys = re.findall(r"\bt\('([a-z_]+)\.([a-z_]+)'", path.read_text(encoding="utf-8"))
    assert [f"{section}.{key}" for section, key in keys if key not in words.get(section, {})] == []


def test_a_reason_that_is_not_known_stays_as_it_is() -> None:
    chinese = read_texts()["zh"]
    assert chinese.reason("followed") == "已关注"
    assert chinese.reason("because you watched Vera") == "因为你看过 Vera"
    assert chinese.reason("just so") == "just so"


@pytest.mark.parametrize(
    ("milliseconds", "said"), [(0, "0 s"), (119_000, "119 s"), (120_000, "2 min"), (7_200_000, "2 h"), (2e8, "2 d")]
)
def test_an_age_stands_in_its_greatest_unit(milliseconds: float, said: str) -> None:
    assert read_texts()[ENGLISH].age(milliseconds) == said


@pytest.mark.parametrize(
    ("accepted", "language"), [("zh-CN,en;q=0.5", "zh-Hans"), ("en-GB", "en"), ("fr", "en"), ("", "en")]
)
def test_the_browsers_language_is_spoken_if_it_is_one_of_ours(
    browser: FlaskClient, accepted: str, language: str
) -> None:
    assert f'<html lang="{language}">' in browser.get("/", headers={"Accept-Language": accepted}).text


def test_a_language_that_was_chosen_stays(browser: FlaskClient) -> None:
    assert '<html lang="zh-Hans">' in browser.get("/?lang=zh").text
    assert '<html lang="zh-Hans">' in browser.get("/").text
    assert '<html lang="en">' in browser.get("/?lang=en").text


def test_the_other_language_asks_the_same_question(browser: FlaskClient) -> None:
    assert 'href="/?user=user-1&amp;k=3&amp;lang=zh"' in browser.get("/?user=user-1&k=3").text


@pytest.mark.parametrize("query", ["_external=1&_scheme=javascript", "endpoint=static", "lang=%3Cscript%3E"])
def test_a_hostile_query_leads_nowhere_else(browser: FlaskClient, query: str) -> None:
    page = browser.get(f"/?{query}")
    assert page.status_code == 200
    assert all(each.startswith(("/", "#")) for each in re.findall(r'href="([^"]*)"', page.text))
    assert "<script" not in page.text


def _keys(words: object) -> set[tuple[str, str]]:
    assert isinstance(words, dict)
    return {(section, key) for section, texts in words.items() for key in texts}


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
