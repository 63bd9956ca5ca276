"""What holds for every registered model: one suite over `MODELS`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from feature_service.features.layout import (
    CANDIDATE_VECTORS,
    DTYPES,
    HISTORY_FLOATS,
    HISTORY_IDS,
    USER_FLOATS,
    USER_IDS,
)
from tests.training.worlds import ENCODINGS, HEADS, STEPS, toy_world, visits_of
from training import recall_baselines
from training.callable_model import CallableModel
from training.continuation import take_over
from training.data.examples import Examples, blank_batch
from training.data.samples import RoomVersions, Samples
from training.export import export, load_signatures
from training.export_check import export_check
from training.heads import HEAD_NAMES
from training.heads import HEADS as HEADS_BY_NAME
from training.layers.fields import Fields
from training.models import MODELS
from training.models.ranking import Ranker
from training.models.ranking.fm import Fm
from training.models.ranking.gbdt_lr import GbdtLr
from training.models.ranking.lr import Lr
from training.models.recall import RECALL
from training.models.recall.base import SolvedRecall
from training.models.recall.two_tower import TwoTower
from training.outputs import MOST
from training.predict import predict
from training.recall_scorers import recall_scorer
from training.run_config import parse_config
from training.train import train
from training.trained import Model, RunFiles, build, load_trained

TRAINING, VALIDATION = toy_world(600, seed=1), toy_world(100, seed=2, start_ms=600_000)
USER_SIDE = (USER_FLOATS, USER_IDS, HISTORY_FLOATS, HISTORY_IDS)


@dataclass(frozen=True, slots=True)
class Case:
    """One trained model of the toy world.

    Attributes:
        model: The model.
        run: Its training run.
        exported: Its SavedModel.
        saved: The SavedModel, loaded.
        answers: What the model says of the validation samples.
    """

    model: Model
    run: Path
    exported: Path
    saved: Any
    answers: dict[str, np.ndarray]


@pytest.fixture(scope="module", params=sorted(MODELS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    table = {
        "model": request.param,
        "features": {"user": ["*"], "candidate": ["*"]},
        "heads": {} if request.param in RECALL else dict.fromkeys(HEADS, 1.0),
        "training": {"learning_rate": 0.005, "batch_slates": 64, "epochs": 8, "patience": 8},
    }
    if request.param in ("esmm", "escm2"):
        table["heads"] = {"enter": 1.0, "long_watch": 1.0}
    if request.param == "lr":  # A sum over both sides cannot know who likes which category.
        table["options"] = {"crosses": [["user.id", "room.category"]]}
    run = tmp_path_factory.mktemp(request.param)
    model = train(
        parse_config(table, "test"),
        TRAINING.samples,
        VALIDATION.samples,
        run / "run",
        encodings=ENCODINGS,
        visits=visits_of(TRAINING.samples),
    ).model
    export(model, run / "exported")
    saved = tf.saved_model.load(str(run / "exported"))
    return Case(model, run / "run", run / "exported", saved, answers(model, VALIDATION.samples))


def answers(model: Model, samples: Samples) -> dict[str, np.ndarray]:
    """A ranker's predictions, or all that the signatures of a recall model answer."""
    if isinstance(model, Ranker):
        return {"predictions": predict(model, samples)}
    asked, examples = CallableModel.of(model), Examples.of(samples, model.layout)
    found: dict[str, np.ndarray] = {}
    for name in model.signatures():
        calls = list(asked.ask_samples(name, examples))
        found |= {f"{name} {output}": np.concatenate([call[output] for call in calls]) for output in calls[0]}
    return found


def assert_in_range(model: Model, found: dict[str, np.ndarray]) -> None:
    for name, values in found.items():
        assert values.dtype == (np.float32 if name.split()[-1] in ("predictions", "vector", "score") else np.int64)
        assert np.isfinite(values).all()
    if isinstance(model, TwoTower):
        for name in ("user vector", "room vector"):
            towers = found[name][:, : model.options.vector]
            assert np.linalg.norm(towers, axis=1) == pytest.approx(np.ones(len(towers)), abs=1e-4)
    for place, head in enumerate(model.layout.heads):
        most = MOST[HEADS_BY_NAME[head].form]
        assert found["predictions"][:, place].min() >= 0.0
        assert found["predictions"][:, place].max() <= most * 1.0001


def with_values(samples: Samples, dtype: str, values: list[float]) -> Samples:
    """The same samples with all tensors of a dtype filled: row i with the i-th of the values, around and around."""

    def filled(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        result = dict(tensors)
        for name, tensor in tensors.items():
            if DTYPES[name] == dtype:
                by_row = np.resize(np.array(values, dtype), len(tensor))
                result[name] = np.broadcast_to(by_row.reshape(-1, *[1] * (tensor.ndim - 1)), tensor.shape).copy()
        return result

    return replace(
        samples,
        slates=replace(samples.slates, tensors=filled(samples.slates.tensors)),
        candidates=replace(samples.candidates, tensors=filled(samples.candidates.tensors)),
    )


def recall_scores(model: CallableModel, samples: Samples) -> np.ndarray:
    """Scores of all candidates as live rooms for each slate's viewer, [U, N]."""
    candidates, always = samples.candidates, np.zeros(len(samples.candidates.room), np.int64)
    rooms = RoomVersions(candidates.tensors, candidates.room, candidates.streamer, always, always + 1)
    scorer = recall_scorer(model, samples.slates, rooms, samples.layout)
    rows = np.arange(len(candidates.room))
    return np.stack([scorer(recall_baselines.Case(row, 0, 0, row), rows) for row in range(len(samples.slates.user))])


def test_it_learns_a_separable_world(case: Case):
    if not isinstance(case.model, Ranker):
        scores = recall_scores(CallableModel.of(case.model), VALIDATION.samples)
        best = np.argsort(-scores, axis=1)[:, :50]  # Of 800 rooms, some 200 are of the viewer's category.
        assert (VALIDATION.category[best] == VALIDATION.taste[:, np.newaxis]).mean() > 0.95
        return
    for place, head in enumerate(case.model.layout.heads):
        column = HEAD_NAMES.index(head)
        exists = VALIDATION.samples.candidates.mask[:, column]
        positive = VALIDATION.samples.candidates.labels[exists, column] > (60.0 if head == "watch_time" else 0.5)
        assert roc_auc_score(positive, case.answers["predictions"][exists, place]) > 0.9, head


def test_its_answers_are_in_range(case: Case):
    assert_in_range(case.model, case.answers)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [("float32", [np.nan, np.inf, -np.inf, -1e30, 1e30]), ("int64", [0, 987654321, -(2**63), 2**63 - 1])],
)
def test_broken_unknown_and_missing_values_stay_in_range(case: Case, dtype: str, values: list[float]):
    assert_in_range(case.model, answers(case.model, with_values(VALIDATION.samples, dtype, values)))


def test_one_broken_candidate_does_not_touch_the_others(case: Case):
    if not isinstance(case.model, Ranker):
        pytest.skip("recall does not read candidates beside each other")
    tensors = {name: values.copy() for name, values in VALIDATION.samples.candidates.tensors.items()}
    tensors[CANDIDATE_VECTORS][0] = np.nan
    candidates = replace(VALIDATION.samples.candidates, tensors=tensors)
    broken = predict(case.model, replace(VALIDATION.samples, candidates=candidates))
    assert np.array_equal(broken[1:], case.answers["predictions"][1:])


def test_what_is_served_is_what_was_trained(case: Case):
    assert export_check(case.model, case.exported, VALIDATION.samples, tolerance=1e-5) <= 1e-5


def test_another_process_finds_the_same_model(case: Case):
    found = answers(load_trained(case.run).model, VALIDATION.samples)
    assert found.keys() == case.answers.keys()
    assert all(np.array_equal(values, found[name]) for name, values in case.answers.items())


def test_it_takes_over_what_an_earlier_run_has_learnt(case: Case):
    """It knows more keys and answers the same, as a new key starts where it was while it was unknown."""
    if not isinstance(case.model, Ranker) or isinstance(case.model, GbdtLr):
        return  # See `test_continuation` for their refusal.
    files = RunFiles.read(case.run)
    fitted = files.blueprint.fitted
    unknown = np.append(VALIDATION.samples.slates.tensors[USER_IDS][:, 0], [77, -77])
    vocabularies = {**fitted.vocabularies, "user": np.union1d(fitted.vocabularies["user"], unknown)}
    grown = replace(fitted, vocabularies=vocabularies)
    model = build(replace(files, blueprint=replace(files.blueprint, fitted=grown)))
    assert isinstance(model, Ranker)
    take_over(model, case.model)
    before, after = (predict(each, VALIDATION.samples, calibrated=False) for each in (case.model, model))
    assert after == pytest.approx(before, abs=1e-6)


def test_the_layout_signature_states_what_it_reads(case: Case):
    assert load_signatures(case.exported)[0] == case.model.layout
    answer = case.saved.signatures["layout"](probe=tf.zeros([3], tf.int32))
    assert {len(values) for values in answer.values()} == {3}
    assert ("heads" in answer) == bool(case.model.layout.heads)


def test_a_signature_declares_exactly_what_it_reads(case: Case):
    for name, signature in case.model.signatures().items():
        declared = case.saved.signatures[name].structured_input_signature[1]
        assert {spec.name: spec.dtype.name for spec in declared.values()} == {
            tensor.name: DTYPES[tensor.name] for tensor in signature.layout.tensors
        }
        assert all(spec.shape[0] is None for spec in declared.values())


def test_only_what_is_served_is_exported(case: Case):
    """Optimiser, metrics, frequencies, counts of batches, position bias and the rooms behind `nearest` stay at home."""
    saved = tf.train.load_checkpoint(str(case.exported / "variables" / "variables")).get_variable_to_shape_map()
    at_home = ("last_step", "gap", "validation_gap", "position_bias", "batches")
    served = [v for v in case.model.variables if v.name.partition(":")[0] not in at_home]
    served = [v for v in served if v.shape.is_fully_defined()]  # The number of rooms is open.
    shapes = [shape for name, shape in saved.items() if name.endswith("VARIABLE_VALUE")]
    assert sorted(map(tuple, shapes)) == sorted(tuple(v.shape) for v in served)


def test_it_runs_in_a_stock_model_server(case: Case):
    """Only ops of TensorFlow itself, no table that would need initialising, no function of Python."""
    registered = set(tf.raw_ops.__dict__) | {"PartitionedCall"}
    for function in case.saved.signatures.values():
        graph = function.graph.as_graph_def(add_shapes=False)
        used = {node.op for node in graph.node} | {n.op for f in graph.library.function for n in f.node_def}
        assert used <= registered | {"Placeholder"}
        assert not {op for op in used if "HashTable" in op or "PyFunc" in op or op.startswith("Lookup")}


def test_the_user_side_is_computed_once_a_viewer(case: Case):
    """Nothing of the one viewer alone has a row for each of seven candidates, and no product reads both sides."""
    if not isinstance(case.model, Ranker):
        pytest.skip("the sides of recall are served apart, or have no layer of their own")
    graph = served_graph(case.model, candidates=7)
    user_only = depends_on(graph, USER_SIDE) - depends_on(graph, set(DTYPES) - set(USER_SIDE))
    products = [operation for operation in user_only if operation.type == "MatMul"]
    assert products
    assert {operation.outputs[0].shape[0] for operation in products} <= {1, STEPS}
    assert not [o for o in user_only for t in o.outputs if t.shape.rank and t.shape[0] == 7]
    blank = {name: tf.constant(values) for name, values in blank_batch(case.model.layout).items()}
    sides = [case.model.user_inputs(blank), case.model.candidate_inputs(blank)]
    rows = [side.row if isinstance(side, Fields) else side for side in sides]
    both: Any = tf.concat([row[:1] for row in rows], axis=-1).shape[-1]
    if case.model.__class__.__name__ == "Din":
        return  # Its attention multiplies candidates by matrices made once a viewer, of unknown or greater width.
    assert not [o for o in graph.get_operations() if o.type == "MatMul" and (o.inputs[0].shape[-1] or 0) >= both]


def test_no_two_kernels_start_the_same(case: Case):
    """One seed handed to several layers would make experts and towers the same for ever."""
    if isinstance(case.model, SolvedRecall):
        pytest.skip("a solved model has no layer")
    if isinstance(case.model, Fm | GbdtLr | Lr):
        pytest.skip("a sum over features has no layers that could be the same")
    model = build(RunFiles.read(case.run))
    kernels = [variable.numpy() for variable in model.trainable_variables if "kernel" in variable.name]
    assert len(kernels) > 4
    for place, one in enumerate(kernels):
        assert not any(one.shape == two.shape and np.allclose(one, two) for two in kernels[:place])


def served_graph(model: Model, candidates: int) -> tf.Graph:
    """The graph of `serving_default` for one viewer and so many candidates."""
    signature = model.signatures()["serving_default"]
    specs = {}
    for tensor in signature.layout.tensors:
        rows = 1 if tensor.name in USER_SIDE else candidates
        shape = [rows, tensor.length, tensor.width] if tensor.length else [rows, tensor.width]
        specs[tensor.name] = tf.TensorSpec(shape, DTYPES[tensor.name], tensor.name)
    return tf.function(signature.function).get_concrete_function(specs).graph


def depends_on(graph: tf.Graph, names: Any) -> set[tf.Operation]:
    """The operations that some input of these names leads to."""
    reached = {operation for operation in graph.get_operations() if operation.name in names}
    for operation in graph.get_operations():  # In the order in which they were made, inputs first.
        if any(tensor.op in reached for tensor in operation.inputs):
            reached.add(operation)
    return reached
