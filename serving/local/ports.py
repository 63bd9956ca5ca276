"""Says early that a port is taken, before the models are loaded."""

import socket

import grpc

from serving.errors import serving_error


def require_free_port(port: int) -> None:
    """Checks that a TCP port can be bound; 0 always can.

    Raises:
        ServerUnavailableError: Another process listens there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just given back is no error
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 (where the server will listen)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "expected 0 to 65535"
            raise serving_error(grpc.StatusCode.UNAVAILABLE, f"cannot listen on port {port}: {reason}") from error
