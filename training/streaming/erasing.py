"""Erasure in samples by the hour: what tells of users who were erased leaves hours that are over, as new revisions."""

from pathlib import Path

from training.data.erased import Erased
from training.data.hours import hours_in, newest_revision, remove_revisions, revision_name
from training.data.locations import locate, reachable
from training.data.sample_erasing import copy_without, tells_of
from training.data.sample_reader import ABOUT
from training.streaming.hourly_samples import COVERS


def erase_users(uri: str | Path, erased: Erased, before: int) -> list[int]:
    """Writes the hours that tell of some users anew without them, and removes what was there.

    Who reads such an hour meanwhile has to read it again.

    Args:
        uri: The samples' folder.
        erased: The users.
        before: Hours from this one on (since the Unix epoch) are left to their writer.

    Returns:
        The hours that were written anew.

    Raises:
        DataError: The samples cannot be read or written.
    """
    filesystem, folder = locate(uri)
    changed = list[int]()
    with reachable(uri):
        for hour in hours_in(filesystem, folder):
            held = newest_revision(filesystem, folder, hour, ABOUT) if hour < before else None
            if held is None or not tells_of(filesystem, held.path, erased):
                continue
            number = held.number + 1
            target = f"{folder}/{revision_name(hour, number)}"
            copy_without(filesystem, held.path, target, erased, {COVERS: {"number": number}})
            remove_revisions(filesystem, folder, hour, lambda each, newest=number: each == newest)
            changed.append(hour)
    return changed
