"""MovieLens: three layouts of one history."""

import zipfile
from pathlib import Path

import pytest

from feature_service.features.events import Event, EventKind
from training.data.errors import DataError
from training.data.importers import import_log, movielens

_FLAGS = ["0"] * 19


def grouplens_100k(folder: Path) -> None:
    (folder / "u.data").write_text("1\t20\t5\t100\n2\t10\t1\t50\n1\t10\t3\t100\n")
    (folder / "u.user").write_text("1|24|M|technician|85711\n2|53|F|other|94043\n")
    toy, eye = [*_FLAGS], [*_FLAGS]
    toy[3], eye[1] = "1", "1"
    rows = [
        "|".join(["10", "Café Toy (1995)", "01-Jan-1995", "", "url", *toy]),
        "|".join(["20", "Eye", "", "", "", *eye]),
    ]
    (folder / "u.item").write_bytes(("\n".join(rows) + "\n").encode("latin-1"))


def grouplens_1m(folder: Path) -> None:
    (folder / "ratings.dat").write_text("1::20::5::100\n2::10::1::50\n1::10::3::100\n")
    (folder / "users.dat").write_text("1::M::24::technician::85711\n2::F::53::other::94043\n")
    (folder / "movies.dat").write_bytes("10::Café Toy (1995)::Animation|Comedy\n20::Eye::Action\n".encode("latin-1"))


def recbole(folder: Path) -> None:
    (folder / "ml-100k.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t20\t5\t100\n2\t10\t1\t50\n1\t10\t3\t100\n"
    )
    (folder / "ml-100k.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n"
    )
    (folder / "ml-100k.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "10\tCafé Toy (1995)\t1995\tAnimation Comedy\n20\tEye\t\tAction\n",
        encoding="utf-8",
    )


def told(events: list[Event]) -> list[tuple[str, int, str, str]]:
    return [(e.kind.name, e.time_ms, e.user_id, e.room_id) for e in events if not e.sampled]


EXPECTED = [
    ("USER_UPDATED", 50_000, "user-1", ""),
    ("USER_UPDATED", 50_000, "user-2", ""),
    ("ROOM_STARTED", 50_000, "", "room-10"),
    ("ROOM_STARTED", 50_000, "", "room-20"),
    ("IMPRESSION", 50_000, "user-2", "room-10"),
    ("ENTER", 50_000, "user-2", "room-10"),
    ("IMPRESSION", 100_000, "user-1", "room-10"),
    ("ENTER", 100_000, "user-1", "room-10"),
    ("IMPRESSION", 100_001, "user-1", "room-20"),
    ("ENTER", 100_001, "user-1", "room-20"),
]


@pytest.mark.parametrize("layout", [grouplens_100k, grouplens_1m, recbole])
def test_every_layout_gives_the_same_history(tmp_path: Path, layout) -> None:
    layout(tmp_path)
    events = list(movielens.events(tmp_path))
    assert told(events) == EXPECTED
    rooms = [event for event in events if event.kind is EventKind.ROOM_STARTED]
    assert [(room.title, room.category) for room in rooms] == [("Café Toy (1995)", "Animation"), ("Eye", "Action")]
    assert events[0].attributes == {"age": 24.0, "gender": "M", "occupation": "technician"}


def test_the_other_movie_is_drawn_beside_each_rating(tmp_path: Path) -> None:
    grouplens_100k(tmp_path)
    drawn = [(e.time_ms, e.room_id) for e in movielens.events(tmp_path, sampled=4) if e.sampled]
    assert drawn == [(50_000, "room-20"), (100_000, "room-20"), (100_001, "room-10")]


def test_the_wheel_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    recbole(tmp_path / "plain")
    wheel = tmp_path / "recbole-1.2.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in (tmp_path / "plain").iterdir():
            archive.write(path, f"recbole/dataset_example/ml-100k/{path.name}")
    assert told(list(movielens.events(wheel))) == EXPECTED


def test_ratings_alone_suffice(tmp_path: Path) -> None:
    grouplens_100k(tmp_path)
    (tmp_path / "u.user").unlink()
    (tmp_path / "u.item").unlink()
    assert told(list(movielens.events(tmp_path))) == EXPECTED[2:]


def test_a_broken_line_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected one of ml-100k\.inter, u\.data, ratings\.dat, found none"):
        movielens.events(tmp_path)
    (tmp_path / "u.data").write_text("1\t20\t5\t100\n1\t20\n")
    with pytest.raises(DataError, match=r"u\.data: line 2: expected 4 columns, received 2"):
        movielens.events(tmp_path)


def test_only_enter_has_labels(tmp_path: Path) -> None:
    grouplens_100k(tmp_path)
    about = import_log("movielens", tmp_path, tmp_path / "log")
    assert about.heads == ("enter",)
    assert about.attributes["user"]["age"] == {"kind": "number"}
