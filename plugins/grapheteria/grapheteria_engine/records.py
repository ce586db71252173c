"""The records of runs on disk: one file each, replaced as a whole.

A record is written by the worker that holds the run's lock, and by nobody else.
The lock is the kernel's: it ends with the worker, however that dies, so a
record that says "running" without a lock is of a run that was interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Iterator

from .config import Keep

@dataclass
class Record:
    """All that is known of one run."""

    key: str
    workflow: str
    run_id: str
    status: str = "running"  # waiting, succeeded, failed
    snapshot: Any = None  # the last step that could be stored, encoded
    answers: dict[str, Any] = field(default_factory=dict)  # of the node that waits, by request id
    waiting: dict[str, Any] | None = None  # node_id, request_id, prompt, schema
    output: Any = None
    failure: dict[str, Any] | None = None  # message, permanent
    format: int = 1


def run_id(key: str) -> str:
    """The id of the run with this key: the same for ever, and of no other key."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", key)[:40].strip("-")
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{readable}-{digest}" if readable else digest


class Records:
    """The folder of records."""

    def __init__(self, folder: str) -> None:
        self.runs = os.path.join(folder, "runs")
        self.done = os.path.join(folder, "done")  # the records of those that succeeded
        self.locks = os.path.join(folder, "locks")

    def prepare(self) -> None:
        """Make the folders, for this user alone: events may hold anything."""
        for folder in (self.runs, self.done, self.locks):
            os.makedirs(folder, mode=0o700, exist_ok=True)

    def load(self, id: str) -> Record | None:
        """The record of a run; None when there is none."""
        for folder in (self.done, self.runs):
            with suppress(FileNotFoundError), open(_file(folder, id), encoding="utf-8") as file:
                return Record(**json.load(file))
        return None

    def save(self, record: Record) -> None:
        """Replace the record; it is on disk when this returns."""
        raw = json.dumps(asdict(record), separators=(",", ":")).encode()
        if record.status == "succeeded":
            _replace(self.done, record.run_id, raw)
            with suppress(FileNotFoundError):
                os.remove(_file(self.runs, record.run_id))
        else:
            _replace(self.runs, record.run_id, raw)

    def lock(self, id: str) -> int | None:
        """Take a run's lock; None when somebody has it. Closing it gives it back."""
        path = os.path.join(self.locks, id)
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    return fd
            except BlockingIOError:
                os.close(fd)
                return None
            except FileNotFoundError:  # the sweep removed it meanwhile
                pass
            os.close(fd)

    def unlock(self, fd: int) -> None:
        """Give a lock back, also if a child process still holds a copy."""
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

    def locked(self, id: str) -> bool:
        """Whether a worker has the run."""
        fd = self.lock(id)
        if fd is None:
            return True
        self.unlock(fd)
        return False

    def sweep(self, keep: Keep, now: float | None = None) -> int:
        """Remove what is older than keep says; how many that were."""
        now = now or time.time()
        done = sorted(_records(self.done), reverse=True)  # the newest first
        old = [id for i, (changed, id) in enumerate(done) if i >= keep.runs or now - changed > keep.finished]
        old += [id for changed, id in _records(self.runs) if now - changed > keep.unfinished]
        return sum(self._remove(id) for id in old)

    def _remove(self, id: str) -> int:
        fd = self.lock(id)
        if fd is None:
            return 0
        for path in (_file(self.done, id), _file(self.runs, id), os.path.join(self.locks, id)):
            with suppress(FileNotFoundError):
                os.remove(path)
        self.unlock(fd)
        return 1


def _file(folder: str, id: str) -> str:
    return os.path.join(folder, id + ".json")


def _records(folder: str) -> Iterator[tuple[float, str]]:
    """When each was changed, and its id."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name, suffix = os.path.splitext(entry.name)
            if suffix == ".json":
                with suppress(FileNotFoundError):
                    yield entry.stat().st_mtime, name


def _replace(folder: str, id: str, raw: bytes) -> None:
    path = _file(folder, id)
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb", closefd=False) as file:
            file.write(raw)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(path + ".new", path)
    _sync_folder(folder)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
