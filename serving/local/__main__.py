"""`python -m serving.local`: the embedded model server, with `tensorflow_model_server`'s flags."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc

from protos.onair.v1.tfserving_pb2 import ModelServerConfig
from serving.errors import ServingError, serving_error
from serving.local.dataplane import DataPlane
from serving.local.flags import Flags, parse_flags
from serving.local.grpc_server import start_grpc_server
from serving.local.model_config import read_config, served_models, single_model_config
from serving.local.ports import require_free_port
from serving.local.repository import Repository, Retries
from serving.local.rest_server import start_rest_server
from serving.local.servable import Servable
from serving.local.served_config import ServedConfig
from serving.local.ssl_config import server_credentials

log = logging.getLogger("serving.local")

START_FAILED = 255  # tensorflow_model_server's exit status


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it is interrupted; returns the exit status."""
    flags = parse_flags(sys.argv[1:] if arguments is None else arguments, os.cpu_count() or 1)
    logging.basicConfig(format="%(asctime)s %(levelname).1s %(name)s: %(message)s", level=logging.INFO)
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "2"
    )  # before TensorFlow is imported: it would tell of its CPU features
    try:
        serve(flags)
    except ServingError as error:
        sys.stderr.write(f"Failed to start server. Error: {error}\n")
        return START_FAILED
    except KeyboardInterrupt:
        return 130
    return 0


def serve(flags: Flags) -> None:
    """Loads the models, opens the ports and serves without end.

    Raises:
        ServingError: The server cannot start.
    """
    config = _first_config(flags)
    credentials = server_credentials(Path(flags.ssl_config_file)) if flags.ssl_config_file else None
    for port in (flags.port, flags.rest_api_port):
        require_free_port(port)
    repository = Repository(_loader(flags), Retries(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6))
    served = ServedConfig(repository, labels_may_wait=flags.allow_version_labels_for_unavailable_models)
    repeat_every(flags.file_system_poll_wait_seconds, repository.poll)
    try:
        served.reload(config, noun="servable(s)")
        server = _open_ports(flags, DataPlane(repository, served), credentials)
        if flags.config_path:
            repeat_every(flags.model_config_file_poll_wait_seconds, lambda: _reread(flags, served))
        server.wait_for_termination()
    finally:
        repository.close()  # else a reload that waits for a model would keep the process alive


def _open_ports(flags: Flags, plane: DataPlane, credentials: grpc.ServerCredentials | None) -> grpc.Server:
    server, port = start_grpc_server(
        plane,
        flags.port,
        threads=flags.grpc_max_threads,
        health_checks=flags.enable_grpc_healthcheck_service,
        credentials=credentials,
    )
    log.info("Running gRPC ModelServer at 0.0.0.0:%d ...", port)
    if flags.rest_api_port:
        start_rest_server(plane, flags.rest_api_port)
        log.info("Exporting HTTP/REST API at:localhost:%d ...", flags.rest_api_port)
    return server


def _first_config(flags: Flags) -> ModelServerConfig:
    """The flags' model list, checked before the slow part of the start."""
    if flags.enable_batching:
        raise _refused(
            "the embedded server runs each request on its own: start it without --enable_batching,"
            " or use tensorflow_model_server"
        )
    if flags.batching_parameters_file:
        raise _refused(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )
    if flags.monitoring_config_file:
        log.warning("--monitoring_config_file has no effect: the embedded server exports no metrics")
    if flags.config_path:
        config = read_config(flags.config_path)
    elif flags.model_base_path:
        config = single_model_config(flags.model_name, flags.model_base_path)
    else:
        raise _refused("Both server_options.model_base_path and server_options.model_config_file are empty!")
    served_models(config)
    return config


def _loader(flags: Flags) -> Callable[[Path], Servable]:
    # TensorFlow takes seconds to import, and a wrong flag should be told before.
    from serving.local.loader import load
    from serving.local.warmup import warm_up

    intra_op, inter_op = flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism

    def load_version(path: Path) -> Servable:
        servable = load(path, intra_op=intra_op, inter_op=inter_op)
        try:
            count = warm_up(servable, path)
        except BaseException:
            servable.close()
            raise
        log.info("%s: %d warm-up requests run", path, count)
        return servable

    return load_version


def repeat_every(interval_s: float, action: Callable[[], None]) -> None:
    """Repeats an action on a thread of its own; not at all where the interval is 0 or less."""

    def repeat() -> None:
        pause = threading.Event()
        while not pause.wait(interval_s):
            try:
                action()
            except Exception:  # else the first surprise would be the last poll
                log.exception("a poll failed")

    if interval_s > 0:
        threading.Thread(target=repeat, daemon=True).start()


def _reread(flags: Flags, served: ServedConfig) -> None:
    if flags.config_path is None:
        return
    try:
        served.reload(read_config(flags.config_path))
    except ServingError as error:
        log.error("Failed to read ModelServerConfig file: %s", error)


def _refused(message: str) -> ServingError:
    return serving_error(grpc.StatusCode.INVALID_ARGUMENT, message)


if __name__ == "__main__":
    sys.exit(main())
