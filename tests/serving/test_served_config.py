"""Model lists and version labels; models are loaded by a fake."""

import threading
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import ModelServerConfig
from serving.errors import ServingError, serving_error
from serving.local.model_config import read_config, served_models
from serving.local.repository import Repository, Retries
from serving.local.servable import Servable
from serving.local.served_config import ServedConfig

UNAVAILABLE_99 = (
    "FAILED_PRECONDITION: Request to assign label to version 99 of model m, which is not currently available"
    " for inference"
)


def load(path: Path) -> Servable:
    if path.parent.name == "bad":
        raise serving_error(grpc.StatusCode.NOT_FOUND, "no bundle")
    return Servable({}, b"", lambda: None)


def config_of(*models: str) -> ModelServerConfig:
    text = "".join(f'config {{ model_platform: "tensorflow" {model} }}' for model in models)
    return text_format.Parse(f"model_config_list {{ {text} }}", ModelServerConfig())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("m/1", "m/2", "bad/1"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def model(base: Path, **labels: int) -> str:
    listed = " ".join(f'version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items())
    return f'name: "m" base_path: "{base}/m" model_version_policy {{ all {{}} }} {listed}'


def served(*, labels_may_wait: bool) -> ServedConfig:
    return ServedConfig(Repository(load, Retries(0, 0)), labels_may_wait=labels_may_wait)


def test_a_reload_returns_when_its_new_models_are_available(base):
    repository = Repository(load, Retries(0, 0))

    ServedConfig(repository, labels_may_wait=False).reload(config_of(model(base)))

    assert repository.available("m", 2)


def test_a_label_on_a_version_not_yet_available_is_refused(base):
    config = served(labels_may_wait=False)

    with pytest.raises(ServingError, match="label to version 1 of model m"):
        config.reload(config_of(model(base, stable=1)))


def test_labels_may_be_added_once_the_versions_are_available(base):
    config = served(labels_may_wait=False)
    config.reload(config_of(model(base)))

    config.reload(config_of(model(base, stable=1)))

    assert config.version_of_label("m", "stable") == 1


def test_a_new_label_may_wait_for_its_version_where_that_is_allowed(base):
    config = served(labels_may_wait=True)

    config.reload(config_of(model(base, fresh=99)))

    assert config.version_of_label("m", "fresh") == 99


def test_a_label_cannot_move_to_an_unavailable_version_and_keeps_its_place(base):
    config = served(labels_may_wait=True)
    config.reload(config_of(model(base, stable=1, canary=2)))

    with pytest.raises(ServingError) as error:
        config.reload(config_of(model(base, stable=99)))

    assert str(error.value) == UNAVAILABLE_99
    assert (config.version_of_label("m", "stable"), config.version_of_label("m", "canary")) == (1, 2)


def test_a_label_left_out_is_gone(base):
    config = served(labels_may_wait=True)
    config.reload(config_of(model(base, stable=1)))
    config.reload(config_of(model(base)))

    with pytest.raises(ServingError, match="INVALID_ARGUMENT: Unrecognized servable version label: stable"):
        config.version_of_label("m", "stable")


def test_a_new_model_that_fails_to_load_is_named_with_its_reason(base):
    config = served(labels_may_wait=False)

    with pytest.raises(ServingError) as error:
        config.reload(config_of(model(base), f'name: "bad" base_path: "{base}/bad"'))

    assert str(error.value) == (
        "UNKNOWN: 1 model(s) did not become available: {{{name: bad version: 1} due to error: NOT_FOUND: no bundle}, }"
    )


def test_a_reload_waits_for_a_base_path_to_appear(base):
    repository = Repository(load, Retries(0, 0))
    config = ServedConfig(repository, labels_may_wait=False)
    reload = threading.Thread(target=config.reload, args=(config_of(f'name: "n" base_path: "{base}/n"'),))
    reload.start()
    assert reload.is_alive()

    (base / "n" / "1").mkdir(parents=True)
    repository.poll()

    reload.join(10)
    assert not reload.is_alive()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (['name: "m" base_path: "/m"'] * 2, "Illegal to list model m multiple times in config list"),
        (['name: "rel" base_path: "foo/bar"'],
         "Expected model rel to have an absolute path or URI; got base_path()=foo/bar"),
        (['name: "z" base_path: "/z" model_platform: "pytorch"'], "Model z requests unsupported platform pytorch"),
        (['name: "z" base_path: "/z" model_platform: ""'],
         ("Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform,"
         " model name is z")),
        (['name: "z" base_path: "s3://bucket/z"'],
         ("Model z: the embedded server reads local paths only (python -m training mirror brings the versions to one);"
          " got base_path()=s3://bucket/z")),
    ],
)  # fmt: skip
def test_a_model_list_is_refused_with_the_recorded_words(models, message):
    text = "".join("config { " + (model if "platform" in model else f'{model} model_platform: "tensorflow"') + " }"
                   for model in models)  # fmt: skip
    config = text_format.Parse(f"model_config_list {{ {text} }}", ModelServerConfig())

    with pytest.raises(ServingError) as error:
        served_models(config)

    assert (error.value.code, error.value.message) == (grpc.StatusCode.INVALID_ARGUMENT, message)


def test_model_type_stands_for_the_platform(base):
    config = text_format.Parse(
        'model_config_list { config { name: "m" base_path: "/m" model_type: TENSORFLOW } }', ModelServerConfig()
    )

    assert [model.name for model in served_models(config)] == ["m"]


def test_a_config_that_is_no_list_is_refused():
    with pytest.raises(ServingError, match="Only ModelConfigList is currently supported"):
        served_models(ModelServerConfig())


@pytest.mark.parametrize(
    ("policy", "selected"),
    [
        ("", {3}),
        ("model_version_policy { latest { num_versions: 2 } }", {2, 3}),
        ("model_version_policy { latest { num_versions: 0 } }", {3}),
        ("model_version_policy { all {} }", {1, 2, 3}),
        ("model_version_policy { specific { versions: 1 versions: 99 } }", {1}),
        ("model_version_policy { specific {} }", set()),
    ],
)
def test_a_policy_selects_among_the_versions_on_disk(policy, selected):
    (model,) = served_models(config_of(f'name: "m" base_path: "/m" {policy}'))

    assert model.policy([1, 2, 3]) == selected


def test_a_base_path_that_no_file_system_has_is_refused():
    with pytest.raises(ServingError, match="Expected model m to have an absolute path"):
        served_models(config_of('name: "m" base_path: "/a\\000b"'))


def test_a_config_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "models.config"
    path.write_bytes(b"\xff")

    with pytest.raises(ServingError, match=f"Invalid protobuf file: '{path}': invalid start byte at byte 0"):
        read_config(path)


def test_a_config_file_with_a_misspelt_key_is_refused_with_its_place(tmp_path):
    path = tmp_path / "models.config"
    path.write_text('model_config_list { config { nme: "m" } }')

    with pytest.raises(ServingError, match=f"Invalid protobuf file: '{path}': 1:30 : .*nme"):
        read_config(path)
