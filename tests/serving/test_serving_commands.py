"""`python -m serving wait|status|bench|up`, against a running server."""

import json
from pathlib import Path

import pytest
from google.protobuf import text_format

from serving import launch, model_list
from serving.__main__ import main
from serving.commands import up
from tests.serving.model_servers import Server
from tests.serving.toy_models import tf  # noqa: F401  (before tensorflow_serving, with Keras 2)


@pytest.fixture
def target(server: Server) -> str:
    return server.process.target


def test_wait_names_the_version_that_is_available(target, capsys):
    assert main(["wait", "--target", target, "--model", "m", "--model", "m2=1"]) == 0

    assert capsys.readouterr().out == "m 2 AVAILABLE\nm2 1 AVAILABLE\n"


def test_wait_gives_up_with_what_it_last_saw(target, capsys):
    assert main(["wait", "--target", target, "--model", "m=9", "--timeout", "0.3"]) == 2

    error = capsys.readouterr().err
    assert error == (
        "wait: DEADLINE_EXCEEDED: model m version 9 is not available after 0.3 s: Could not find version 9 of model m\n"
    )


def test_wait_waits_for_a_server_that_is_not_there(capsys):
    assert main(["wait", "--target", f"127.0.0.1:{launch.free_port()}", "--model", "m", "--timeout", "0.3"]) == 2

    assert "model m is not available after 0.3 s" in capsys.readouterr().err


def test_status_shows_each_version(target, capsys):
    assert main(["status", "--target", target, "--model", "m"]) == 0

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["m", "2", "AVAILABLE"],
        ["m", "1", "AVAILABLE"],
    ]


def test_status_of_an_unknown_model_fails(target, capsys):
    assert main(["status", "--target", target, "--model", "m2", "--model", "nosuch"]) == 1

    assert "unknown to the server" in capsys.readouterr().out


def test_status_as_json(target, capsys):
    assert main(["status", "--target", target, "--model", "m2", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {
        "m2": [{"version": 1, "state": "AVAILABLE", "code": "OK", "message": ""}]
    }


def test_bench_measures_each_number_of_clients(target, capsys):
    arguments = ["bench", "--target", target, "--model", "m", "--clients", "1,3", "--seconds", "0.2", "--json"]

    assert main([*arguments, "--candidates", "5"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert (result["model"], result["version"]) == ("m", 2)
    assert [level["clients"] for level in result["levels"]] == [1, 3]
    assert all(0 < level["p50_ms"] <= level["p99_ms"] and level["requests"] > 0 for level in result["levels"])


def test_bench_of_an_unknown_signature_names_those_that_exist(target, capsys):
    assert main(["bench", "--target", target, "--model", "m", "--signature", "nope"]) == 2

    assert "model m has no signature nope; it has boom, layout, scalar, serving_default" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["", "=3", "m=x", "m=", f"m={2**64}"])
def test_a_model_to_wait_for_is_a_name_and_perhaps_a_number(model, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["wait", "--model", model])

    assert stopped.value.code == 2
    assert "expected NAME or NAME=VERSION" in capsys.readouterr().err


def test_up_moves_the_models_and_passes_the_flags_on(monkeypatch, tmp_path):
    flags = {}
    monkeypatch.setattr(up, "exec_model_server", flags.update)

    assert main(["up", "--models", str(tmp_path), "--port", "7", "--flag", "grpc_max_threads=3"]) == 0

    assert flags == {"port": 7, "model_config_file": tmp_path / "models.config", "grpc_max_threads": "3"}
    config = model_list.read_model_list(tmp_path / "models.config")
    names = model_list.model_names(model_list.read_model_list())
    assert [model.base_path for model in config.model_config_list.config] == [str(tmp_path / name) for name in names]


@pytest.mark.parametrize("argument", ["--seconds=0", "--seconds=nan", "--candidates=0", "--candidates=-5"])
def test_bench_measures_something(argument, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "--model", "m", argument])

    assert stopped.value.code == 2
    assert "number above 0" in capsys.readouterr().err


def test_up_moves_only_what_lies_where_the_image_has_its_models(capsys, tmp_path):
    source = tmp_path / "own.config"
    source.write_text('model_config_list { config { name: "m" base_path: "/srv/m" } }')

    assert main(["up", "--config", str(source), "--models", str(tmp_path)]) == 2

    assert capsys.readouterr().err == f"up: {source}: base_path of m: expected one under /models, received /srv/m\n"


def test_up_with_a_config_that_is_no_text_says_so(capsys, tmp_path):
    source = tmp_path / "own.config"
    source.write_bytes(b"\xff")

    assert main(["up", "--config", str(source)]) == 2

    assert f"up: {source}: 'utf-8' codec can't decode byte 0xff" in capsys.readouterr().err


def test_up_with_a_missing_config_says_so(capsys, tmp_path):
    assert main(["up", "--config", str(tmp_path / "none.config")]) == 2

    assert capsys.readouterr().err == f"up: {tmp_path}/none.config: No such file or directory\n"


def test_tensorflow_serving_reads_the_model_list_as_we_do():
    from tensorflow_serving.config import model_server_config_pb2

    text = model_list.CONFIG_PATH.read_text()

    theirs = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())  # pyright: ignore

    assert theirs.SerializeToString() == model_list.read_model_list().SerializeToString()
    names = model_list.model_names(model_list.read_model_list())
    assert names == [model.name for model in theirs.model_config_list.config]
    assert {"two_tower", "item_cf", "esmm", "mmoe"} <= set(names)


def test_the_config_map_holds_the_three_files():
    folder = model_list.CONFIG_PATH.parent
    listed = [line.strip(" -") for line in (folder / "kustomization.yaml").read_text().splitlines()]

    assert {path.name for path in folder.glob("*.config")} <= set(listed)
    assert len(list(Path(folder).glob("*.config"))) == 3
