"""The job's code as a folder for `flink run --pyFiles`; run by the Python of Flink's environment.

The protobuf modules are made for the protobuf of that environment, which is older than the service's.

Usage: python training/streaming/flink/bundle.py FOLDER
"""

import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_PACKAGES = ("training", "feature_service", "serving", "protos")


def bundle(target: Path) -> None:
    """Copies the packages, and generates the protobuf modules; what was there is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    for package in _PACKAGES:
        shutil.copytree(
            _ROOT / package, target / package, ignore=shutil.ignore_patterns("__pycache__", "*_pb2*", "static")
        )
    sources = sorted(path.relative_to(target).as_posix() for path in (target / "protos").rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", *sources]
    subprocess.run(command, cwd=target, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER")
    bundle(Path(sys.argv[1]))
