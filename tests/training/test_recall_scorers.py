"""Scorers of recall models by the form of their signatures."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import (
    CANDIDATE_IDS,
    HISTORY_IDS,
    USER_IDS,
    Column,
    Layout,
    TensorLayout,
)
from training.callable_model import CallableModel
from training.data.examples import LayoutMismatchError
from training.data.samples import RoomVersions, Slates
from training.models.signatures import Signature
from training.recall_baselines import Case
from training.recall_scorers import VectorScorer, recall_scorer

LAYOUT = Layout(
    (
        TensorLayout(USER_IDS, (Column("user.id", 1, "int64", 1),)),
        TensorLayout(HISTORY_IDS, (Column("user.watched.streamer", 1, "int64", 1, 2),)),
        TensorLayout(CANDIDATE_IDS, (Column("streamer.id", 1, "int64", 1),)),
    )
)
SLATES = Slates(
    {USER_IDS: np.array([[5], [6]]), HISTORY_IDS: np.array([[[1], [2]], [[3], [0]]])},
    np.zeros(2, np.int64),
    np.array([5, 6]),
)
STREAMER = np.array([2, 4, 3], np.int64)
ROOMS = RoomVersions({CANDIDATE_IDS: STREAMER[:, None]}, STREAMER + 100, STREAMER, STREAMER * 0, STREAMER)
SECOND = Case(0, 10, 6, user_row=1)


def asked(**signatures: tuple[list[str], Any]) -> CallableModel:
    """A model with these signatures: tensors read, function."""

    class Model:
        layout = LAYOUT

        def signatures(self) -> dict[str, Signature]:
            """The signatures given."""
            return {name: Signature(LAYOUT.select(reads), run) for name, (reads, run) in signatures.items()}

    model: Any = Model()
    return CallableModel.of(model)


def test_vectors_score_by_the_inner_product() -> None:
    scorer = VectorScorer(np.array([[1, 0], [0, 1]], np.float32), np.array([[3, 4], [5, 6], [7, 8]], np.float32))
    assert scorer(SECOND, np.array([0, 2])).tolist() == [4, 8]


def test_a_model_with_both_sides_is_asked_for_vectors() -> None:
    user = ([USER_IDS], lambda tensors: {"vector": tf.cast(tensors[USER_IDS], tf.float32)})
    room = ([CANDIDATE_IDS], lambda tensors: {"vector": tf.cast(tensors[CANDIDATE_IDS], tf.float32)})
    scorer = recall_scorer(asked(user=user, room=room, serving_default=user), SLATES, ROOMS, LAYOUT)
    assert scorer(SECOND, np.array([2, 0])).tolist() == [6 * 3, 6 * 2]
    assert {name: values.shape for name, values in scorer.outputs().items()} == {"user": (2, 1), "room": (3, 1)}


def test_neighbours_give_their_score_and_others_none() -> None:
    """Found for a viewer: the watched keys plus one; the padding 0 + 0 is nobody, though a room may have no key."""

    def found(tensors: Any) -> Any:
        keys = tensors[HISTORY_IDS][:, :, 0]
        found = tf.where(keys > 0, keys + 1, 0)
        return {"streamer": found, "score": tf.cast(found, tf.float32) / 2, "because": keys}

    model = asked(serving_default=([HISTORY_IDS], found))
    scorer = recall_scorer(model, SLATES, ROOMS, LAYOUT)
    # The first viewer watched 1 and 2, so 2 and 3 are found; the second one watched 3: 4.
    assert scorer(Case(0, 10, 5, user_row=0), np.arange(3)).tolist() == [1, -np.inf, 1.5]
    assert scorer(SECOND, np.arange(3)).tolist() == [-np.inf, 2, -np.inf]
    unknown = RoomVersions({CANDIDATE_IDS: np.zeros((1, 1), np.int64)}, *np.zeros((4, 1), np.int64))
    assert recall_scorer(model, SLATES, unknown, LAYOUT)(SECOND, np.array([0])).tolist() == [-np.inf]
    assert scorer.outputs()["score"].tolist() == [[1, 1.5], [2, 0]]


def test_pairs_are_asked_for_the_viewer_with_the_rooms() -> None:
    def score(tensors: Any) -> Any:
        return {"score": tf.cast(tensors[USER_IDS][0, 0] * 10 + tensors[CANDIDATE_IDS][:, 0], tf.float32)}

    scorer = recall_scorer(asked(serving_default=([USER_IDS, CANDIDATE_IDS], score)), SLATES, ROOMS, LAYOUT)
    assert scorer(SECOND, np.array([2, 1])).tolist() == [63, 64]
    assert scorer.outputs()["score"].tolist() == [52, 54, 53, 62, 64, 63]


def test_a_model_of_no_known_form_is_refused() -> None:
    model = asked(serving_default=([USER_IDS], lambda tensors: {"predictions": tensors[USER_IDS]}))
    with pytest.raises(ValueError, match=r"expected signatures user and room, .* received \['predictions'\]"):
        recall_scorer(model, SLATES, ROOMS, LAYOUT)


def test_a_column_that_the_samples_lack_is_named() -> None:
    fewer = Layout(tuple(tensor for tensor in LAYOUT.tensors if tensor.name != USER_IDS))
    other = Layout((TensorLayout(USER_IDS, (Column("context.hour", 1, "int64", 1),)), *fewer.tensors))
    model = asked(serving_default=([HISTORY_IDS], lambda _: {"score": tf.zeros([1])}))
    with pytest.raises(LayoutMismatchError, match=r"user_ids: expected a column user\.id"):
        recall_scorer(model, SLATES, ROOMS, other)
