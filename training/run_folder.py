"""The folder of a training run, wherever it lies: a remote one is brought up to date after every epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.storage import Place, kept
from training.train import OnProgress, Progress


@contextmanager
def run_folder(place: Place, on_progress: OnProgress | None = None) -> Iterator[tuple[Path, OnProgress]]:
    """A run's folder as a local path, and what is to be told of the training's progress.

    An interrupted run whose folder is remote goes on from its last epoch too, from another machine if need be.

    Args:
        place: The run's folder.
        on_progress: Told as well.

    Raises:
        DataError: It cannot be reached, read or written.
    """
    with kept(place) as (folder, store):

        def told(progress: Progress) -> None:
            if progress.batch == 1:  # The checkpoint of the epoch before is written by then.
                store()
            if on_progress:
                on_progress(progress)

        yield folder, told
