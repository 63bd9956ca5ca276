"""Becomes a model server in the foreground.

It is the server that TF_MODEL_SERVER names, else tensorflow_model_server where PATH has it, else the embedded one.
Example: python -m serving up --models /srv/models --port 8500 --rest-port 8501
"""

import argparse
from pathlib import Path

from serving import model_list
from serving.commands.arguments import add_config, local_path
from serving.launch import Flag, exec_model_server
from serving.verbs import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_config(parser)
    parser.add_argument(
        "--models", type=local_path, help="models directory: the config's /models paths are moved there"
    )
    parser.add_argument("--port", type=int, default=8500, help="gRPC port (default 8500)")
    parser.add_argument("--rest-port", type=int, help="REST port (default: no REST API)")
    parser.add_argument(
        "--flag", action="append", default=[], metavar="NAME=VALUE", help="a further flag of the server"
    )


def run(arguments: argparse.Namespace) -> int:
    """Turns this process into the server."""
    config: Path = arguments.config
    if arguments.models:
        config = model_list.write_model_list(arguments.models, source=config)
    model_list.read_model_list(config)
    flags: dict[str, Flag] = {"port": arguments.port, "model_config_file": config.resolve()}
    if arguments.rest_port:
        flags["rest_api_port"] = arguments.rest_port
    for flag in arguments.flag:
        name, equals, value = flag.lstrip("-").partition("=")
        if not name or not equals:
            raise UserError(f"--flag: expected NAME=VALUE, received {flag!r}")
        flags[name] = value
    exec_model_server(flags)
    return 0
