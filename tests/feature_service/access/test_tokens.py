"""The tokens' file: what it may say, how a mistake in it is told, and the verb that makes a token."""

from pathlib import Path

import pytest

from feature_service.__main__ import VERBS
from feature_service.access.scopes import Scope
from feature_service.access.tokens import Caller, digest_of, find, new_token, read_callers
from feature_service.settings import SettingsError, parse
from serving.verbs import run_verb

OURS = "onair_secret"
ENTRY = f'[[token]]\nname = "app"\nsha256 = "{digest_of(OURS).hex()}"\nscopes = ["ask", "report"]\n'


def test_a_file_names_callers_by_the_hashes_of_their_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(ENTRY + "rate = 50\n")
    callers = read_callers(path)
    app = Caller("app", digest_of(OURS), frozenset({Scope.ASK, Scope.REPORT}), 50.0)
    assert callers == {"app": app}
    assert find(callers, OURS) == app
    assert find(callers, OURS + " ") is None
    assert find({}, OURS) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[token", "expected TOML"),
        (ENTRY.replace('"app"', '"a/b"'), "token 1.name: expected 1 to 64 letters, digits, dots, - or _"),
        (ENTRY.replace(digest_of(OURS).hex(), OURS), "token 1.sha256: expected 64 hexadecimal digits"),
        (ENTRY.replace('"ask", ', '"all", '), "token 1.scopes: expected some of ask, report, explain, admin"),
        (ENTRY.replace('"ask", "report"', ""), "token 1.scopes: expected some of ask, report, explain, admin"),
        (ENTRY + "rate = -1", "token 1.rate: expected a number of 0 or more, received -1.0"),
        (ENTRY + 'token = "x"', "token 1.token: unknown key"),
        (ENTRY + ENTRY, "token 2.name: expected a name of its own, received 'app'"),
        (f'token = "{OURS}"', "token: expected tables [[token]]"),
        (f'token = ["{OURS}"]', "token: expected tables [[token]]"),
    ],
)
def test_a_mistake_in_the_file_is_told_by_its_place_and_never_shows_a_token(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        read_callers(path)
    assert str(error.value).startswith(f"{path}: {said}")
    assert OURS not in str(error.value)


def test_the_verb_writes_the_token_for_its_owner_alone_and_prints_its_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "app.token"
    asked = ["token", "--name", "app", "--scope", "ask", "--scope", "report", "--rate", "50", "--token-file", str(out)]
    assert run_verb("python -m feature_service", "", VERBS, asked) == 0
    token, printed = out.read_text().strip(), capsys.readouterr().out
    assert token not in printed
    assert out.stat().st_mode & 0o077 == 0
    (tmp_path / "tokens.toml").write_text(printed)
    caller = find(read_callers(tmp_path / "tokens.toml"), token)
    assert caller is not None
    assert (caller.name, sorted(caller.scopes), caller.rate) == ("app", ["ask", "report"], 50.0)


def test_the_verb_overwrites_no_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "app.token"
    out.write_text("in use")
    assert run_verb("", "", VERBS, ["token", "--name", "app", "--scope", "ask", "--token-file", str(out)]) == 2
    assert capsys.readouterr().err == f"token: {out}: File exists\n"
    assert out.read_text() == "in use"


def test_no_two_tokens_are_alike() -> None:
    assert len({new_token() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("rate", ["-1.0", "inf", "nan"])
def test_a_rate_of_the_settings_is_a_number_of_0_or_more(rate: str) -> None:
    with pytest.raises(SettingsError, match=r"access\.rate: expected a number of 0 or more"):
        parse(f"[access]\nrate = {rate}\n", "the test")
