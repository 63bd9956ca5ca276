"""Path arguments on HDFS or in an object store, for verbs that work on local files: fetched before, stored after."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any

from training.storage import fetched, kept, stored

Run = Callable[[argparse.Namespace], int]


def local_paths(
    *, read: Sequence[str] = (), write: Sequence[str] = (), keep: Sequence[str] = ()
) -> Callable[[Run], Run]:
    """Gives a verb's `run` local paths in place of the places that its arguments name; local ones stay as they are.

    Args:
        read: Arguments whose files or folders are read.
        write: Whose files or folders are made; they are stored when the verb ends well.
        keep: Whose folders are gone on in; they are stored in any case.
    """

    def decorate(run: Run) -> Run:
        @wraps(run)
        def run_locally(arguments: argparse.Namespace) -> int:
            local = argparse.Namespace(**vars(arguments))
            with ExitStack() as stack:
                enter = stack.enter_context
                _each(local, read, lambda place: enter(fetched(place)))
                _each(local, write, lambda place: enter(stored(place)))
                _each(local, keep, lambda place: enter(kept(place))[0])
                return run(local)

        return run_locally

    return decorate


def _each(arguments: argparse.Namespace, names: Sequence[str], here: Callable[[Any], Any]) -> None:
    """Replaces the values of some arguments; one may be missing or a list."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None:
            setattr(arguments, name, [here(place) for place in value] if isinstance(value, list) else here(value))
