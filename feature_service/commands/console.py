"""Serve the console: a web page that explains what a running service recommends to a user, and why.

It shows what people watch and asks for no password, so it listens on this machine alone unless --host says otherwise.
With --tls-client-ca only browsers that show a certificate reach it, and through it what its token may.

Examples:
  python -m feature_service console --address 127.0.0.1:8600 --port 8080
  python -m feature_service console --address onair:8600 --tls-ca ca.pem --token-file console.token
"""

import argparse
import logging
import signal
import socket
import sys

from werkzeug.serving import make_server

from feature_service.access.tls import add_access, outgoing, server_tls
from feature_service.console.app import create_app
from feature_service.console.client import ConsoleClient
from serving.verbs import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--address", default="127.0.0.1:8600", help="the feature service (default %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="listen on this address (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="listen here; 0 takes a free one (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="deadline (default %(default)s s)")
    add_access(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    # The access log would name the users who were looked at.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tls = server_tls(arguments, arguments.host)
    client = ConsoleClient(arguments.address, arguments.timeout, outgoing(arguments))
    with _listening(arguments.host, arguments.port) as listener:
        port = listener.getsockname()[1]
        server = make_server(arguments.host, port, create_app(client), threaded=True, fd=listener.fileno())
        if tls:
            secured = tls.secure(server.socket)
            server.socket, server.ssl_context = secured, secured.context
        scheme = "https" if tls else "http"
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        sys.stdout.write(f"console of {arguments.address} at {scheme}://{host}:{port}/\n")
        sys.stdout.flush()
        server.serve_forever()
    client.close()
    return 0


def _listening(host: str, port: int) -> socket.socket:
    """A listening socket; made here because werkzeug's own answer to a port in use is to end the process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OverflowError:
        raise UserError(f"--port: expected 0 to 65535, received {port}") from None
