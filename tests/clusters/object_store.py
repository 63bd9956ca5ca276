"""A server that speaks S3 and keeps its objects in memory: moto, in an environment of its own."""

from pathlib import Path

from tests.clusters.processes import INSTALLED, Server, free_port, listens

_SERVER = INSTALLED / "object-store" / "bin" / "moto_server"
_START_TIMEOUT_S = 60.0


class ObjectStore(Server):
    """The server; what pyarrow needs to find it stands in `environment`."""

    def __init__(self, folder: Path) -> None:
        """Starts it.

        Args:
            folder: Of its log.
        """
        assert _SERVER.exists(), f"{_SERVER}: expected the server that `make clusters` installs, found none"
        port = free_port()
        self.environment = {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "onair",
            "AWS_SECRET_ACCESS_KEY": "only-for-tests",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [str(_SERVER), "-H", "127.0.0.1", "-p", str(port)]
        super().__init__(command, folder / "log", lambda: listens(port), timeout_s=_START_TIMEOUT_S)
