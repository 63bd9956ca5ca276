"""What stands in a SavedModel's directory, without loading the model."""

from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.versions import GRAPH, PublishError, require_saved_model

_SERVE = "serve"


def meta_graph(directory: Path) -> meta_graph_pb2.MetaGraphDef:
    """The graph that is served: its signatures and the TensorFlow that wrote it.

    Raises:
        PublishError: The directory is missing, or is no SavedModel that a model server could answer with.
    """
    require_saved_model(directory)
    path = directory / GRAPH
    try:
        graphs = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    except DecodeError as error:
        raise PublishError(f"{path}: not a SavedModel ({error})") from error
    for graph in graphs:
        if _SERVE in graph.meta_info_def.tags:
            return graph
    raise PublishError(f"{path}: expected a graph tagged {_SERVE!r}, received none")
