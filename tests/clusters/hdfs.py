"""A real HDFS: a namenode and a datanode in one Java process, Hadoop's own mini cluster."""

import json
from pathlib import Path

from tests.clusters.processes import INSTALLED, Server

_JARS = INSTALLED / "hadoop"
_START_TIMEOUT_S = 120.0


class Hdfs(Server):
    """The cluster, empty at first."""

    def __init__(self, folder: Path) -> None:
        """Starts it and waits for its datanode, too.

        Args:
            folder: Of its blocks and its log.
        """
        assert _JARS.is_dir(), f"{_JARS}: expected the jars that `make clusters` fetches, found none"
        details = folder / "details.json"
        command = ["java", "-Xmx512m", "-cp", f"{_JARS}/*", "org.apache.hadoop.test.MiniDFSClusterManager", "-format"]
        command += ["-writeDetails", str(details), "-D", f"hdfs.minidfs.basedir={folder / 'blocks'}"]
        super().__init__(
            command,
            folder / "log",
            lambda: details.exists() and details.stat().st_size > 0,
            timeout_s=_START_TIMEOUT_S,
        )
        self.uri = f"hdfs://127.0.0.1:{json.loads(details.read_text())['namenode_port']}"
