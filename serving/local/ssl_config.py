"""TLS of the embedded server: reads `--ssl_config_file` as `tensorflow_model_server` does."""

from pathlib import Path

import grpc
from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import SSLConfig
from serving.errors import ServingError, serving_error


def server_credentials(path: Path) -> grpc.ServerCredentials:
    """The credentials of the gRPC port.

    Raises:
        ServingError: NOT_FOUND, INVALID_ARGUMENT: the file cannot be read or used.
    """
    try:
        config = text_format.Parse(path.read_text(encoding="utf-8"), SSLConfig())
    except OSError as error:
        raise serving_error(grpc.StatusCode.NOT_FOUND, f"{path}; {error.strerror}") from error
    except (text_format.ParseError, UnicodeDecodeError):
        raise _invalid(path, "expected an SSLConfig in text form") from None  # What is wrong there may be the key.
    if not config.server_key or not config.server_cert:
        raise _invalid(path, "expected server_key and server_cert")
    if config.client_verify and not config.custom_ca:
        raise _invalid(path, "expected custom_ca beside client_verify")
    pair = (config.server_key.encode(), config.server_cert.encode())
    authorities = config.custom_ca.encode() or None
    return grpc.ssl_server_credentials([pair], authorities, config.client_verify)


def _invalid(path: Path, expected: str) -> ServingError:
    return serving_error(grpc.StatusCode.INVALID_ARGUMENT, f"{path}: {expected}")
