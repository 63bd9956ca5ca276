"""Write the file that a model server serves TLS by, from PEM files: TensorFlow Serving takes them in one text.

Neither server reads it again: restart them when a certificate is renewed.

Example:
  python -m serving ssl-config --tls-cert server.pem --tls-key server.key --tls-client-ca ca.pem --out ssl.config
  python -m serving up --models run/models --flag ssl_config_file=ssl.config
"""

import argparse

from serving.commands.arguments import local_path
from serving.ssl_config import write_ssl_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.add_argument("--tls-cert", type=local_path, required=True, metavar="PEM", help="the server's certificate")
    parser.add_argument("--tls-key", type=local_path, required=True, metavar="PEM", help="its private key")
    parser.add_argument("--tls-client-ca", type=local_path, metavar="PEM", help="callers must show a certificate of it")
    parser.add_argument("--out", type=local_path, required=True, help="the file, which its owner alone reads")


def run(arguments: argparse.Namespace) -> int:
    """Writes the file."""
    write_ssl_config(arguments.out, arguments.tls_cert, arguments.tls_key, arguments.tls_client_ca)
    return 0
