"""Warm-up requests as a model server reads them."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from training.saved_model import meta_graph
from training.warmup import WARMUP_FILE, write_warmup


def warmup_log(directory: Path) -> list[Any]:
    records = tf.data.TFRecordDataset(str(directory / WARMUP_FILE)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]  # pyright: ignore[reportAttributeAccessIssue]
    return [log.predict_log.request for log in logs]


def requests(tiny_model: Path, directory: Path) -> list[tuple[str, dict[str, tuple[int, ...]]]]:
    write_warmup(directory, "tiny", meta_graph(tiny_model).signature_def)
    found = []
    for request in warmup_log(directory):
        assert request.model_spec.name == "tiny"
        shapes = {name: tuple(tf.make_ndarray(tensor).shape) for name, tensor in request.inputs.items()}
        found.append((request.model_spec.signature_name, shapes))
    return found


def test_a_ranker_is_warmed_at_several_candidate_counts_with_one_user_row(tiny_model: Path, tmp_path: Path) -> None:
    ranked = [shapes for signature, shapes in requests(tiny_model, tmp_path) if signature == "serving_default"]
    assert ranked == [{"user_floats": (1, 2), "candidate_floats": (count, 1)} for count in (1, 50, 200, 500)]


def test_signatures_without_candidates_are_warmed_once(tiny_model: Path, tmp_path: Path) -> None:
    others = [pair for pair in requests(tiny_model, tmp_path) if pair[0] != "serving_default"]
    assert others == [("layout", {"probe": (1,)}), ("user", {"user_floats": (1, 2)})]


def test_the_model_answers_every_warm_up_request(tiny_model: Path, tmp_path: Path) -> None:
    write_warmup(tmp_path, "tiny", meta_graph(tiny_model).signature_def)
    model = tf.saved_model.load(str(tiny_model))
    for request in warmup_log(tmp_path):
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        rows = max(len(values) for values in inputs.values())
        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        for output in model.signatures[request.model_spec.signature_name](**tensors).values():
            assert output.shape[0] == rows
