"""The plan of a job: what its samples are, written beside its parts, so that whoever reads them needs nothing else."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from pyarrow import fs

from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.layout import Layout, LayoutError
from feature_service.settings import SettingsError, parse
from training.data.errors import DataError
from training.data.locations import first_line, locate, reachable
from training.streaming.schedule import CORRECT_HOURS, Schedule

_FILE = "plan.json"
PARTS = "parts"
"""The folder of the parts, beside the plan."""
SUFFIX = ".lines"
"""Of the names of files with lines of text, the parts among them."""


def whole_files(filesystem: fs.FileSystem, folder: str) -> list[fs.FileInfo]:
    """The finished files of lines in a folder, by name; those that are being written begin with a dot."""
    items = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    whole = (item for item in items if item.base_name.endswith(SUFFIX) and not item.base_name.startswith("."))
    return sorted(whole, key=lambda item: item.base_name)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job makes.

    Attributes:
        log: Names the event log.
        settings: A settings file's text, for the catalogue.
        layout: The columns of the samples: those of the served slates, as `Layout.to_strings` says them.
        shards: Over so many shards viewers are spread, and streamers over as many.
        correct_hours: How long late events correct an hour.
    """

    log: str
    settings: str
    layout: dict[str, list[str]]
    shards: int
    correct_hours: int = CORRECT_HOURS

    def schedule(self) -> Schedule:
        """When hours are written."""
        return Schedule(self.correct_hours)

    def catalog(self) -> Catalog:
        """The service's catalogue."""
        settings = parse(self.settings, _FILE)
        return build_catalog(settings.service.content_width, settings.attributes)

    def columns(self) -> Layout:
        """The layout."""
        return Layout.from_strings(dict(self.layout))

    def write(self, uri: str) -> None:
        """Writes it into the folder of a job's output.

        Raises:
            DataError: It cannot be written.
        """
        filesystem, folder = locate(uri)
        with reachable(uri):
            filesystem.create_dir(folder, recursive=True)
            with filesystem.open_output_stream(f"{folder}/{_FILE}") as file:
                file.write(self.text().encode())

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `text`."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**fields)

    @classmethod
    def read(cls, uri: str) -> Self:
        """The plan in the folder of a job's output.

        Raises:
            DataError: There is none, or it is damaged.
        """
        filesystem, folder = locate(uri)
        try:
            with filesystem.open_input_file(f"{folder}/{_FILE}") as file:
                plan = cls.from_text(file.read().decode())
            plan.catalog()
            plan.columns()
        except (OSError, ValueError, TypeError, KeyError, LayoutError, SettingsError) as error:
            raise DataError(f"{uri}/{_FILE}: expected the plan of a job ({first_line(error)})") from error
        return plan
