"""The event log of a service, as an argument of verbs that read it: a folder, or a Kafka topic."""

import argparse

from feature_service.log.kafka_topic import KafkaTopic
from serving.commands.arguments import local_path
from training.data.service_log import LogPlace


def add_log(parser: argparse.ArgumentParser) -> None:
    """Declares `--log`."""
    parser.add_argument(
        "--log",
        type=_log_place,
        required=True,
        help="the service's event log: <data>/log, or the topic that its settings name, kafka://host:port/topic",
    )


def _log_place(text: str) -> LogPlace:
    """Reads where a log is, for `type=`.

    Raises:
        ArgumentTypeError: It is neither, or the Kafka client is not installed.
    """
    if not text.startswith("kafka://"):
        return local_path(text)
    try:
        return KafkaTopic(text)
    except (ImportError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
