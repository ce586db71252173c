"""The worker processes, as the engine sees them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import Any, Iterator

from gateway_engine import Request, Stopped
from gateway_engine.log import MAX_TEXT, emit

from .worker import MARK

STOP_GRACE = 3.0  # seconds between asking a worker to end and ending it
RUNS_PER_WORKER = 200  # so that what nodes leak is bounded
SPARE = 2  # idle workers that are kept
_PROGRAM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder of __main__.py


class WorkerDied(Exception):
    """The process ended instead of answering."""


class Worker:
    """One process, in a process group of its own."""

    def __init__(self, setup: dict[str, Any]) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PLUGIN_", "EVENT_GATEWAY_"))}
        self.process = subprocess.Popen(
            [sys.executable, _PROGRAM, "--worker"], cwd=setup["project"], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.runs = 0
        self.files: dict[str, Any] = {}
        self.request: Request | None = None  # whose run it does
        self._last = ""
        self._doomed = False  # it was asked to end
        self._lock = threading.Lock()
        self._reaping = threading.Lock()
        self._reader = threading.Thread(target=self._log, name="worker log", daemon=True)
        self._reader.start()
        self.send(setup)

    def start(self) -> None:
        """Wait until it has imported the nodes."""
        answer = self.receive()
        if "broken" in answer:
            raise RuntimeError(answer["broken"])
        self.files = {path: _stamp(path) for path in answer["ready"]}

    def stale(self) -> bool:
        """Whether it has done enough, or the project's modules have changed since."""
        return (self._doomed or self.runs >= RUNS_PER_WORKER or self._exited()
                or any(_stamp(path) != stamp for path, stamp in self.files.items()))

    def send(self, job: dict[str, Any]) -> None:
        raw = json.dumps(job).encode() + b"\n"
        with suppress(BrokenPipeError):  # it died, which receive finds out
            self.process.stdin.write(raw)
            self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise WorkerDied(f"the process of the run ended ({self._how()}){self._last and '; its last words: ' + self._last}")
        return json.loads(line)

    def stop(self, request: Request) -> None:
        """End the run of request, if it still does it: by asking, then by force."""
        if self._end(request, signal.SIGTERM):
            timer = threading.Timer(STOP_GRACE, self._end, [request, signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def _end(self, request: Request, number: int) -> bool:
        with self._lock:  # so that it can't take another run meanwhile
            if self.request is not request:
                return False
            self._doomed = True
            with self._reaping:
                if self.process.returncode is None:
                    self._signal(number)
            return True

    def lease(self, request: Request | None) -> None:
        with self._lock:
            self.request = request

    def kill(self) -> None:
        """End it and all that it started, and collect it.

        The group is ended before its leader is collected: after that its
        number may be somebody else's.
        """
        with self._reaping:
            if self.process.returncode is None:
                self._signal(signal.SIGKILL)
                self.process.wait()

    def drop(self) -> None:
        """Kill it when nobody reads from it any more."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()
        self._reader.join(1)

    def _how(self) -> str:
        """How it ended, once it has nothing to say any more."""
        for _ in range(100):
            if self._exited():
                break
            time.sleep(0.02)
        self.kill()
        self._reader.join(1)
        code = self.process.returncode
        return f"signal {-code}" if code < 0 else f"exit status {code}"

    def _exited(self) -> bool:
        """Whether it has ended; it is not collected by asking."""
        if self.process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return False
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # collected just now
            return True

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _log(self) -> None:
        """Pass on what nodes print, each line marked with its run, and not too long.

        Whose line it is stands between the lines: the worker writes it there.
        """
        whole, run = True, {}
        while line := self.process.stderr.readline(MAX_TEXT):
            if whole and line.startswith(MARK):
                run = _mark(line)
            elif whole and line.strip():
                said = line.decode("utf-8", "replace").rstrip()
                self._last = said[:500]
                emit("info", said, **run)
            whole = line.endswith(b"\n")
        self.process.stderr.close()


def _mark(line: bytes) -> dict[str, str]:
    try:
        run = json.loads(line[len(MARK):])
        return {"key": str(run["key"]), "workflow": str(run["workflow"])} if run else {}
    except (ValueError, TypeError, KeyError):  # a node printed it
        return {}


class Pool:
    """At most so many workers, each with one run."""

    def __init__(self, setup: dict[str, Any], size: int) -> None:
        self.setup, self.size = setup, size
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._busy = 0
        self._changed = threading.Condition()
        self._closed = False

    @contextmanager
    def worker(self, request: Request | None = None) -> Iterator[Worker]:
        """A worker for one run; it waits for a place."""
        self._wait(request)
        worker = None
        try:
            worker = self._take(request)
            yield worker
            worker.lease(None)
            self._give_back(worker)
            worker = None
        finally:
            if worker:
                self._drop(worker)
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def _wait(self, request: Request | None) -> None:
        if request:
            request.on_stop(self._wake)
        with self._changed:
            self._changed.wait_for(lambda: self._busy < self.size or self._closed or request and request.stopped.is_set())
            if self._closed or request and request.stopped.is_set():
                self._changed.notify()
                raise Stopped()
            self._busy += 1

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _take(self, request: Request | None) -> Worker:
        while True:
            with self._changed:
                worker = self._idle.pop() if self._idle else None
            if worker and not worker.stale():
                self._lease(worker, request)
                return worker
            if worker is None:
                return self._start(request)
            self._drop(worker)

    def _start(self, request: Request | None) -> Worker:
        worker = Worker(self.setup)
        with self._changed:
            self._all.add(worker)
        try:
            self._lease(worker, request)
            worker.start()
        except BaseException:
            self._drop(worker)
            raise
        return worker

    def _lease(self, worker: Worker, request: Request | None) -> None:
        worker.lease(request)
        if request:
            request.on_stop(lambda: worker.stop(request))

    def _give_back(self, worker: Worker) -> None:
        worker.runs += 1
        with self._changed:
            if len(self._idle) < SPARE and not self._closed:
                self._idle.append(worker)
                return
        self._drop(worker)

    def _drop(self, worker: Worker) -> None:
        worker.drop()
        with self._changed:
            self._all.discard(worker)

    def close(self) -> None:
        """End all workers."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._all.difference(idle)
            self._changed.notify_all()
        for worker in busy:
            worker.kill()  # dropped by whoever reads from it
        for worker in idle:
            self._drop(worker)


def _stamp(path: str) -> Any:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size
