"""PEM files of TLS: checked here, as gRPC would only refuse each connection, without a reason."""

import ssl
from pathlib import Path


class PemError(ValueError):
    """A file of certificates or keys that cannot be used: names the file and what was expected."""


def read_pair(certificate: Path, key: Path) -> tuple[bytes, bytes]:
    """The texts of a certificate (and its chain) and of its private key.

    Raises:
        OSError: A file cannot be read.
        PemError: They are no PEM, the key has a password, or is another certificate's.
    """
    texts = certificate.read_bytes(), key.read_bytes()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        expected = "expected a PEM certificate and its private key without a password"
        raise PemError(f"{certificate}, {key}: {expected}, received: {error.reason or error}") from None
    return texts


def read_authorities(path: Path) -> bytes:
    """The text of the certificates of authorities.

    Raises:
        OSError: The file cannot be read.
        PemError: It holds none.
    """
    text = path.read_bytes()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise PemError(f"{path}: expected PEM certificates of authorities, received none that can be read") from error
    return text
