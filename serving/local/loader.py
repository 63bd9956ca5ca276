"""Loads a SavedModel into a session of its own, as TF Serving's C++ loader does: import, restore, initialise.

Each signature becomes one session callable: no Python-side checks of shapes, so that what is wrong with an
input is said by the op, and no per-tensor work beside the copy.
"""
# pyright: basic
# (TensorFlow has no types.)

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2

from protos.onair.v1.tfserving_pb2 import SignatureDef, SignatureDefMap
from serving.contract import INIT_OP_SIGNATURE
from serving.errors import serving_error, status_of_number
from serving.local.servable import Input, RunnableSignature, Servable
from serving.tensors import Array

SERVE_TAG = "serve"


def load(path: Path, *, intra_op: int, inter_op: int) -> Servable:
    """Loads a version directory.

    Args:
        path: The SavedModel's directory.
        intra_op: Threads inside one operation. The first load of the process decides for all: they share the pools.
        inter_op: Threads that run operations side by side.

    Raises:
        ServingError: With the code and the message that TF Serving gives.
    """
    meta_graph = _read(path)
    graph = tf.Graph()
    threads = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=intra_op, inter_op_parallelism_threads=inter_op)
    session = tf.compat.v1.Session(graph=graph, config=threads)
    try:
        with _tensorflow_errors(), graph.as_default():
            tf.import_graph_def(meta_graph.graph_def, name="")
            assets = _assets(meta_graph, path)
            _restore(session, meta_graph, path, assets)
            _initialise(session, meta_graph, assets)
            signatures = tuple(_signatures(session, meta_graph))
    except BaseException:
        session.close()
        raise
    return Servable({signature.name: signature for signature in signatures}, _signature_map(meta_graph), session.close)


def _read(path: Path) -> meta_graph_pb2.MetaGraphDef:
    if not path.is_dir():
        raise serving_error(
            grpc.StatusCode.FAILED_PRECONDITION,
            "Error while attempting to reserve resources to load servable"
            f" {{name: {path.parent.name} version: {int(path.name)}}}: {path}; Not a directory",
        )
    try:
        saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except FileNotFoundError as error:
        raise serving_error(
            grpc.StatusCode.NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel bundle (should have a file called"
            f" `saved_model.pb`)\nSpecified file path: {path}",
        ) from error
    except DecodeError as error:
        raise serving_error(grpc.StatusCode.OUT_OF_RANGE, "Read less bytes than requested") from error
    for meta_graph in saved_model.meta_graphs:
        if SERVE_TAG in meta_graph.meta_info_def.tags:
            return meta_graph
    raise serving_error(
        grpc.StatusCode.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {SERVE_TAG} }} in {path}",
    )


def _assets(meta_graph: meta_graph_pb2.MetaGraphDef, path: Path) -> dict[str, str]:
    """The tensors that take the names of asset files → where the files are."""
    return {asset.tensor_info.name: str(path / "assets" / asset.filename) for asset in meta_graph.asset_file_def}


def _restore(
    session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef, path: Path, feeds: dict[str, str]
) -> None:
    """Reads the variables; without their index there is nothing to restore (and a Predict fails, as in TF Serving)."""
    saver = meta_graph.saver_def
    if saver.restore_op_name and (path / "variables" / "variables.index").exists():
        prefix = {saver.filename_tensor_name: str(path / "variables" / "variables")}
        _run_operation(session, saver.restore_op_name, {**feeds, **prefix})


def _initialise(session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef, feeds: dict[str, str]) -> None:
    """Runs the initialiser (it fills lookup tables)."""
    init = meta_graph.signature_def.get(INIT_OP_SIGNATURE)
    if init is not None:
        # The signature names the operation's output 0, which a NoOp lacks: run the operation.
        _run_operation(session, init.outputs[INIT_OP_SIGNATURE].name.partition(":")[0], feeds)
    for key in ("saved_model_main_op", "legacy_init_op"):
        for name in meta_graph.collection_def[key].node_list.value if key in meta_graph.collection_def else ():
            _run_operation(session, name, feeds)


def _run_operation(session: tf.compat.v1.Session, name: str, feeds: dict[str, str]) -> None:
    call = _callable(session, config_pb2.CallableOptions(feed=feeds, target=[name]))
    call(*[np.array(value, dtype=object) for value in feeds.values()])


def _signatures(session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[RunnableSignature]:
    for name, signature in meta_graph.signature_def.items():
        feeds = [Input(alias, info.name, info.dtype) for alias, info in signature.inputs.items()]
        inputs = tuple(sorted(feeds, key=lambda feed: feed.tensor))
        outputs = tuple(sorted(signature.outputs))
        fetches = [signature.outputs[alias].name for alias in outputs]
        yield RunnableSignature(name, inputs, outputs, _runner(session, inputs, fetches))


def _runner(
    session: tf.compat.v1.Session, inputs: Sequence[Input], fetches: Sequence[str]
) -> Callable[[Sequence[Array]], Sequence[Array]]:
    for fetch in fetches:
        operation = session.graph.get_operation_by_name(fetch.partition(":")[0])
        if not operation.outputs:
            return _refuse_no_output(operation)
    call = _callable(session, config_pb2.CallableOptions(feed=[feed.tensor for feed in inputs], fetch=fetches))

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        with _tensorflow_errors():
            return call(*arrays)

    return run


def _callable(session: tf.compat.v1.Session, options: config_pb2.CallableOptions) -> Callable[..., Sequence[Array]]:
    # The public `make_callable` goes through `run` where there are feeds: slower, with checks and words of its own.
    return session._make_callable_from_options(options)


def _refuse_no_output(operation: tf.Operation) -> Callable[[Sequence[Array]], Sequence[Array]]:
    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        del arrays
        raise serving_error(
            grpc.StatusCode.OUT_OF_RANGE,
            f"Node '{operation.name}' (type: '{operation.type}', num of outputs: 0) does not have output 0",
        )

    return run


def _signature_map(meta_graph: meta_graph_pb2.MetaGraphDef) -> bytes:
    signature_map = SignatureDefMap()
    for name, signature in meta_graph.signature_def.items():
        # Fields that our subset lacks pass through as unknown ones.
        signature_map.signature_def[name].CopyFrom(SignatureDef.FromString(signature.SerializeToString()))
    return signature_map.SerializeToString(deterministic=True)


@contextmanager
def _tensorflow_errors() -> Generator[None]:
    """Turns TensorFlow's errors into ServingErrors with the same code and message."""
    try:
        yield
    except tf.errors.OpError as error:
        raise serving_error(status_of_number(error.error_code), error.message) from error
