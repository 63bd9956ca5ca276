"""The Dockerfiles: fixed bases, locked requirements, several stages, no root, and nothing copied that is not there."""

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s.manifests import ROOT

IMAGES = sorted((ROOT / "k8s" / "images").glob("*.Dockerfile"))
FIXED = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+(-[\w.-]+)?")

Instruction = tuple[str, str]


def instructions(dockerfile: str) -> list[Instruction]:
    """Keyword and rest of each instruction, comments and continued lines put right."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(found[1], found[2]) for line in lines if (found := re.match(r"([A-Z]+)\s+(.*)", line))]


def problems(dockerfile: str, ignored: str = "") -> Iterator[str]:
    """What is wrong with a Dockerfile.

    Args:
        dockerfile: Its text.
        ignored: The text of its .dockerignore.
    """
    found = instructions(dockerfile)
    yield from _bases(found)
    yield from _users(found)
    for keyword, rest in found:
        if keyword == "ADD":
            yield f"ADD {rest}: fetches or unpacks unseen"
        if keyword == "RUN":
            yield from _installs(rest)
        if keyword == "COPY" and "--from=" not in rest:
            yield from _copies(rest.split()[:-1], ignored)


def _bases(found: list[Instruction]) -> Iterator[str]:
    arguments = dict(rest.split("=", 1) for keyword, rest in found if keyword == "ARG")
    stages: set[str] = set()
    for image, _, stage in (rest.partition(" AS ") for keyword, rest in found if keyword == "FROM"):
        named = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], image)
        if named not in stages and not FIXED.fullmatch(named):
            yield f"FROM {named}: is no fixed tag"
        stages.add(stage)
    if len(stages) < 2:
        yield "expected several stages, so that what builds does not stay"


def _users(found: list[Instruction]) -> Iterator[str]:
    """Each stage with an entry point, one that is run, has a user of its own before it."""
    user = ""
    for keyword, rest in found:
        user = {"FROM": "", "USER": rest}.get(keyword, user)
        if keyword == "ENTRYPOINT" and not re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", user):
            yield f"USER {user or 'root'}: expected numbers from 10000 on, which Kubernetes can tell from root"


def _installs(command: str) -> Iterator[str]:
    for step in command.split("&&"):
        locked = "--require-hashes" in step or "/wheel/" in step
        if re.search(r"\bpip install\b|\buv build\b", step) and not locked:
            yield f"RUN {step.strip()}: installs what no hash holds"
        for path in re.findall(r"(?:-r|--build-constraints) (\S+)", step):
            if not (ROOT / path).is_file():
                yield f"RUN {step.strip()}: {path} does not exist"
        if re.search(r"curl|wget", step):
            yield f"RUN {step.strip()}: fetches what no checksum holds"


def _copies(sources: list[str], ignored: str) -> Iterator[str]:
    let_in = [line[1:].rstrip("/") for line in ignored.splitlines() if line.startswith("!")]
    for source in (each.rstrip("/") for each in sources):
        if not (ROOT / source).exists():
            yield f"COPY {source}: does not exist"
        if not any(fnmatch.fnmatch(source, pattern) for pattern in let_in):
            yield f"COPY {source}: the .dockerignore leaves it out"


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_a_dockerfile_is_as_it_should_be(path: Path) -> None:
    ignored = path.with_name(f"{path.name}.dockerignore").read_text()
    assert ignored.startswith("*\n")
    assert list(problems(path.read_text(), ignored)) == []


@pytest.mark.parametrize(
    ("pattern", "replacement", "found"),
    [
        (r"python:3\.11\.\d+-slim-bookworm", "python:latest", "is no fixed tag"),
        (r"USER 10001:10001", "USER onair", "expected numbers from 10000 on"),
        (r"USER 10001:10001", "", "USER root"),
        (r"--no-deps --require-hashes", "--no-deps", "installs what no hash holds"),
        (r"requirements/service-image-py311\.txt", "requirements/none.txt", "does not exist"),
        (r"COPY training/ training/", "COPY trainings/ training/", "does not exist"),
        (r"COPY training/ training/", "COPY tests/ training/", "the .dockerignore leaves it out"),
        (r"COPY protos/", "ADD https://example.com/protos.tar", "fetches or unpacks unseen"),
    ],
)
def test_what_is_wrong_is_found(pattern: str, replacement: str, found: str) -> None:
    path = ROOT / "k8s" / "images" / "onair.Dockerfile"
    broken, places = re.subn(pattern, replacement, path.read_text())
    assert places
    assert any(
        found in problem for problem in problems(broken, path.with_name(f"{path.name}.dockerignore").read_text())
    )


def test_the_image_of_the_service_has_no_tensorflow_and_the_pins_of_all_others() -> None:
    pins = {name: _pins(ROOT / "requirements" / f"{name}.txt") for name in ("service-image-py311", "training-py311")}
    ours = pins["service-image-py311"]
    assert ours <= pins["training-py311"]
    names = {pin.partition("==")[0] for pin in ours}
    assert {"redis", "hiredis", "confluent-kafka", "opentelemetry-sdk"} <= names
    assert not any(name.startswith(("tensorflow", "keras", "tf-")) for name in names)


def test_the_job_runs_on_the_flink_that_its_environment_and_manifest_have() -> None:
    version = next(pin for pin in _pins(ROOT / "requirements" / "pyflink.txt") if pin.startswith("apache-flink=="))
    number = version.partition("==")[2]
    manifest = (ROOT / "k8s/components/flink/hours.yaml").read_text()
    assert f"flink:{number}-" in (ROOT / "k8s/images/flink.Dockerfile").read_text()
    assert f"flink-python-{number}.jar" in manifest
    assert f"flinkVersion: v{'_'.join(number.split('.')[:2])}\n" in manifest


def _pins(path: Path) -> set[str]:
    return set(re.findall(r"^[\w.-]+==[^ ;]+", path.read_text(), re.MULTILINE))
