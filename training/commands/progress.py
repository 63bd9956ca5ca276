"""Progress bars of long work: on standard error, and only where a person looks."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from training.train import Progress as TrainingProgress


@contextmanager
def counter(what: str, total: int | None, *, quiet: bool = False) -> Generator[Callable[[int], None], None, None]:
    """A bar of things done; yields the function that takes how many are.

    Args:
        what: Name of the things.
        total: How many there will be; None = not known.
        quiet: Draw nothing.
    """
    with _bar(quiet) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, completed=total)


@contextmanager
def counters(*, quiet: bool = False) -> Generator[Callable[[str, int], None], None, None]:
    """A line for each kind of thing, of which nobody knows how many there are; yields what takes kind and number."""
    with _bar(quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done)

        yield show


@contextmanager
def epochs(model: str, *, quiet: bool = False) -> "Generator[Callable[[TrainingProgress], None], None, None]":
    """A bar of a model's training, an epoch at a time; yields the function that takes its progress."""
    with _bar(quiet) as bar:
        task = bar.add_task(model, total=None)

        def show(progress: "TrainingProgress") -> None:
            loss = progress.loss if progress.validation_loss is None else progress.validation_loss
            name = "loss" if progress.validation_loss is None else "validation loss"
            text = f"{model} epoch {progress.epoch}/{progress.epochs}, {name} {loss:.4f}"
            bar.update(task, total=progress.batches, completed=progress.batch, description=text)

        yield show


@contextmanager
def steps() -> Generator[Callable[[str], None], None, None]:
    """A line that says what is being done; yields the function that takes it."""
    with _bar(quiet=False) as bar:
        task = bar.add_task("", total=None)

        def show(what: str) -> None:
            bar.update(task, description=what)
            bar.advance(task)

        yield show


def _bar(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet or not sys.stderr.isatty())
