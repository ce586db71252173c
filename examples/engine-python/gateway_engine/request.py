"""One run, as its engine sees it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Callable

from .model import Event, Stopped


class Reporter:
    """Where a run reports to. In an author's unit tests that is nowhere."""

    def accepted(self, run_id: str) -> None: ...

    def progress(self, step: str, message: str, fraction: float) -> None: ...

    def wait(self, prompt: str, schema: Any) -> Any:
        raise Stopped("not served by a gateway")


@dataclass
class Request:
    """One run to be done."""

    key: str  # the idempotency key: the same for all attempts
    workflow: str
    event: Event
    input: Any = None  # what the route's `with:` made
    attempt: int = 1
    deadline: datetime | None = None  # when the run is stopped; UTC
    first_attempt_at: datetime | None = None
    #: Set when the run is to end; `reason` then says why.
    stopped: threading.Event = field(default_factory=threading.Event)
    reason: str = ""
    reporter: Reporter = field(default_factory=Reporter, repr=False)
    _calls: list[Callable[[], None]] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def accept(self, run_id: str) -> None:
        """Tell under which id the run exists in the engine, once that is known."""
        self.reporter.accepted(run_id)

    def progress(self, step: str, message: str = "", fraction: float = -1) -> None:
        """Tell how far the run is; a fraction from 0 to 1, negative when unknown."""
        self.reporter.progress(step, message, fraction)

    def wait(self, prompt: str, schema: Any = None) -> Any:
        """Ask for an answer and block until it is there.

        The deadline stands still meanwhile. The question is lost when the
        engine stops; to keep it, return Waiting from `run` instead.
        """
        return self.reporter.wait(prompt, schema)

    def on_stop(self, call: Callable[[], None]) -> None:
        """Have call called when the run is to end; at once if it is already."""
        with self._lock:
            if not self.stopped.is_set():
                self._calls.append(call)
                return
        call()

    def stop(self, reason: str) -> None:
        """End the run; the gateway does this."""
        with self._lock:
            if self.stopped.is_set():
                return
            self.reason = reason
            self.stopped.set()
            calls, self._calls = self._calls, []
        for call in calls:
            call()
