"""The directory of a run: new, or that of an interrupted run of the same configuration and samples."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from training.distribution import ALONE, Workers
from training.trained import HISTORY_FILE, RunFiles, TrainedError


@contextmanager
def opened(directory: Path, files: RunFiles, workers: Workers = ALONE) -> Generator[None]:
    """Prepares the directory of a new run, or accepts that of an interrupted one.

    A new run that fails within has learnt nothing, and leaves nothing that would refuse the next.

    Of several workers all look before the chief writes, and all but the chief once more after that.

    Raises:
        TrainedError: The directory holds a finished run, or another one.
    """
    is_new = _is_new(directory, files)
    workers.meet()
    writes = is_new and workers.is_chief
    if writes:
        files.write(directory)
    try:
        workers.meet()
        if not workers.is_chief:
            _is_new(directory, files)
        yield
    except BaseException:
        if writes:
            files.remove(directory)
        raise


def _is_new(directory: Path, files: RunFiles) -> bool:
    """Whether the directory holds no run yet.

    Raises:
        TrainedError: It holds a finished run, or another one.
    """
    if (directory / HISTORY_FILE).exists():
        raise TrainedError(f"{directory}: expected a new directory or an interrupted run, received a finished run")
    try:
        earlier = RunFiles.read(directory)
    except TrainedError:
        return True
    if not files.same_as(earlier):
        raise TrainedError(
            f"{directory}: expected an interrupted run of this configuration and these samples, received another"
        )
    return False
