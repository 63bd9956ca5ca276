"""Small models, trained on the toy platform's log and published as the demo does it."""

from pathlib import Path
from typing import Any

from feature_service import settings
from serving.manifest import Provenance
from tests.stack import toy_platform
from training.data.dataset import Dataset
from training.data.sample_set import build_samples
from training.data.sources import write_log
from training.export import export
from training.layers.fitted import encodings_of
from training.models.recall.two_tower import TwoTower
from training.models.signatures import Signature
from training.publish import publish
from training.run_config import parse_config
from training.train import train

PROVENANCE = Provenance(0, 1, {}, "c0ffee", "unknown")

TWO_TOWER: dict[str, Any] = {
    "model": "two_tower",
    "features": {
        "user": ["user.*"],
        "candidate": ["room.category", "room.title", "room.content"],
    },
    "inputs": {"embedding": 8, "vector": 8},
    "options": {"tower": [32], "vector": 16, "frequency_slots": 1024},
    "training": {"learning_rate": 1e-2, "batch_slates": 64, "epochs": 2},
}
MMOE: dict[str, Any] = {
    "model": "mmoe",
    "features": {"user": ["user.*", "context.*"], "candidate": ["*"]},
    "heads": {"enter": 1.0, "long_watch": 1.0, "like": 1.0},
    "inputs": {"embedding": 8, "vector": 8, "unseen_rates": {"user.id": 0.3, "streamer.id": 0.3}},
    "options": {"experts": 2, "expert": [32, 16], "tower": [8], "match": 16},
    "training": {"learning_rate": 1e-2, "batch_slates": 64, "epochs": 2},
}
DNN: dict[str, Any] = MMOE | {"model": "dnn", "options": {"bottom": [32, 16], "tower": [8], "match": 16}}


class Turned:
    """The negatives of a two-tower's vectors: alone it ranks as before, mixed with the other the wrong way."""

    def __init__(self, model: TwoTower) -> None:
        self._model = model
        self.layout = model.layout

    def signatures(self) -> dict[str, Signature]:
        """The model's signatures with the sign turned."""
        return {name: _turned(signature) for name, signature in self._model.signatures().items()}


def _turned(signature: Signature) -> Signature:
    return Signature(signature.layout, lambda tensors: {"vector": -signature.function(tensors)["vector"]})


def publish_models(root: Path) -> None:
    """Trains all models, publishes them under `root/models`, and leaves the `Turned` two-tower in `root/turned`."""
    write_log(root / "log", toy_platform.log())
    build_samples(root / "log", root / "samples", settings=settings.parse(toy_platform.SETTINGS, "the test"))
    dataset = Dataset.read(root / "samples")
    encodings = encodings_of(dataset.catalog.features)
    for table in (TWO_TOWER, MMOE, DNN):
        name = table["model"]
        config, parts = parse_config(table, name), dataset.split
        model = train(config, parts.training, parts.validation, root / "runs" / name, encodings=encodings).model
        export(model, root / name)
        publish(root / name, root / "models" / name, name, PROVENANCE)
        if isinstance(model, TwoTower):
            export(Turned(model), root / "turned")  # pyright: ignore[reportArgumentType]
