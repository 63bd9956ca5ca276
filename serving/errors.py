"""The errors of model serving, and the one table each transport reads them by.

```
ServingError                    any failure of a call to a model server, or of the server itself
├── RequestRefusedError         the request is wrong; sending it again does not help
├── ModelNotFoundError          no such model or version, or it is not available (now)
├── ServerUnavailableError      nobody answers, or the server is full; another try may help
├── DeadlineExceededError       the answer did not come in time
└── ServerFailedError           the server broke
LaunchError                     a model server process could not be started, or died
```
"""

from typing import cast

import grpc

from protos.onair.v1.tfserving_pb2 import Code

Status = grpc.StatusCode


class ServingError(Exception):
    """A failure with a gRPC status code.

    Attributes:
        code: The gRPC status.
        message: What the server said (or we, where it said nothing).
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


class RequestRefusedError(ServingError):
    """The request is wrong: a misnamed input, an unknown signature, a dtype that does not fit."""


class ModelNotFoundError(ServingError):
    """The model, version or label is not available."""


class ServerUnavailableError(ServingError):
    """The server cannot be reached or is out of capacity."""


class DeadlineExceededError(ServingError):
    """The call's deadline passed."""


class ServerFailedError(ServingError):
    """The server failed for a reason of its own."""


class LaunchError(Exception):
    """A model server process could not be started or ended before it served."""


_KINDS: dict[grpc.StatusCode, type[ServingError]] = {
    Status.INVALID_ARGUMENT: RequestRefusedError,
    Status.FAILED_PRECONDITION: RequestRefusedError,
    Status.OUT_OF_RANGE: RequestRefusedError,
    Status.UNIMPLEMENTED: RequestRefusedError,
    Status.NOT_FOUND: ModelNotFoundError,
    Status.UNAVAILABLE: ServerUnavailableError,
    Status.RESOURCE_EXHAUSTED: ServerUnavailableError,
    Status.CANCELLED: ServerUnavailableError,  # Not by us: a server that ends does so with calls that it has not begun.
    Status.DEADLINE_EXCEEDED: DeadlineExceededError,
}

_HTTP_STATUS: dict[grpc.StatusCode, int] = {
    Status.INVALID_ARGUMENT: 400,
    Status.FAILED_PRECONDITION: 400,
    Status.OUT_OF_RANGE: 400,
    Status.NOT_FOUND: 404,
    Status.RESOURCE_EXHAUSTED: 429,
    Status.UNIMPLEMENTED: 501,
    Status.UNAVAILABLE: 503,
    Status.DEADLINE_EXCEEDED: 504,
}

_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def serving_error(code: grpc.StatusCode, message: str) -> ServingError:
    """The error of the tree that stands for a gRPC status."""
    return _KINDS.get(code, ServerFailedError)(code, message)


def http_status(code: grpc.StatusCode) -> int:
    """The HTTP status with which TF Serving's REST API answers a gRPC status; 500 for what the table lacks."""
    return _HTTP_STATUS.get(code, 500)


def status_of_number(number: int) -> grpc.StatusCode:
    """The gRPC status of a canonical error number (TensorFlow's `error.Code` has the same ones); UNKNOWN for others."""
    return _BY_NUMBER.get(number, Status.UNKNOWN)


def number_of_status(code: grpc.StatusCode) -> Code:
    """The canonical error number of a gRPC status."""
    return cast(Code, code.value[0])
