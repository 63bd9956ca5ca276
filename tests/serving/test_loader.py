"""Loading a SavedModel, where the server's tests cannot look: what a failed load leaves behind."""
# pyright: reportAttributeAccessIssue=false
# (TensorFlow has no types.)

import shutil

import pytest

from tests.serving.toy_models import tf  # isort: skip  (first: it selects Keras 2)
from tensorflow.core.protobuf import saved_model_pb2

from serving.local.loader import load


def test_a_signature_that_names_no_tensor_leaves_no_session_open(toys, tmp_path, monkeypatch):
    path = tmp_path / "1"
    shutil.copytree(toys / "good" / "1", path)
    saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    saved_model.meta_graphs[0].signature_def["serving_default"].outputs["y"].name = "nowhere:0"
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    closed = []
    close = tf.compat.v1.Session.close
    monkeypatch.setattr(tf.compat.v1.Session, "close", lambda session: closed.append(close(session)))

    with pytest.raises(KeyError, match="nowhere") as error:
        load(path, intra_op=1, inter_op=1)

    assert closed == [None]
    del error  # which held the session, so that no collector closed it
