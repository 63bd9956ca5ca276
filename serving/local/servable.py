"""A loaded model as the rest of the server sees it: signatures that run, whatever runs them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serving.tensors import Array


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a signature.

    Attributes:
        alias: Its name in the signature, by which a request names it.
        tensor: The name of the graph's tensor that it feeds (`serving_default_x:0`).
        data_type: Its `DataType` number.
    """

    alias: str
    tensor: str
    data_type: int


@dataclass(frozen=True, slots=True)
class RunnableSignature:
    """One signature of a loaded model.

    Attributes:
        name: The signature's name.
        inputs: By tensor name, which is the order in which TensorFlow numbers the arguments in its messages.
        outputs: The aliases of the outputs, sorted.
        run: Takes the inputs' arrays in the order of `inputs`, returns the outputs' arrays in the order of `outputs`;
            raises ServingError with TensorFlow's code and message.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    run: Callable[[Sequence[Array]], Sequence[Array]]


@dataclass(frozen=True, slots=True)
class Servable:
    """One loaded version of a model.

    Attributes:
        signatures: By name.
        signature_map: The serialised `SignatureDefMap` that GetModelMetadata answers with.
        close: Frees the model; called once, when nobody uses it any more.
    """

    signatures: Mapping[str, RunnableSignature]
    signature_map: bytes
    close: Callable[[], None]
