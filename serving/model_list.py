"""The model list of `serving/config/models.config`, and its copy for another models directory."""

from pathlib import Path

from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import ModelServerConfig

CONFIG_PATH = Path(__file__).parent / "config" / "models.config"
IMAGE_MODELS = "/models"  # where the base paths of `models.config` lie, as in TF Serving's image


class ModelListError(ValueError):
    """A models.config that does not parse: one line with path and place."""


def read_model_list(path: Path = CONFIG_PATH) -> ModelServerConfig:
    """Reads a model list (text proto).

    Raises:
        ModelListError: The file does not parse; the message has its path and place.
        OSError: It cannot be read.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ModelListError(f"{path}: {str(error).splitlines()[0]}") from error


def model_names(config: ModelServerConfig) -> list[str]:
    """The models' names, in the list's order."""
    return [model.name for model in config.model_config_list.config]


def write_model_list(models: Path, *, source: Path = CONFIG_PATH) -> Path:
    """Writes `models.config` into a models directory, its base paths moved there from `/models`.

    Args:
        models: The directory whose children are the models.
        source: The model list to copy.

    Returns:
        The path of the copy.

    Raises:
        ModelListError: The source does not parse, or a base path is not under `/models`.
        OSError: A file cannot be read or written.
    """
    config = read_model_list(source)
    for model in config.model_config_list.config:
        if not Path(model.base_path).is_relative_to(IMAGE_MODELS):
            raise ModelListError(
                f"{source}: base_path of {model.name}: expected one under {IMAGE_MODELS}, received {model.base_path}"
            )
        model.base_path = str(models.resolve() / Path(model.base_path).relative_to(IMAGE_MODELS))
    copy = models / "models.config"
    copy.write_text(text_format.MessageToString(config))
    return copy
