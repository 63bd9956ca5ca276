"""The model list: reads `models.config` (text proto) and checks it as TF Serving does."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import ModelConfig, ModelServerConfig, ModelType
from serving.errors import ServingError, serving_error

VersionPolicy = Callable[[Iterable[int]], set[int]]

_URI = re.compile(r"[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model to serve.

    Attributes:
        name: By which requests name it.
        base_path: The directory whose numeric children are its versions.
        policy: Which of the versions on disk to load.
        labels: Version labels → version numbers.
    """

    name: str
    base_path: Path
    policy: VersionPolicy
    labels: Mapping[str, int] = field(default_factory=dict[str, int])


def latest(count: int) -> VersionPolicy:
    """The policy that loads the `count` highest versions; 0 means 1, as in TF Serving."""

    def select(versions: Iterable[int]) -> set[int]:
        return set(sorted(versions)[-max(count, 1) :])

    return select


def specific(wanted: Iterable[int]) -> VersionPolicy:
    """The policy that loads exactly the versions named, those of them that exist."""
    return set(wanted).intersection


def read_config(path: Path) -> ModelServerConfig:
    """Reads a model config file.

    Raises:
        ServingError: INVALID_ARGUMENT, NOT_FOUND: the file does not parse, is empty, or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise serving_error(grpc.StatusCode.NOT_FOUND, f"{path}; {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _invalid(f"Invalid protobuf file: '{path}': {error.reason} at byte {error.start}") from error
    if not text.strip():
        raise _invalid(f"{path}; Invalid argument")
    try:
        return text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        where = str(error).splitlines()[0]
        raise _invalid(f"Invalid protobuf file: '{path}': {where}") from error


def single_model_config(name: str, base_path: str) -> ModelServerConfig:
    """The config that `--model_name` and `--model_base_path` stand for."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    return config


def served_models(config: ModelServerConfig) -> tuple[ServedModel, ...]:
    """The models of a config, checked.

    Raises:
        ServingError: INVALID_ARGUMENT: not a list, a name twice, a foreign platform, or a path that is not absolute.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise _invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported"
        )
    models: dict[str, ServedModel] = {}
    for item in config.model_config_list.config:
        if item.name in models:
            raise _invalid(f"Illegal to list model {item.name} multiple times in config list")
        models[item.name] = _served_model(item)
    return tuple(models.values())


def _served_model(item: ModelConfig) -> ServedModel:
    if not item.model_platform and item.model_type == ModelType.MODEL_TYPE_UNSPECIFIED:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor"
            f" ModelServerConfig::model_platform, model name is {item.name}"
        )
    platform = item.model_platform or ModelType.Name(item.model_type).lower()
    if platform != "tensorflow":
        raise _invalid(f"Model {item.name} requests unsupported platform {platform}")
    if _URI.match(item.base_path):
        raise _invalid(
            f"Model {item.name}: the embedded server reads local paths only (python -m training mirror brings the"
            f" versions to one); got base_path()={item.base_path}"
        )
    path = Path(item.base_path)
    if not path.is_absolute() or "\0" in item.base_path:
        raise _invalid(f"Expected model {item.name} to have an absolute path or URI; got base_path()={item.base_path}")
    return ServedModel(item.name, path, _policy(item), dict(item.version_labels))


def _policy(item: ModelConfig) -> VersionPolicy:
    policy = item.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return set
    if choice == "specific":
        return specific(policy.specific.versions)
    return latest(policy.latest.num_versions)


def _invalid(message: str) -> ServingError:
    return serving_error(grpc.StatusCode.INVALID_ARGUMENT, message)
