"""The settings of the model store: where the versions of the models lie, for their history and for rollbacks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelsSettings:
    """Where the models are published to.

    Attributes:
        folder: The folder of their base paths, on a local or mounted disk; empty = not known here.
    """

    folder: str


def models_problem(models: ModelsSettings) -> str | None:
    """What is wrong with the settings, None when nothing is."""
    if "://" in models.folder:
        return f"folder: expected a folder of this machine, received {models.folder[:40]!r}"
    return None
