"""The question of a form: whose slate, where and how long."""

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

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
        return whole_number("k", self.k, INT32)


def read_question(values: MultiDict[str, str]) -> Question:
    """The question of a query."""
    return Question(
        user=values.get("user", "").strip(),
        scene=values.get("scene", "").strip(),
        k=values.get("k", "").strip() or str(DEFAULT_K),
    )


def whole_number(field: str, text: str, within: range) -> int:
    """A whole number of a form.

    Raises:
        QuestionError: It is none.
    """
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None or number not in within:
        raise QuestionError(f"{field}: expected a whole number, received {text[:40]!r}")
    return number
