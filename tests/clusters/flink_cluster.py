"""A real Flink: a JobManager and TaskManagers, each a process of its own, of the package from PyPI."""

import json
import os
import shutil
import subprocess
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.clusters.processes import INSTALLED, Server, free_port

ROOT = Path(__file__).parents[2]
_ENVIRONMENT = INSTALLED / "pyflink"
_JARS = INSTALLED / "flink"
_START_TIMEOUT_S = 120.0

_CONFIG = """\
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 800m
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.memory.process.size: {task_manager_mb}m
taskmanager.numberOfTaskSlots: 1
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest}
heartbeat.interval: 1000
heartbeat.timeout: 8000
task.cancellation.timeout: 20000
execution.checkpointing.interval: {checkpoint_s}s
execution.checkpointing.incremental: true
state.backend.type: rocksdb
execution.checkpointing.dir: file://{folder}/checkpoints
execution.checkpointing.savepoint-dir: file://{folder}/savepoints
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 100
restart-strategy.fixed-delay.delay: 1s
io.tmp.dirs: {folder}/tmp
env.java.opts.all: {opened} -Djava.io.tmpdir={folder}/tmp
python.executable: {python}
python.client.executable: {python}
"""


class FlinkCluster:
    """The cluster; to be ended as a context."""

    def __init__(self, folder: Path, *, task_manager_mb: int = 1300, checkpoint_s: int = 2) -> None:
        """Starts it and waits until its two TaskManagers are registered.

        Args:
            folder: Of its configuration, logs, checkpoints and savepoints.
            task_manager_mb: Memory of each, which has one slot.
            checkpoint_s: Seconds between checkpoints.
        """
        for needed in (_ENVIRONMENT, _JARS):
            assert needed.is_dir(), f"{needed}: expected what `make clusters` fetches, found nothing"
        self.folder, self._rest = folder, free_port()
        self.python = _ENVIRONMENT / "bin" / "python"
        home = self._home(next((_ENVIRONMENT / "lib").glob("python3*/site-packages/pyflink")))
        self._configure(home, task_manager_mb=task_manager_mb, checkpoint_s=checkpoint_s)
        self._bin = home / "bin"
        self._environment = {**os.environ, "FLINK_CONF_DIR": str(folder / "conf"), "FLINK_HOME": str(home)}
        self._bundle = folder / "bundle"
        subprocess.run([self.python, ROOT / "training/streaming/flink/bundle.py", self._bundle], check=True)
        self._job_manager = self._start("jobmanager.sh", lambda: self._registered() is not None)
        self.task_managers: list[Server] = []
        try:
            for _ in range(2):
                self.add_task_manager()
        except BaseException:
            self._job_manager.kill()
            raise

    def add_task_manager(self) -> None:
        """Starts one more, and waits until it is registered."""
        before = self._registered() or set()
        self.task_managers.append(self._start("taskmanager.sh", lambda: bool((self._registered() or set()) - before)))

    def kill_task_manager(self) -> None:
        """Ends one at once; its Python processes, which would stay behind, too."""
        self.task_managers.pop().kill()

    def replace_ended(self) -> None:
        """Starts another for each TaskManager that has ended, as whoever runs a Flink for good does."""
        for each in [each for each in self.task_managers if each.ended]:
            self.task_managers.remove(each)
            self.add_task_manager()

    def submit(self, *arguments: str, savepoint: str = "", parallelism: int = 2) -> str:
        """Runs the job detached, with `flink run`, from a savepoint if one is given; returns its id."""
        options = ["--detached", "--parallelism", str(parallelism)]
        options += ["--pyModule", "training.streaming.flink.job", "--pyFiles", str(self._bundle)]
        options += ["--fromSavepoint", savepoint] if savepoint else []
        told = self.flink("run", *options, *arguments)
        return told.rpartition("JobID ")[2].split()[0]

    def flink(self, *arguments: str) -> str:
        """What the command line client says."""
        command = ["bash", str(self._bin / "flink"), *arguments]
        environment = {**self._environment, "PATH": f"{self.python.parent}:{os.environ['PATH']}"}
        # Python looks in the working directory first.
        done = subprocess.run(
            command, env=environment, cwd=self._bundle, capture_output=True, text=True, check=False, timeout=300
        )
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, method: str = "GET") -> Any:
        """What the JobManager's REST interface says."""
        with closing(HTTPConnection("127.0.0.1", self._rest, timeout=10)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            told = answer.read().decode()
            assert answer.status < 400, told
        return json.loads(told)

    def cancel_all(self) -> None:
        """Ends the jobs that run, and waits until they have let go of their slots."""
        for job in self._running():
            self.ask(f"/jobs/{job}?mode=cancel", "PATCH")
        deadline_s = time.monotonic() + 60
        while running := self._running():
            assert time.monotonic() < deadline_s, f"not cancelled: {[self.told_of(job) for job in running]}"
            time.sleep(0.2)

    def told_of(self, job: str) -> str:
        """What to know of a job that does not go on: its tasks, what has failed, and the end of each log."""
        tasks = [(each["name"][:40], each["tasks"]) for each in self.ask(f"/jobs/{job}")["vertices"]]
        failed = [
            each["stacktrace"][:2000] for each in self.ask(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        ]
        logs = [path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log"))]
        return "\n\n".join(
            [f"{self.state(job)}, {len(self._registered() or ())} TaskManagers, {tasks}", *failed, *logs]
        )

    def state(self, job: str) -> str:
        """Of a job."""
        return self.ask(f"/jobs/{job}")["state"]

    def await_end(self, job: str, *, timeout_s: float) -> None:
        """Waits until a job over what is there has finished."""
        deadline_s = time.monotonic() + timeout_s
        while (state := self.state(job)) != "FINISHED":
            assert state not in ("FAILED", "CANCELED"), self.ask(f"/jobs/{job}/exceptions")["root-exception"]
            assert time.monotonic() < deadline_s, f"the job is {state} after {timeout_s} s"
            time.sleep(0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in (*self.task_managers, self._job_manager):
            each.kill()

    def _running(self) -> list[str]:
        ended = ("FINISHED", "CANCELED", "FAILED")
        return [each["id"] for each in self.ask("/jobs")["jobs"] if each["status"] not in ended]

    def _registered(self) -> set[str] | None:
        """The ids of the TaskManagers; None while the JobManager does not answer."""
        try:
            return {each["id"] for each in self.ask("/taskmanagers")["taskmanagers"]}
        except OSError:
            return None

    def _home(self, package: Path) -> Path:
        """A Flink as it is in an image of one's own: that of the package, with the jars of Kafka in its `lib`."""
        home = self.folder / "home"
        for name in ("bin", "conf"):
            shutil.copytree(package / name, home / name)
        jars = {"lib": (package / "lib", _JARS), "opt": (package / "opt",), "plugins": ()}
        for name, sources in jars.items():
            (home / name).mkdir()
            for jar in (jar for source in sources for jar in source.glob("*.jar")):
                (home / name / jar.name).symlink_to(jar)
        return home

    def _configure(self, home: Path, **settings: int) -> None:
        shutil.copytree(home / "conf", self.folder / "conf")
        (self.folder / "tmp").mkdir()
        given = (home / "conf" / "config.yaml").read_text("utf-8")
        config = _CONFIG.format(
            opened=given.partition(" all: ")[2].splitlines()[0],
            rpc=free_port(),
            rest=self._rest,
            folder=self.folder,
            python=self.python,
            **settings,
        )
        (self.folder / "conf" / "config.yaml").write_text(config, encoding="utf-8")

    def _start(self, script: str, ready: Any) -> Server:
        command = ["bash", str(self._bin / script), "start-foreground"]
        log = self.folder / f"{script}.log"
        return Server(command, log, ready, timeout_s=_START_TIMEOUT_S, environment=self._environment)
