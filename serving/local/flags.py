"""The flags of the embedded server: `tensorflow_model_server`'s, as `--flag=value` or `--flag value`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Flags:
    """The server's flags; names and meanings are `tensorflow_model_server`'s."""

    port: int
    rest_api_port: int
    model_name: str
    model_base_path: str
    model_config_file: str
    model_config_file_poll_wait_seconds: float
    file_system_poll_wait_seconds: float
    max_num_load_retries: int
    load_retry_interval_micros: int
    allow_version_labels_for_unavailable_models: bool
    tensorflow_intra_op_parallelism: int
    tensorflow_inter_op_parallelism: int
    enable_grpc_healthcheck_service: bool
    grpc_max_threads: int
    enable_batching: bool
    batching_parameters_file: str
    monitoring_config_file: str
    ssl_config_file: str

    @property
    def config_path(self) -> Path | None:
        """The model config file, if one is given."""
        return Path(self.model_config_file) if self.model_config_file else None


def parse_flags(arguments: Sequence[str], cpus: int) -> Flags:
    """Reads the command line; unknown flags are named on stderr and ignored, as `tensorflow_model_server` does.

    Args:
        arguments: Without the program's name.
        cpus: Number of processors, from which defaults follow.

    Raises:
        SystemExit: `--help`, or a value of the wrong type (status 2).
    """
    values, unknown = _parser(cpus).parse_known_args(arguments)
    for argument in unknown:
        sys.stderr.write(f"unknown argument: {argument}\n")
    return Flags(**vars(values))


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise argparse.ArgumentTypeError(f"expected true or false, received {text!r}")
    return text.lower() in {"true", "1"}


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text!r}")
    return int(text)


def _parser(cpus: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.local",
        description="An embedded model server that speaks TensorFlow Serving's gRPC and REST API.",
        epilog="Example: python -m serving.local --port=8500 --rest_api_port=8501 --model_config_file=models.config",
        allow_abbrev=False,
    )
    value = parser.add_argument
    value("--port", type=int, default=8500, help="gRPC port (default 8500); 0 takes a free one and prints it")
    value("--rest_api_port", type=int, default=0, help="REST port; 0 (default): no REST API")
    value("--model_name", default="default", help="name of the single model (ignored with --model_config_file)")
    value("--model_base_path", default="", help="absolute path of the single model's version directories")
    value("--model_config_file", default="", help="ModelServerConfig as text proto")
    value(
        "--model_config_file_poll_wait_seconds", type=float, default=0, help="re-read the config this often; 0: never"
    )
    value(
        "--file_system_poll_wait_seconds", type=float, default=1, help="look for versions this often; 0: once, at start"
    )
    value("--max_num_load_retries", type=int, default=5, help="how often a failed load is tried again (default 5)")
    value("--load_retry_interval_micros", type=int, default=60_000_000, help="between tries, µs (default a minute)")
    value("--tensorflow_intra_op_parallelism", type=int, default=1, help="threads inside one operation (default 1)")
    value(
        "--tensorflow_inter_op_parallelism",
        type=int,
        default=cpus,
        help="threads that run operations (default: processors)",
    )
    value("--grpc_max_threads", type=_positive, default=4 * cpus, help="requests answered at once; more of them wait")
    value("--batching_parameters_file", default="", help="only with --enable_batching")
    value("--monitoring_config_file", default="", help="read for compatibility: this server exports no metrics")
    value("--ssl_config_file", default="", help="SSLConfig as text proto: serve gRPC by TLS")
    for name, text in (
        ("--allow_version_labels_for_unavailable_models", "a new label may name a version that is still to come"),
        ("--enable_grpc_healthcheck_service", "answer grpc.health.v1"),
        ("--enable_batching", "refused: this server runs each request on its own"),
    ):
        value(name, type=_boolean, nargs="?", const=True, default=False, help=text)
    return parser
