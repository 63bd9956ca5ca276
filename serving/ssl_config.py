"""The TLS file of a model server: keys and certificates in the text form of `--ssl_config_file`."""

import os
from pathlib import Path

from google.protobuf import text_format

from protos.onair.v1.tfserving_pb2 import SSLConfig
from serving.pem import read_authorities, read_pair


def write_ssl_config(path: Path, certificate: Path, key: Path, client_ca: Path | None) -> None:
    """Writes the file, which holds the key, so that its owner alone reads it.

    Args:
        path: The file; an older one is replaced.
        certificate: PEM file of the server's certificate and the chain behind it.
        key: PEM file of its private key.
        client_ca: PEM file of the authorities of clients, who then must show a certificate; None = they need none.

    Raises:
        OSError: A file cannot be read or written.
        PemError: A file cannot be used.
    """
    chain, private = read_pair(certificate, key)
    config = SSLConfig(server_cert=chain.decode(), server_key=private.decode(), client_verify=client_ca is not None)
    if client_ca:
        config.custom_ca = read_authorities(client_ca).decode()
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text_format.MessageToString(config))
    new.replace(path)
