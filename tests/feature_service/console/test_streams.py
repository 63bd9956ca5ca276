"""Server-sent events: how many at once, how long, and in which form."""

from itertools import islice

import pytest

from feature_service.console.streams import Streams


def test_a_stream_tells_again_and_again_and_then_ends() -> None:
    streams = Streams(every_s=0.001, life_s=0.003)
    told = iter("abc")
    stream = streams.opened(lambda: next(told))
    assert stream is not None
    assert list(stream) == ["retry: 2000\n\n", "data: a\n\n", "data: b\n\n", "data: c\n\n"]


def test_text_of_several_lines_is_one_event() -> None:
    stream = Streams().opened(lambda: "<p>\none\n</p>")
    assert stream is not None
    *_, event = islice(stream, 2)
    assert event == "data: <p>\ndata: one\ndata: </p>\n\n"


def test_no_more_streams_are_open_than_there_may_be() -> None:
    streams = Streams(most=1)
    first = streams.opened(str)
    assert streams.opened(str) is None
    assert first is not None
    first.close()
    first.close()  # Who closes twice gives one place back.
    assert streams.opened(str) is not None
    assert streams.opened(str) is None


def test_a_stream_that_ended_or_broke_gives_its_place_back() -> None:
    streams = Streams(most=1, every_s=0.001, life_s=0.001)
    ended = streams.opened(str)
    assert ended is not None
    list(ended)
    broken = streams.opened(lambda: str(1 // 0))
    assert broken is not None
    with pytest.raises(ZeroDivisionError):
        list(broken)
    assert streams.opened(str) is not None
