"""The model list in force: applies a new one, and owns the version labels."""

import threading
from collections.abc import Mapping, Sequence

import grpc

from protos.onair.v1.tfserving_pb2 import ModelServerConfig
from serving.errors import serving_error
from serving.local.model_config import ServedModel, served_models
from serving.local.repository import Repository, Version


class ServedConfig:
    """Applies model lists one at a time; a list that is refused changes nothing."""

    def __init__(self, repository: Repository, *, labels_may_wait: bool) -> None:
        """Starts with an empty list.

        Args:
            repository: Loads what the list says.
            labels_may_wait: A new label may name a version that is not available yet
                (`--allow_version_labels_for_unavailable_models`).
        """
        self._repository = repository
        self._labels_may_wait = labels_may_wait
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._reloading = threading.Lock()

    def version_of_label(self, model: str, label: str) -> int:
        """The version that a label stands for.

        Raises:
            RequestRefusedError: The model has no such label.
        """
        number = self._labels.get(model, {}).get(label)
        if number is None:
            raise serving_error(grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        return number

    def reload(self, config: ModelServerConfig, *, noun: str = "model(s)") -> None:
        """Puts a model list in force and waits until its new models are available.

        Like TF Serving it waits without end for a new model that has no version on disk, and later reloads wait for it.

        Args:
            config: The list.
            noun: What the message calls the models that did not become available.

        Raises:
            ServingError: The list or a label is refused (nothing changed), or a new model failed to load (UNKNOWN).
        """
        models = served_models(config)
        with self._reloading:
            self._check_labels(models)
            new = [model.name for model in models if model.name not in self._repository.configured()]
            self._labels = {model.name: model.labels for model in models}
            self._repository.apply(models)
            failed = self._repository.wait_for(new)
        if failed:
            raise serving_error(
                grpc.StatusCode.UNKNOWN,
                f"{len({name for name, _ in failed})} {noun} did not become available: {_list(failed)}",
            )

    def _check_labels(self, models: Sequence[ServedModel]) -> None:
        for model in models:
            known = self._labels.get(model.name, {})
            for label, number in sorted(model.labels.items()):
                moves = label in known and known[label] != number
                may_wait = self._labels_may_wait and not moves
                if not may_wait and not self._repository.available(model.name, number):
                    raise serving_error(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {model.name},"
                        " which is not currently available for inference",
                    )


def _list(failed: Sequence[tuple[str, Version]]) -> str:
    reasons = [
        f"{{{{name: {name} version: {version.number}}} due to error: {version.error}}}" for name, version in failed
    ]
    return "{" + ", ".join(reasons) + ", }"
