"""MovieLens 100K and 1M (GroupLens): ratings, where each movie stands as a room open for the whole period.

Reads a folder with `u.data` (and `u.user`, `u.item`), with `ratings.dat` (and `users.dat`, `movies.dat`), or with
`ml-100k.inter` (and `.user`, `.item`) as in the `recbole` wheel; the wheel itself will do too:
`pip download --no-deps recbole==1.2.1`. Where ratings of a user share a second, the smaller movie id comes first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from zipfile import Path as ZipPath
from zipfile import is_zipfile

import numpy as np

from feature_service.features.events import Event, EventKind
from training.data.errors import DataError
from training.data.importers.merge import Block, merge
from training.data.importers.rooms import OpenRooms, room_blocks
from training.data.importers.tables import Ints
from training.data.importers.unseen import Entries, entry_blocks, order_entries

NAME = "movielens"
LACKS = (
    "live rooms: a movie stands as a room and a streamer, open for the whole period",
    "impressions: movies that were not rated are drawn and marked as sampled",
    "visits: a rating, of any number of stars, is an enter; there is no leave, so no watch time",
    "reactions, context, and what happens in rooms",
)
HEADS = ("enter",)

_WHEEL_FOLDER = "recbole/dataset_example/ml-100k/"
# fmt: off
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on


_Folder = Path | ZipPath
"""Files on disk, or in a zip archive."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file's name and layout: its columns in order, what separates them, and whether it names them first."""

    name: str
    columns: tuple[str, ...]
    separator: str
    titled: bool = False


@dataclass(frozen=True, slots=True)
class _Form:
    """The files of one distribution; users and movies may be absent."""

    ratings: _File
    users: _File
    movies: _File


_RATING = ("user_id", "movie_id", "rating", "timestamp")
_FORMS = (
    _Form(
        _File("ml-100k.inter", _RATING, "\t", titled=True),
        _File("ml-100k.user", ("user_id", "age", "gender", "occupation", "zip"), "\t", titled=True),
        _File("ml-100k.item", ("movie_id", "title", "year", "genres"), "\t", titled=True),
    ),
    _Form(
        _File("u.data", _RATING, "\t"),
        _File("u.user", ("user_id", "age", "gender", "occupation", "zip"), "|"),
        _File("u.item", ("movie_id", "title", "released", "video", "url", *_GENRES), "|"),
    ),
    _Form(
        _File("ratings.dat", _RATING, "::"),
        _File("users.dat", ("user_id", "gender", "age", "occupation", "zip"), "::"),
        _File("movies.dat", ("movie_id", "title", "genres"), "::"),
    ),
)

_Columns = Mapping[str, tuple[str, ...]]


def events(source: Path, *, sampled: int = 4, seed: int = 7) -> Iterator[Event]:
    """The ratings as events in order of time.

    Args:
        source: The folder, or the `recbole` wheel.
        sampled: Movies drawn beside each that was rated.
        seed: Of the draw.

    Raises:
        DataError: No known distribution is there, or a file is not as expected.
    """
    folder: _Folder = ZipPath(source, _WHEEL_FOLDER) if source.is_file() and is_zipfile(source) else source
    form = next((form for form in _FORMS if (folder / form.ratings.name).is_file()), None)
    if form is None:
        raise DataError(f"{source}: expected one of {', '.join(f.ratings.name for f in _FORMS)}, found none")
    ratings = _read(folder, form.ratings)
    user, movie, seconds = (_numbers(ratings, name, form.ratings) for name in ("user_id", "movie_id", "timestamp"))
    order, time_ms = order_entries(user, seconds * 1000, movie)
    found, room = np.unique(movie[order], return_inverse=True)
    rooms = _rooms(_optional(folder, form.movies), found, int(time_ms[0]), int(time_ms[-1]))
    entries = Entries([f"user-{who}" for who in user[order].tolist()], room, time_ms, np.full(len(user), -1))
    started, ended = room_blocks(rooms, int(time_ms[-1]))
    impressions, enters, leaves = entry_blocks(rooms, entries, sampled=sampled, seed=seed)
    profiles = _profiles(_optional(folder, form.users), int(time_ms[0]))
    return merge((profiles, started, impressions, enters, leaves, ended))


def _rooms(movies: _Columns, found: Ints, first_ms: int, last_ms: int) -> OpenRooms:
    """The rated movies as rooms that outlast the log by a millisecond, and so are open at its end."""
    row = {name: place for place, name in enumerate(movies.get("movie_id", ()))}
    places = [row.get(str(name), -1) for name in found.tolist()]
    genres = _genres(movies)
    titles = movies.get("title", ())
    return OpenRooms(
        room_id=[f"room-{name}" for name in found.tolist()],
        streamer_id=[f"streamer-{name}" for name in found.tolist()],
        start_ms=np.full(len(found), first_ms),
        end_ms=np.full(len(found), last_ms + 1),
        title=[titles[place] if place >= 0 else "" for place in places],
        category=[genres[place] if place >= 0 else "" for place in places],
    )


def _genres(movies: _Columns) -> list[str]:
    """The first genre of each movie."""
    if "genres" in movies:
        return [text.replace("|", " ").split(" ")[0] for text in movies["genres"]]
    if "unknown" not in movies:
        return []
    flags = zip(*(movies[name] for name in _GENRES), strict=True)
    return [next((name for name, flag in zip(_GENRES, row, strict=True) if flag == "1"), "") for row in flags]


def _profiles(users: _Columns, time_ms: int) -> Block:
    names = users.get("user_id", ())

    def profile(row: int) -> Event:
        attributes = {
            "age": float(users["age"][row]),
            "gender": users["gender"][row],
            "occupation": users["occupation"][row],
        }
        user_id = f"user-{names[row]}"
        return Event(
            f"profile-{row}", EventKind.USER_UPDATED, time_ms, user_id, attributes=MappingProxyType(attributes)
        )

    return Block(np.full(len(names), time_ms), profile)


def _optional(folder: _Folder, file: _File) -> _Columns:
    return _read(folder, file) if (folder / file.name).is_file() else {}


def _read(folder: _Folder, file: _File) -> _Columns:
    path = folder / file.name
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # GroupLens' own files are Latin-1.
        text = data.decode("latin-1")
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")[1 if file.titled else 0 :]
    rows = [line.split(file.separator) for line in lines]
    if not rows:
        raise DataError(f"{path}: expected rows, found none")
    for number, row in enumerate(rows, start=2 if file.titled else 1):
        if len(row) != len(file.columns):
            raise DataError(f"{path}: line {number}: expected {len(file.columns)} columns, received {len(row)}")
    return dict(zip(file.columns, zip(*rows, strict=True), strict=True))


def _numbers(columns: _Columns, name: str, file: _File) -> Ints:
    try:
        return np.array(columns[name], np.float64).astype(np.int64)
    except ValueError as error:
        raise DataError(f"{file.name}: {name}: expected whole numbers, {error}") from error
