"""The architecture: who may import whom, what the service stays free of, and that no registry forgets a module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from serving.model_list import model_names, read_model_list

ROOT = Path(__file__).parents[1]
ORDER = ("training", "feature_service", "serving", "protos")
"""Imports run from left to right only."""

THIRD_PARTIES_OF_THE_SERVICE = {
    "numpy",
    "grpc",
    "grpc_health",
    "grpc_reflection",
    "google",
    "flask",
    "prometheus_client",
    "rich",
    "threadpoolctl",
}
PARTS_OF_FLASK = {"jinja2", "werkzeug"}
TENSORFLOW = {"tensorflow", "tensorflow_recommenders", "tensorflow_serving", "tf_keras", "keras"}
FORMATS_THAT_RUN_CODE = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
VAGUE_NAMES = {"utils", "helpers", "common", "misc"}
MAX_LINES = 350
MOST_RESIDENT_MB = 150


def sources(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if not path.stem.endswith(("_pb2", "_pb2_grpc"))]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""


def imports(package: str) -> list[tuple[Path, str]]:
    """The files of a package with the top package of each import."""
    return [(path, name.partition(".")[0]) for path in sources(package) for name in imported(path)]


@pytest.mark.parametrize("place", range(len(ORDER)), ids=ORDER)
def test_packages_import_in_one_direction_only(place: int) -> None:
    upstream = set(ORDER[:place]) | {"tests"}
    assert [(str(path), name) for path, name in imports(ORDER[place]) if name in upstream] == []


def test_tensorflow_is_imported_by_training_and_the_embedded_server_alone() -> None:
    found = [(path, name) for package in ORDER[1:] for path, name in imports(package) if name in TENSORFLOW]
    assert [str(path) for path, _ in found if (ROOT / "serving" / "local") not in path.parents] == []


def test_the_feature_service_needs_only_its_few_third_parties() -> None:
    allowed = THIRD_PARTIES_OF_THE_SERVICE | PARTS_OF_FLASK | set(sys.stdlib_module_names) | set(ORDER[1:])
    assert [(str(path), name) for path, name in imports("feature_service") if name not in allowed] == []


@pytest.mark.parametrize("package", ORDER)
def test_nothing_is_read_or_written_in_a_format_that_runs_code(package: str) -> None:
    assert [(str(path), name) for path, name in imports(package) if name in FORMATS_THAT_RUN_CODE] == []
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), str(path)
                assert node.value.value is False, str(path)


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(path) for package in ORDER for path in sources(package) if path.stem in VAGUE_NAMES] == []


def test_files_stay_small() -> None:
    sizes = {str(path): len(path.read_text("utf-8").splitlines()) for package in ORDER for path in sources(package)}
    assert {path: lines for path, lines in sizes.items() if lines > MAX_LINES} == {}


@pytest.mark.parametrize(
    ("registry", "names_no_stage"),
    [
        ("feature_service.recall:CHANNELS", {"asking", "found", "heat", "nearest", "visits"}),
        ("feature_service.rerank:RERANKERS", {"moves", "relevance", "similarity"}),
        ("training.models.ranking:RANKERS", {"base", "fields"}),
        ("training.models.recall:RECALL", {"base", "entered"}),
        ("training.data.importers:IMPORTERS", {"merge", "rooms", "tables", "unseen"}),
    ],
)
def test_every_module_of_a_stage_stands_in_its_registry(registry: str, names_no_stage: set[str]) -> None:
    package, _, name = registry.partition(":")
    module = import_module(package)
    files = {path.stem for path in Path(str(module.__file__)).parent.glob("*.py")} - {"__init__"}
    assert files - names_no_stage == set(getattr(module, name))


@pytest.mark.parametrize(
    ("program", "names_no_verb"),
    [
        ("feature_service", {"calling"}),
        (
            "training",
            {
                "answer",
                "compare_incremental",
                "compare_ranking",
                "erasures_argument",
                "fractions",
                "keep_argument",
                "local_paths",
                "log_argument",
                "progress",
                "repeating",
                "run_incremental",
            },
        ),
    ],
)
def test_every_verb_has_its_file_and_every_file_its_verb(program: str, names_no_verb: set[str]) -> None:
    verbs = import_module(f"{program}.__main__").VERBS
    files = {path.stem for path in (ROOT / program / "commands").glob("*.py")} - {"__init__"}
    assert {verb.module.rpartition(".")[2] for verb in verbs.values()} == files - names_no_verb


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from Linux's /proc")
def test_the_server_imports_neither_tensorflow_nor_training_and_stays_small() -> None:
    # getrusage would count the memory of the process that forked this one.
    code = """
import sys, time
started_s = time.perf_counter()
import feature_service.server
print(time.perf_counter() - started_s)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), *sys.modules)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    seconds, kilobytes, *modules = answer.stdout.split()
    sys.stdout.write(f"imported in {float(seconds):.2f} s, {int(kilobytes) / 1024:.0f} MB\n")
    assert not {name.partition(".")[0] for name in modules} & (TENSORFLOW | {"training", "pyarrow", "pandas"})
    assert int(kilobytes) / 1024 < MOST_RESIDENT_MB


def test_the_model_list_for_a_model_server_names_what_is_trained_by_default() -> None:
    """No more: TensorFlow Serving does not open its port before it has a version of each model of the list."""
    from training.demo import models_for
    from training.heads import HEAD_NAMES

    assert sorted(model_names(read_model_list())) == sorted(models_for(HEAD_NAMES))
