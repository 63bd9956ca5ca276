"""A blueprint of the toy world for tests of layers."""

from collections.abc import Mapping

from tests.training.worlds import ENCODINGS, toy_world
from training.layers.blueprint import Blueprint, InputSizes
from training.layers.embeddings import Embeddings
from training.layers.fitted import fit


def toy_blueprint(unseen_rates: Mapping[str, float] | None = None) -> Blueprint:
    """The blueprint of a toy world of 50 slates."""
    samples = toy_world(50, seed=1).samples
    return Blueprint(
        layout=samples.layout,
        encodings=ENCODINGS,
        fitted=fit(samples, samples.layout, ENCODINGS, min_count=1),
        sizes=InputSizes(embedding=4, vector=3, history=5, unseen_rows=2, unseen_rates=unseen_rates or {}),
        head_weights=dict.fromkeys(samples.layout.heads, 1.0),
    )


def embeddings_of(blueprint: Blueprint) -> Embeddings:
    """The table that the blueprint asks for."""
    sizes = blueprint.sizes
    return Embeddings(blueprint.fitted.vocabularies, size=sizes.embedding, unseen_rows=sizes.unseen_rows)
