"""Erasure around a Flink job: in what has landed for it, in the records that it tells, and in the hours made of it."""

from collections.abc import Callable

import numpy as np

from feature_service.features.schema import key_of
from feature_service.log.codec import EVENTS
from feature_service.retention import anonymous_event
from feature_service.served.retention import anonymous_slate
from feature_service.served.slate import SLATES
from training.data.erased import NOBODY, Erased
from training.data.hours import HOUR_MS
from training.data.locations import locate, reachable, take_place
from training.data.sources import order_ms
from training.streaming.erasing import erase_users
from training.streaming.flink.landing import EVENTS_FOLDER, line_of, record_of
from training.streaming.flink.parts import Arrays, RecordsKey, arrays_of_line, to_line
from training.streaming.flink.plan import whole_files

RECORDS_FOLDER = "records"
"""Beside the parts: the tag of the job's side output."""


class LandedErasing:
    """Exchanges records of one log where it has landed; positions stay, and so does the number of lines.

    A job that has read a file does not read it again, and one that reads it anew sees nobody's events in it, as in the
    log itself.
    """

    def __init__(self, target: str, log: str) -> None:
        """Takes the folder.

        Args:
            target: URI of it.
            log: Which log it is, by the folder's name: `EVENTS_FOLDER` or `SLATES_FOLDER`.
        """
        self._target = target
        self._changed = _event_without if log == EVENTS_FOLDER else _slate_without
        self._left = NOBODY

    def erase(self, erased: Erased) -> int:
        """Takes users out, those only of whom it does not know yet that they have left; in how many files they were.

        Raises:
            DataError: The folder cannot be read or written.
        """
        new, self._left = erased.without(self._left), erased
        if not len(new):
            return 0
        return _rewrite(self._target, lambda line: self._changed(line, new))


class JobErasing:
    """Takes users out of the hours that a committer has written for the last time, and out of a job's records."""

    def __init__(self, output: str, samples: str) -> None:
        """Takes the URIs of the job's output and of the samples' folder."""
        self._records, self._samples = f"{output}/{RECORDS_FOLDER}", samples
        self._left = NOBODY

    def erase(self, erased: Erased, final: int | None) -> None:
        """Takes those out of whom all hours are over that tell of them: by then the job has told all that it knew.

        Args:
            erased: The users.
            final: The newest hour that is over; None as long as there is none.

        Raises:
            DataError: Something cannot be read or written.
        """
        if final is None:
            return
        over = erased.since(0, (final + 1) * HOUR_MS)
        new, self._left = over.without(self._left), over
        if len(new):
            _rewrite(self._records, lambda line: _records_without(line, new))
            erase_users(self._samples, new, final + 1)


def _rewrite(uri: str, changed: Callable[[str], str]) -> int:
    """Writes the files of a folder anew in which a line changes; returns how many."""
    filesystem, folder = locate(uri)
    files = 0
    with reachable(uri):
        for item in whole_files(filesystem, folder):
            with filesystem.open_input_file(item.path) as file:
                before = file.read().decode().splitlines()
            after = [changed(line) for line in before]
            if after != before:
                unfinished = f"{folder}/.{item.base_name}"
                with filesystem.open_output_stream(unfinished) as file:
                    file.write("".join(f"{line}\n" for line in after).encode())
                take_place(filesystem, unfinished, item.path)
                files += 1
    return files


def _event_without(line: str, erased: Erased) -> str:
    position, payload = record_of(line)
    event = EVENTS.from_bytes(payload)
    if not _is_of(erased, event.user_id, order_ms(event)):
        return line
    return line_of(position, EVENTS.to_bytes(anonymous_event(event, position)))


def _slate_without(line: str, erased: Erased) -> str:
    position, payload = record_of(line)
    slate = SLATES.from_bytes(payload)
    if not _is_of(erased, slate.user_id, slate.served_ms):
        return line
    return line_of(position, SLATES.to_bytes(anonymous_slate(slate)))


def _is_of(erased: Erased, user_id: str, time_ms: int) -> bool:
    user = np.array([key_of("user", user_id)], np.int64)
    return bool(erased.rows(user, np.array([time_ms], np.int64))[0])


def _records_without(line: str, erased: Erased) -> str:
    """A line of records without those of users that are as of before their erasure, nor a word of it."""
    moment_ms, side, shard = line.partition("\t")[0].split(" ")
    if side != "viewers":
        return line
    key, arrays = RecordsKey(int(moment_ms), side, int(shard)), arrays_of_line(line)
    kept = _viewers_without(arrays, erased, key.moment_ms)
    return line if all(len(kept[name]) == len(arrays[name]) for name in arrays) else to_line(key, kept)


def _viewers_without(arrays: Arrays, erased: Erased, moment_ms: int) -> Arrays:
    def keep(users: np.ndarray) -> np.ndarray:
        return ~erased.rows(users, np.full(len(users), moment_ms))

    own, owners = keep(arrays["users"]["key"]), keep(arrays["pair_users"])
    return {
        "users": arrays["users"][own],
        "pairs": arrays["pairs"][owners],
        "pair_users": arrays["pair_users"][owners],
        "erased": arrays["erased"][~np.isin(arrays["erased"], erased.keys)],
    }
