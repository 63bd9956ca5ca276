"""Build hook: generates the protobuf and gRPC modules beside their `.proto` files."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent


def generate(root: Path = ROOT) -> None:
    """Runs protoc over every `.proto` under `protos/`; the output goes beside its source and is not committed."""
    sources = sorted(path.relative_to(root).as_posix() for path in (root / "protos").rglob("*.proto"))
    outputs = ["--python_out=.", "--pyi_out=.", "--grpc_python_out=."]
    # The plug-in that types the gRPC stubs stands beside the interpreter, which need not be on PATH.
    plugin = f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", plugin, *outputs, "--mypy_grpc_out=.", *sources]
    subprocess.run(command, cwd=root, check=True)


class ProtoBuildHook(BuildHookInterface[Any]):
    """Runs `generate` before a wheel or an editable install is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before the build."""
        generate(Path(self.root))


if __name__ == "__main__":
    generate()
