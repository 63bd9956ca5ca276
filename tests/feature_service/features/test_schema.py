"""Ids and titles become keys."""

import hashlib

import numpy as np
import pytest

from feature_service.features.room import TITLE_TOKENS, title_tokens
from feature_service.features.schema import key_of


def test_a_key_is_the_first_eight_bytes_of_blake2b_over_kind_and_id() -> None:
    digest = hashlib.blake2b(b"anna", digest_size=8, person=b"user").digest()
    assert key_of("user", "anna") == int(np.frombuffer(digest, "<i8")[0])


def test_the_same_text_of_another_kind_has_another_key() -> None:
    assert key_of("user", "7") != key_of("room", "7")


def test_no_id_is_the_key_of_padding() -> None:
    assert key_of("user", "") == 0


def _keys(*tokens: str) -> list[int]:
    return [key_of("token", token) for token in tokens]


@pytest.mark.parametrize(
    ("title", "tokens"),
    [
        ("", []),
        ("Late NIGHT jazz", ["late", "night", "jazz"]),
        ("唱歌", ["唱歌"]),
        ("深夜唱歌 live", ["深夜", "夜唱", "唱歌", "live"]),
        ("a b c d e f g h i j", list("abcdefgh")),
    ],
)
def test_a_title_is_its_first_words_or_pairs_of_characters(title: str, tokens: list[str]) -> None:
    keys = title_tokens(title)
    assert keys.shape == (TITLE_TOKENS,)
    assert keys.dtype == np.int64
    assert keys.tolist() == _keys(*tokens) + [0] * (TITLE_TOKENS - len(tokens))
