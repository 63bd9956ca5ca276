"""The revision of this code, for the manifests of what it trains."""

import subprocess
from pathlib import Path


def git_revision() -> str:
    """The commit of this code, with `-dirty` if files were changed since; `unknown` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
