"""A run: train, assess, gate, export and publish models of one data set."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from serving.credentials import PLAIN, Credentials
from serving.history import EntryKind, happened
from serving.manifest import Provenance
from training import base_path as base_paths
from training.assess import Assessment, assess, baseline_reports, gate
from training.data.dataset import Dataset
from training.evaluate_recall import RecallReport
from training.export import export
from training.export_check import export_check
from training.gate import Decision
from training.layers.fitted import encodings_of
from training.publish import Published, publish
from training.report import Evaluation
from training.revision import git_revision
from training.run_config import RunConfig
from training.run_folder import run_folder
from training.storage import Place, fetched
from training.train import Progress, train
from training.trained import TrainedModel

CHECKED_SLATES_MS = 600_000
"""Served and trained outputs are compared on the slates of the test part's first ten minutes."""


@dataclass(frozen=True, slots=True)
class ModelRun:
    """What became of one model.

    Attributes:
        assessment: What it is worth on the test part.
        decision: The gate's answer.
        published: Its version; None when the gate refused it.
    """

    assessment: Assessment
    decision: Decision
    published: Published | None


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run puts things.

    Attributes:
        work: Folder of training runs and exports.
        models: Folder of the models' base paths.
        servers: Model servers to wait for, `host:port`.
        credentials: By what they are known, and what they know us by.
    """

    work: Place
    models: Place
    servers: Sequence[str] = ()
    credentials: Credentials = PLAIN


def run_model(
    config: RunConfig,
    dataset: Dataset,
    places: Places,
    on_progress: Callable[[Progress], None] | None = None,
    since: Place | None = None,
    problems: Sequence[str] = (),
) -> ModelRun:
    """Trains one model and publishes it if the gate lets it pass.

    Args:
        config: Of the model.
        dataset: What it learns from and is judged on.
        places: Where things go.
        on_progress: As of `training.train.train`.
        since: Likewise.
        problems: Reasons to refuse it whatever it is worth.

    Raises:
        ConfigError: The data lack what the configuration needs.
        TrainedError: The work folder holds a finished run of this model.
        DataError: A remote folder cannot be reached, read or written.
        ExportError: What the SavedModel answers differs from the model in memory.
        PublishError: It could not be published.
    """
    with (
        run_folder(places.work / config.model, on_progress) as (directory, told),
        fetched(since) if since else nullcontext() as earlier,
    ):
        trained = train(
            config,
            dataset.split.training,
            dataset.split.validation,
            directory,
            encodings=encodings_of(dataset.catalog.features),
            visits=dataset.enters,
            since=earlier,
            rooms=dataset.rooms,
            on_progress=told,
            erased=dataset.erased,
        )
        assessment = assess(trained, dataset)
        base_path = places.models / config.model
        decision = gate(trained, assessment, dataset, base_path, problems)
        verdict = EntryKind.ACCEPTED if decision.accepted else EntryKind.REFUSED
        base_paths.note(base_path, happened(verdict, lines=[*decision.reasons, *decision.notes]))
        if not decision.accepted:
            return ModelRun(assessment, decision, None)
        saved = directory / "saved_model"
        export_model(trained, saved, dataset)
        published = publish(
            saved,
            base_path,
            config.model,
            _provenance(assessment, dataset),
            servers=places.servers,
            credentials=places.credentials,
            erased=dataset.erased,
        )
        return ModelRun(assessment, decision, published)


def export_model(trained: TrainedModel, directory: Path, dataset: Dataset) -> float:
    """Exports a model and compares what the SavedModel answers on real rows.

    Returns:
        The largest difference.

    Raises:
        ExportError: The directory exists, or the answers differ.
    """
    export(trained.model, directory)
    test = dataset.split.test
    start_ms = int(test.slates.time_ms[0])
    return export_check(trained.model, directory, test.between(start_ms, start_ms + CHECKED_SLATES_MS))


def evaluation(dataset: Dataset, assessments: Sequence[Assessment]) -> Evaluation:
    """All assessments as one report, the rankers beside popularity and random."""
    rankings = [each.ranking for each in assessments if each.ranking is not None]
    recalls = {each.name: each.recall for each in assessments if each.recall is not None}
    return Evaluation(
        about=_about(dataset),
        rankings=[*rankings, *baseline_reports(dataset)] if rankings else (),
        recall=_together(recalls) if recalls else None,
    )


def _together(reports: Mapping[str, RecallReport]) -> RecallReport:
    """The recall models beside each other and before the baselines; all were asked the same cases."""
    first = next(iter(reports.values()))
    models = {name: report.metrics[name] for name, report in reports.items()}
    return replace(first, metrics=models | {name: found for name, found in first.metrics.items() if name not in models})


def _about(dataset: Dataset) -> dict[str, str]:
    split = dataset.split
    parts = {"training": split.training, "validation": split.validation, "test": split.test}
    sizes = ", ".join(f"{name} {len(part.candidates.room)}" for name, part in parts.items())
    return {
        "log": f"{dataset.about.log} ({dataset.about.importer or 'no description'})",
        "impressions": f"{sizes}; {dataset.about.sampled} of all were sampled among the rooms live then",
        "lacks": "; ".join(dataset.about.lacks) or "nothing",
    }


def _provenance(assessment: Assessment, dataset: Dataset) -> Provenance:
    return Provenance(
        data_from_ms=dataset.about.first_ms,
        data_until_ms=dataset.at.validation_ms,
        metrics={name: measure.value for name, measure in assessment.measures.items()},
        catalogue_hash=dataset.catalog.fingerprint,
        git_revision=git_revision(),
    )
