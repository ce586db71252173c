"""A process that does runs, one at a time: whatever a node does hurts its own run only.

The engine writes jobs to its standard input and reads what comes of them, one
JSON value a line. When that input ends, everything that the nodes started ends.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import queue
import signal
import sys
import threading
from typing import Any

RUNNING, IDLE = True, False
MARK = b"\0run "  # begins a line of the log that says whose the following ones are


class Worker:
    """Takes jobs until the engine is gone."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._state = RUNNING
        threading.Thread(target=self._listen, name="jobs", daemon=True).start()

    def tell(self, message: dict[str, Any]) -> None:
        raw = json.dumps(message).encode() + b"\n"
        while raw:
            raw = raw[os.write(self._answers, raw):]

    def work(self) -> None:
        """The first job says what to import; then come runs."""
        setup = self._next()
        try:
            self._load(setup)
        except Exception as error:
            self.tell({"broken": f"{error}" or type(error).__name__})
            return
        self.tell({"ready": self.project.files()})
        while job := self._next():
            if job["job"] == "describe":
                self.tell({"workflows": self.project.describe(), "version": _version()})
            else:
                self._run(job)

    def _next(self) -> Any:
        self._state = IDLE
        job = self._jobs.get()
        self._state = RUNNING
        return job

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            self._jobs.put(json.loads(line))
        if self._state is RUNNING:
            kill_group()
        self._jobs.put(None)

    def _load(self, setup: dict[str, Any]) -> None:
        sys.path.insert(0, setup["project"])
        try:
            from . import drive, graph, records
        except ImportError as error:
            raise RuntimeError(f"import grapheteria: {error}") from error
        graph.check_version()
        self.project = graph.Project(setup["project"], setup["nodes"], setup["workflows"])
        self.project.load()
        self.records, self.options = records.Records(setup["state"]), setup
        self.conditions = drive.Conditions()
        self.drive = drive

    def _run(self, job: dict[str, Any]) -> None:
        lock = self.records.lock(job["run_id"])
        if lock is None:
            self.tell({"busy": True})
            return
        try:
            mark({"key": job["key"], "workflow": job["workflow"]})
            record = self._record(job)
            if record.status != "succeeded":
                self._drive(record, job)
        finally:
            mark({})
            self.records.unlock(lock)
        self.tell({"done": summary(record)})

    def _record(self, job: dict[str, Any]) -> Any:
        from .records import Record

        found = self.records.load(job["run_id"])
        return found or Record(job["key"], job["workflow"], job["run_id"])

    def _drive(self, record: Any, job: dict[str, Any]) -> None:
        storage = self.drive.Storage(self.records, record, self.conditions)
        drive = self.drive.Drive(self.project, storage, self.options, self.tell)
        try:
            asyncio.run(_cancellable(drive.run(job)))
        except SystemExit as error:  # of a node: the event loop lets it pass
            drive.fail("", error)


async def _cancellable(run: Any) -> None:
    """A cancel ends the process, and leaves the record as it is, to be resumed."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await run
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def mark(run: dict[str, str]) -> None:
    """Say in the log whose the lines are from here on."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(2, b"\n" + MARK + json.dumps(run).encode() + b"\n")


def summary(record: Any) -> dict[str, Any]:
    """What the gateway wants to know of a record."""
    return {"status": record.status, "output": record.output, "waiting": record.waiting, "failure": record.failure}


def kill_group() -> None:
    """End this process and all that it started."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("grapheteria")
    except PackageNotFoundError:
        return ""


def main() -> None:
    """Keep the standard output for the engine; prints go to the log."""
    answers = os.dup(1)
    os.dup2(2, 1)
    jobs = os.dup(0)
    sys.stdin = os.fdopen(jobs, "r")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Worker(answers).work()
    except asyncio.CancelledError:
        pass
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        kill_group()
