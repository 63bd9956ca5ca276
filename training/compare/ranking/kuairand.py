"""The KuaiRand protocol: the first ten days to train on, 18 April 2022 to stop by, 19 and 20 April to judge.

Days and labels are the file's own (`date`, Beijing time), so that the figures stand beside others' on the same rows:
`enter` is the click, `long_watch` a click with a long view (ESMM's conversion; 231 long views without a click do not
count). Features come from the importer and the replay, as they were at each impression.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.compare.ranking.data import RankingData
from training.data.dataset import catalog_of_set
from training.data.errors import DataError
from training.data.importers import import_log
from training.data.importers.tables import ints, read_parquet
from training.data.sample_set import build_samples
from training.data.samples import Samples
from training.data.samples_io import ABOUT, read_samples
from training.data.split import Split
from training.evaluate import CONVERSION
from training.heads import HEAD_NAMES
from training.layers.fitted import encodings_of

VALIDATION_DATE, TEST_DATE = 20220418, 20220419

REPORTED = {"enter": "click", "long_watch": "click and long view", CONVERSION: "long view, given a click (CVR)"}

_COLUMNS = ("time_ms", "date", "is_click", "long_view")

OnCount = Callable[[str, int], None]
"""Takes what is being done, and how many events are."""


def kuairand_data(source: Path, work: Path, on_count: OnCount = lambda *_: None) -> RankingData:
    """The data of the protocol.

    Args:
        source: The folder with `interactions.parquet`.
        work: Folder of the log and the samples; what is finished there is read again.
        on_count: Is called from time to time.

    Raises:
        DataError: The file is not as expected, or the samples are of another.
    """
    file = source / "interactions.parquet"
    table = read_parquet(file, _COLUMNS)
    order = np.argsort(ints(table, "time_ms"), kind="stable")
    time_ms, date, click, view = (ints(table, name)[order] for name in _COLUMNS)
    folder = _samples(source, work, on_count)
    samples = read_samples(folder)
    # Each impression is a request of its own, so slates, candidates and rows of the file stand in one order.
    if not np.array_equal(samples.slates.time_ms, time_ms):
        raise DataError(f"{folder}: expected the samples of {file}, received others: move them away")
    labelled = _labelled(samples, {"enter": click == 1, "long_watch": (click == 1) & (view == 1)})
    return RankingData(
        title="KuaiRand-27K",
        split=Split(
            training=labelled.of_slates(date < VALIDATION_DATE),
            validation=labelled.of_slates(date == VALIDATION_DATE),
            test=labelled.of_slates(date >= TEST_DATE),
        ),
        encodings=encodings_of(catalog_of_set(folder).features),
        reported=REPORTED,
    )


def _samples(source: Path, work: Path, on_count: OnCount) -> Path:
    log, samples = work / "log", work / "samples"
    if not (log / "about.json").exists():
        import_log("kuairand", source, log, on_count=lambda done: on_count("import", done))
    if not (samples / ABOUT).exists():
        build_samples(log, samples, on_progress=lambda done: on_count("replay", done.events))
    return samples


def _labelled(samples: Samples, columns: dict[str, NDArray[np.bool_]]) -> Samples:
    """The samples with these labels of every row, bool [N], in place of what the join found."""
    candidates = samples.candidates
    labels, mask = candidates.labels.copy(), candidates.mask.copy()
    for head, values in columns.items():
        labels[:, HEAD_NAMES.index(head)] = values
        mask[:, HEAD_NAMES.index(head)] = True
    return replace(samples, candidates=replace(candidates, labels=labels, mask=mask))
