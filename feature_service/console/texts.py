"""The console's words, in the reader's language: a file each, with the same keys."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Request

LANGUAGES = ("en", "zh")
"""The first one is for readers who ask for none of them."""

HTML_NAMES = {"en": "en", "zh": "zh-Hans"}
COOKIE = "lang"

_BECAUSE = "because you watched "


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language.

    Attributes:
        language: One of `LANGUAGES`.
        words: By section and key.
    """

    language: str
    words: Mapping[str, Mapping[str, str]]

    def __call__(self, key: str, **values: object) -> str:
        """A text, `section.key`, with values for what stands in braces."""
        section, _, name = key.partition(".")
        return self.words[section][name].format(**values)

    def reason(self, text: str) -> str:
        """The service's reason for a room; one that is not known stays as it is."""
        if text.startswith(_BECAUSE):
            return self("reasons.because", name=text.removeprefix(_BECAUSE))
        return self.words["reasons"].get(text, text)

    def age(self, milliseconds: float) -> str:
        """A time span in its greatest unit."""
        seconds = max(milliseconds, 0) / 1000
        for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
            if seconds >= 2 * size:
                return self(f"age.{unit}", n=f"{seconds / size:.0f}")
        return self("age.seconds", n=f"{seconds:.0f}")


def read_texts() -> dict[str, Texts]:
    """All languages by name."""
    folder = Path(__file__).with_name("languages")
    return {
        language: Texts(language, tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8")))
        for language in LANGUAGES
    }


def language_of(request: Request) -> str:
    """The reader's language: as chosen on a page, now or earlier, or as the browser asks for it."""
    for chosen in (request.args.get(COOKIE), request.cookies.get(COOKIE)):
        if chosen in LANGUAGES:
            return chosen
    asked_for = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())  # The dearest first.
    return next((language for language in asked_for if language in LANGUAGES), LANGUAGES[0])
