"""The training loop: epochs over shuffled slates, checkpoint and resume, early stopping, logs for TensorBoard."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from training.continuation import earlier_ranker, grown, take_over
from training.data.erased import NOBODY, Erased
from training.data.examples import Batch, Examples, repack
from training.data.samples import RoomVersions, Samples
from training.distribution import ALONE, Workers
from training.epochs import best_epoch, has_patience, shuffled
from training.heads import HEAD_NAMES
from training.layers.fitted import Encodings, Fitted, fit
from training.models import MODELS
from training.models.ranking import Ranker
from training.models.recall import RECALL, LearntRecall, SolvedRecall
from training.predict import predict
from training.recall_baselines import Enters
from training.run_config import OPTIMIZERS, ConfigError, RunConfig, choose
from training.run_directory import opened
from training.solve import solve
from training.trained import (
    BEST,
    HISTORY_FILE,
    History,
    LearntModel,
    RunFiles,
    TrainedModel,
    blueprint_of,
    build,
    load_trained,
)

LATEST = "checkpoints/latest"

_NO_VISITS = Enters.of(*np.zeros((3, 0), np.int64))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: From 1.
        epochs: Epochs at most.
        batch: Batches of this epoch that are done.
        batches: Batches an epoch.
        loss: Mean training loss of this epoch so far.
        validation_loss: Set at the end of an epoch.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    validation_loss: float | None = None


OnProgress = Callable[[Progress], None]


def train(
    config: RunConfig,
    training: Samples,
    validation: Samples,
    directory: Path,
    *,
    encodings: Encodings,
    visits: Enters | None = None,
    since: Path | None = None,
    rooms: RoomVersions | None = None,
    on_progress: OnProgress | None = None,
    workers: Workers = ALONE,
    erased: Erased = NOBODY,
) -> TrainedModel:
    """Trains a model; goes on where it stopped if the directory holds an interrupted run of the same samples.

    A model by gradient learns from the samples; a solved one (`SolvedRecall`) is computed from the visits that began
    before the validation samples, and takes just its columns from the samples' layout.

    Args:
        config: The run.
        training: Samples to fit.
        validation: Later samples, on which training stops early and the best epoch is chosen.
        directory: Gets `run.json`, `fitted.npz`, `checkpoints/`, `logs/` and, at the end, `history.json`.
        encodings: How each feature is taken in, by name.
        visits: All visits, for a solved model.
        since: Directory of an earlier run to go on from: of a ranker that learns by gradient alone, whose weights are
            taken over, or of a solved model, whose visits count too; of `visits` only later ones do then.
        rooms: The rooms on air, packed as the samples, for recall models that draw negatives from them.
        on_progress: Called after every batch and every epoch.
        workers: Who trains together; each calls this with the same arguments. Rankers only.
        erased: Users of whom the earlier run's model may know, and this one must not.

    Raises:
        ConfigError: The samples lack what the configuration needs, several workers cannot train the model, or it cannot
            go on from that run.
        TrainedError: The directory holds a finished run, or another one.
        DistributionError: A worker was lost.
    """
    keras.utils.set_random_seed(config.seed)
    kind = MODELS[config.model]
    if workers.count > 1 and not issubclass(kind, Ranker):
        raise ConfigError(f"model {config.model}: expected a ranker for several workers, received a recall model")
    earlier = earlier_ranker(since, config) if since and not issubclass(kind, SolvedRecall) else None
    heads = earlier.layout.heads if earlier else _heads(config, training)
    layout = choose(training.layout, config.features, heads)
    _require("training", len(training.slates.user))
    _require("validation", len(validation.slates.user))
    seen_until_ms = max(int(part.slates.time_ms.max()) for part in (training, validation))
    learnt_until_ms = int(validation.slates.time_ms.min())
    if issubclass(kind, SolvedRecall):
        blueprint = blueprint_of(config, layout, encodings, Fitted({}, {}, {}, {}))
        files = RunFiles(config, blueprint, seen_until_ms, learnt_until_ms)
        with opened(directory, files):
            return solve(kind, files, visits or _NO_VISITS, learnt_until_ms, directory, since, erased)
    train_examples = Examples.of(kind.examples(training), layout)
    validation_examples = Examples.of(kind.examples(validation), layout)
    _require("training", len(train_examples))
    _require("validation", len(validation_examples))
    fitted = fit(train_examples.samples, layout, encodings, min_count=config.inputs.min_count)
    if earlier and since:
        fitted = grown(since, fitted, layout, erased)
    files = RunFiles(config, blueprint_of(config, layout, encodings, fitted), seen_until_ms, learnt_until_ms)
    with workers.together(), workers.folder(directory) as folder:
        with opened(directory, files, workers):
            run = _Run(
                files,
                directory,
                train_examples,
                validation_examples,
                rooms=None if rooms is None else _repacked(rooms, training.layout, layout),
                earlier=earlier,
                on_progress=on_progress or (lambda _: None),
                workers=workers,
                folder=folder,
            )
        run.run()
        workers.meet()
    return load_trained(directory)


def _require(part: str, slates: int) -> None:
    if not slates:
        raise ConfigError(f"{part} samples: expected at least one slate to learn from, received none")


def _heads(config: RunConfig, samples: Samples) -> tuple[str, ...]:
    """The configured heads that have labels, in the order of the label columns.

    Raises:
        ConfigError: A head that the model cannot do without has none, none is left, or a recall model is given some.
    """
    labelled = [
        h for h in HEAD_NAMES if h in samples.layout.heads and samples.candidates.mask[:, HEAD_NAMES.index(h)].any()
    ]
    heads = tuple(head for head in labelled if head in config.heads)
    recall = config.model in RECALL
    if recall and config.heads:
        raise ConfigError(f"heads: expected none of the recall model {config.model}, received {list(config.heads)}")
    for required in MODELS[config.model].requires:
        if required not in (labelled if recall else heads):
            found = labelled if recall else list(heads)
            raise ConfigError(
                f"model {config.model}: expected labels of {required}, received samples and heads of {found}"
            )
    if not recall and not heads:
        raise ConfigError(f"heads: expected one of the labelled heads {labelled}, received {list(config.heads)}")
    return heads


def _repacked(rooms: RoomVersions, packed: Layout, layout: Layout) -> RoomVersions:
    """The rooms with just the candidate columns of `layout`."""
    wanted = layout.select(CANDIDATE_TENSORS)
    tensors = {tensor.name: rooms.tensors[tensor.name] for tensor in wanted.tensors}
    return replace(rooms, tensors=repack(tensors, packed, wanted))


class _Run:
    """One run in progress: the model, its optimiser, and the history, which are saved together after every epoch."""

    def __init__(
        self,
        files: RunFiles,
        directory: Path,
        training: Examples,
        validation: Examples,
        *,
        rooms: RoomVersions | None,
        earlier: Ranker | None,
        on_progress: OnProgress,
        workers: Workers,
        folder: Path,
    ) -> None:
        self.config = files.config
        self.directory = directory
        self.workers = workers
        self.folder = folder
        self.training = training
        self.validation = validation
        self.on_progress = on_progress
        self.batches = -(-len(training) // self.config.training.batch_slates)
        with workers.scope():
            self.model: LearntModel = workers.as_one(build, files)
            if isinstance(self.model, Ranker) and earlier is not None:
                take_over(self.model, earlier)
            self.model.prepare(training.samples, validation.samples, self.config.training.batch_slates)
            if rooms is not None and isinstance(self.model, LearntRecall):
                self.model.meet(rooms, files.seen_until_ms, self.config.seed)
            make = OPTIMIZERS[self.config.training.optimizer]
            self.optimizer = make(self.config.training.learning_rate, jit_compile=False)
            self.optimizer.build(self.model.trainable_variables)
        self.model.compile(optimizer=self.optimizer)
        self.saved_history = tf.Variable(tf.constant("[]"), trainable=False)
        self.checkpoint = tf.train.Checkpoint(model=self.model, optimizer=self.optimizer, history=self.saved_history)
        specs = _specs(self._whole(training.batch(np.arange(1), 0)))
        self.train_step = workers.function(self.model.train_step, specs)
        self.test_step = workers.function(self.model.test_step, specs)

    def run(self) -> None:
        """Epochs until the patience or the number of epochs is used up."""
        manager = tf.train.CheckpointManager(self.checkpoint, str(self.folder / LATEST), max_to_keep=1)
        if latest := tf.train.latest_checkpoint(str(self.directory / LATEST)):
            self.checkpoint.restore(latest).assert_consumed()
            self.workers.meet()
        history: History = json.loads(bytes(self.saved_history.numpy()))
        writer = tf.summary.create_file_writer(str(self.folder / "logs"))
        while len(history) < self.config.training.epochs and has_patience(history, self.config.training.patience):
            history.append(self._epoch(len(history) + 1))
            if best_epoch(history) == len(history):
                tf.train.Checkpoint(model=self.model).write(str(self.folder / BEST))
            self.saved_history.assign(json.dumps(history))
            manager.save()
            with writer.as_default(step=len(history)):
                for name, value in history[-1].items():
                    tf.summary.scalar(name, value)
        writer.close()
        self.workers.meet()
        if isinstance(self.model, Ranker):
            self._calibrate(self.model)
        (self.folder / HISTORY_FILE).write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")

    def _calibrate(self, model: Ranker) -> None:
        """Fits the calibration of the best epoch on the validation samples, and keeps it with that epoch's weights."""
        best = tf.train.Checkpoint(model=model)
        best.read(str(self.directory / BEST)).expect_partial()
        self.workers.meet()
        samples = self.validation.samples
        candidates, heads = samples.candidates, self.validation.heads
        predicted = predict(model, samples, calibrated=False)
        model.calibration.fit(predicted, candidates.labels[:, heads], candidates.mask[:, heads])
        best.write(str(self.folder / BEST))

    def _epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training slates in an order that seed and epoch alone decide, then the validation loss."""
        started = time.perf_counter()
        rng = np.random.default_rng((self.config.seed, epoch))
        size = self.config.training.batch_slates if self.model.batches_in_time else 1
        order = shuffled(len(self.training), size, rng)
        first_step = (epoch - 1) * self.batches + 1
        entry: dict[str, float] = {"epoch": epoch}
        for done, results in enumerate(self._steps(self.train_step, self.training, order, first_step), start=1):
            entry |= results
            self.on_progress(Progress(epoch, self.config.training.epochs, done, self.batches, results["loss"]))
        for results in self._steps(self.test_step, self.validation, np.arange(len(self.validation)), 0):
            entry |= {f"validation_{name}": value for name, value in results.items()}
        self.on_progress(
            Progress(
                epoch,
                self.config.training.epochs,
                self.batches,
                self.batches,
                entry["loss"],
                entry["validation_loss"],
            )
        )
        return entry | {"seconds": time.perf_counter() - started}

    def _steps(
        self, step: Callable[[dict[str, tf.Tensor]], Any], examples: Examples, order: NDArray[np.int64], first: int
    ) -> Iterator[dict[str, float]]:
        """Runs a step on every batch; yields the mean losses up to there, batches weighted by their candidates."""
        self.model.reset_metrics()
        total = weight = 0.0
        slates = self.config.training.batch_slates
        sizes = np.add.reduceat(np.diff(examples.first)[order], np.arange(0, len(order), slates)).tolist()
        for size, batch in zip(sizes, self.workers.batches(examples, slates, order, first), strict=True):
            results = step({name: tf.constant(values) for name, values in self._whole(batch).items()})
            total += size * float(results["loss"])
            weight += size
            heads = {metric.name: float(results[metric.name]) for metric in self.model.metrics}
            yield {"loss": total / max(weight, 1.0)} | heads

    def _whole(self, batch: Batch) -> Batch:
        """A batch with what the model draws beside it."""
        return batch | self.model.drawn(batch) if isinstance(self.model, LearntRecall) else batch


def _specs(batch: Batch) -> dict[str, tf.TensorSpec]:
    """What batches look like: any number of slates and candidates."""
    return {
        name: tf.TensorSpec([None, *values.shape[1:]] if values.ndim else [], values.dtype, name)
        for name, values in batch.items()
    }
