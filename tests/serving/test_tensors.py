"""What arrays become on the wire."""

import numpy as np
import pytest

from protos.onair.v1.tfserving_pb2 import DataType, TensorProto
from serving.tensors import data_type, spec_shape, to_array, to_proto


def test_numbers_travel_as_little_endian_content():
    proto = to_proto(np.array([[1, 256]], ">i2"))

    assert proto.tensor_content == b"\x01\x00\x00\x01"
    assert [dim.size for dim in proto.tensor_shape.dim] == [1, 2]


def test_reading_content_makes_no_copy():
    array = to_array(to_proto(np.arange(3, dtype=np.float32)))

    assert not array.flags.owndata
    assert not array.flags.writeable


def test_str_is_sent_as_utf8():
    assert list(to_proto(np.array(["a", "é"])).string_val) == [b"a", "é".encode()]


def test_the_last_string_is_repeated_up_to_the_shape():
    proto = to_proto(np.array([[b"a", b"b"]], dtype=object))
    proto.tensor_shape.dim[1].size = 4

    assert to_array(proto).tolist() == [[b"a", b"b", b"b", b"b"]]


@pytest.mark.parametrize(
    ("proto", "value"),
    [
        (TensorProto(dtype=DataType.DT_INT8, int_val=[300]), 300 - 256),
        (TensorProto(dtype=DataType.DT_UINT8, int_val=[-1]), 255),
        (TensorProto(dtype=DataType.DT_HALF, half_val=[0x13C00]), 1.0),  # 0x3C00 is 1.0
        (TensorProto(dtype=DataType.DT_UINT64, uint64_val=[2**63 + 1]), 2**63 + 1),
    ],
)
def test_typed_values_beyond_the_dtype_wrap_around(proto: TensorProto, value: float):
    assert to_array(proto).tolist() == value


def test_an_array_that_cannot_travel_is_refused_with_its_dtype():
    with pytest.raises(ValueError, match=r"dtype datetime64\[s\] cannot be sent"):
        data_type(np.dtype("M8[s]"))


def test_an_object_that_is_no_string_is_refused():
    with pytest.raises(ValueError, match="holds bytes or str; received int"):
        to_proto(np.array([1, "a"], dtype=object))


def test_an_unknown_rank_is_no_shape():
    proto = TensorProto()
    proto.tensor_shape.unknown_rank = True

    assert spec_shape(proto.tensor_shape) is None
