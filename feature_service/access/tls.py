"""TLS of the gRPC server and the console: certificates that are renewed while they serve, clients that show theirs."""

import argparse
import ipaddress
import logging
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.commands.arguments import local_path
from serving.credentials import Credentials
from serving.pem import read_authorities, read_pair
from serving.verbs import UserError
from serving.watched import Watched

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The files of a server.

    Attributes:
        certificate: PEM file of its certificate and the chain behind it.
        key: PEM file of its private key.
        client_ca: PEM file of the authorities of clients, who then must show a certificate; None = they need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server; a connection is made with the files as they are then.

        Raises:
            OSError: A file cannot be read.
            PemError: A file cannot be used.
        """
        watched = Watched(self._paths, self._configuration)
        return grpc.dynamic_ssl_server_credentials(watched.now(), watched.now, self.client_ca is not None)

    def secure(self, listener: socket.socket) -> ssl.SSLSocket:
        """Has a web server's listening socket speak TLS, with the files as they are now.

        Hands are shaken with the first byte that is read, on the thread that answers: while `accept` did it, a browser
        that says nothing would keep out all others.

        Raises:
            OSError: A file cannot be read.
            PemError: A file cannot be used.
        """
        self._configuration()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_ca)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
        return context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)

    @property
    def _paths(self) -> list[Path]:
        return [self.certificate, self.key, *([self.client_ca] if self.client_ca else [])]

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        certificate, key = read_pair(self.certificate, self.key)
        authorities = read_authorities(self.client_ca) if self.client_ca else None
        return grpc.ssl_server_certificate_configuration([(key, certificate)], authorities)


def add_access(parser: argparse.ArgumentParser) -> None:
    """Declares the files of a server that calls others, for `server_tls` and `outgoing`."""
    parser.add_argument("--tls-cert", type=local_path, metavar="PEM", help="serve by TLS, with this certificate")
    parser.add_argument("--tls-key", type=local_path, metavar="PEM", help="its private key")
    parser.add_argument("--tls-client-ca", type=local_path, metavar="PEM", help="callers must show a certificate of it")
    parser.add_argument("--tls-ca", type=local_path, metavar="PEM", help="call others by TLS, and show them ours")
    parser.add_argument(
        "--token-file", type=local_path, metavar="FILE", help="our token for the service that is called"
    )


def outgoing(arguments: argparse.Namespace) -> Credentials:
    """What a server calls others with: the certificate that it serves with is also shown to them.

    Raises:
        CredentialsError: The files do not go together.
    """
    ours = (arguments.tls_cert, arguments.tls_key) if arguments.tls_ca else (None, None)
    return Credentials(arguments.tls_ca, *ours, token=arguments.token_file)


def server_tls(arguments: argparse.Namespace, host: str) -> ServerTls | None:
    """The files that the arguments name; None = plain text, which the log warns of unless this machine alone hears it.

    Args:
        arguments: Of `add_access`.
        host: What the server listens on.

    Raises:
        UserError: They do not go together.
    """
    certificate, key, client_ca = arguments.tls_cert, arguments.tls_key, arguments.tls_client_ca
    if (certificate is None) != (key is None):
        raise UserError("--tls-cert: expected a certificate and its --tls-key, received one of them")
    if certificate and key:
        return ServerTls(certificate, key, client_ca)
    if client_ca:
        raise UserError("--tls-client-ca: expected --tls-cert and --tls-key beside it, received neither")
    if not _is_loopback(host):
        log.warning("%s is served in plain text: expected --tls-cert and --tls-key, unless a mesh encrypts it", host)
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
