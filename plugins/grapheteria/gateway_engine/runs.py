"""All runs under way, by key: there are never two with one key."""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import Any, Callable, Iterator

from . import engine_pb2 as pb
from . import wire
from .model import Failed, RetryAfter, Stopped, Succeeded, Waiting
from .request import Reporter, Request

MAX_BATCH = 256 << 10  # bytes of updates that travel in one message
MAX_BACKLOG = 1000  # updates unsent; progress over it is dropped

Work = Callable[[Request], Any]


class Stream:
    """One connection's Run call: where updates go."""

    def __init__(self) -> None:
        self.pending = 0  # runs that will still report here
        self.finishing = False  # the gateway sends no more
        self._queue: queue.SimpleQueue[pb.RunUpdate | None] = queue.SimpleQueue()

    def send(self, update: pb.RunUpdate) -> None:
        if update.HasField("progress") and self._queue.qsize() > MAX_BACKLOG:
            return
        self._queue.put(update)

    def close(self) -> None:
        self._queue.put(None)

    def messages(self) -> Iterator[pb.RunResponse]:
        """Whatever is ready, together, until the stream is closed."""
        update = self._queue.get()
        while update is not None:
            batch, size = [], 0
            while update is not None:
                batch.append(update)
                size += update.ByteSize()
                if size >= MAX_BATCH or self._queue.empty():
                    break
                update = self._queue.get()
            yield pb.RunResponse(updates=batch)
            if update is not None:
                update = self._queue.get()


class Run(Reporter):
    """One run under way. All fields are guarded by the lock of `runs`."""

    def __init__(self, runs: Runs, request: Request, work: Work) -> None:
        self.runs, self.request, self.work = runs, request, work
        self.stream: Stream | None = None
        self.run_id = ""
        self.due: float | None = None  # when its time is up
        self.prompt: Waiting | None = None
        self.answers: queue.SimpleQueue[Any] | None = None
        self.stopping = False
        self.next: Callable[[], None] | None = None  # the same key, started again meanwhile
        request.reporter = self

    def emit(self, update: pb.RunUpdate) -> None:
        with self.runs.lock:
            self.emit_locked(update)

    def emit_locked(self, update: pb.RunUpdate) -> None:
        if self.stream:
            update.key = self.request.key
            self.stream.send(update)

    def accepted(self, run_id: str) -> None:
        with self.runs.lock:
            self.run_id = run_id
            self.emit_locked(wire.accepted(run_id))

    def progress(self, step: str, message: str, fraction: float) -> None:
        self.emit(wire.progress(step, message, fraction))

    def wait(self, prompt: str, schema: Any) -> Any:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        question = Waiting(prompt, schema)
        update = pb.RunUpdate(waiting=wire.waiting(question))
        self.request.on_stop(lambda: answers.put(Stopped(self.request.reason)))
        with self.runs.lock:
            left = None if self.due is None else max(0.0, self.due - time.monotonic())
            self.prompt, self.answers, self.due = question, answers, None
            self.emit_locked(update)
        answer = answers.get()
        with self.runs.lock:
            self.prompt = self.answers = None
            self.due = None if left is None else time.monotonic() + left
            self.runs.changed.notify_all()
        if isinstance(answer, Stopped):
            raise answer
        return answer


class Runs:
    """Starts, stops and finds runs. `keep` lets them outlive their stream."""

    def __init__(self, keep: bool, limit: int) -> None:
        self.keep, self.limit = keep, limit
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.live: dict[str, Run] = {}
        self.parked: dict[str, float | None] = {}  # waiting without a thread; seconds left
        self.newest: Stream | None = None
        self.closed = False
        threading.Thread(target=self._sweep, name="deadlines", daemon=True).start()

    def open(self) -> Stream:
        """A stream, to which the runs that lost theirs now report."""
        with self.lock:
            self.newest = stream = Stream()
            for run in self.live.values():
                if run.stream is None and not run.stopping:
                    self._attach(run, stream)
            return stream

    def start(self, stream: Stream | None, request: Request, work: Work) -> None:
        """Begin a run in a thread of its own, or attach to the one with its key."""
        with self.lock:
            if self.closed:
                return
            if old := self.live.get(request.key):
                self._again(old, stream, lambda: self.start(stream, request, work))
                return
            run = self.live[request.key] = Run(self, request, work)
            left = self.parked.pop(request.key, None)
            if request.deadline is not None:
                left = request.deadline.timestamp() - time.time()
            run.due = None if left is None else time.monotonic() + left
            self._attach(run, stream)
            self.changed.notify_all()
        try:
            threading.Thread(target=self._execute, args=[run], name=request.key[:40], daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._finish(run, pb.RunUpdate(failed=wire.failed(RetryAfter(str(error), 1))))

    def _again(self, old: Run, stream: Stream | None, start: Callable[[], None]) -> None:
        if old.stream is not stream:
            self._detach(old)
            self._attach(old, stream)
        if old.stopping:  # its end is none of the gateway's business any more
            old.next = start
            return
        if old.run_id:
            old.emit_locked(wire.accepted(old.run_id))
        if old.prompt:
            old.emit_locked(pb.RunUpdate(waiting=wire.waiting(old.prompt)))

    def _attach(self, run: Run, stream: Stream | None) -> None:
        run.stream = stream
        if stream:
            stream.pending += 1

    def _detach(self, run: Run) -> None:
        stream, run.stream = run.stream, None
        if stream:
            stream.pending -= 1
            if stream.finishing and stream.pending == 0:
                stream.close()

    def _execute(self, run: Run) -> None:
        """Do one run and always end it, or a delivery would run for ever."""
        request = run.request
        state: Any
        try:
            value = run.work(request)
            state = value if isinstance(value, (Waiting, Failed)) else Succeeded(value)
        except Stopped:
            state = Failed(Stopped(request.reason or "stopped"))
        except BaseException as error:  # SystemExit too
            state = Failed(_said(error))
        self._finish(run, pb.RunUpdate(**wire.end(state, self.limit)))

    def _finish(self, run: Run, update: pb.RunUpdate) -> None:
        with self.lock:
            del self.live[run.request.key]
            if run.next is None:
                if update.HasField("waiting"):
                    self.parked[run.request.key] = None if run.due is None else max(0.0, run.due - time.monotonic())
                run.emit_locked(update)
            else:
                run.next()
            self._detach(run)  # last: a stream with nothing left to say is closed
            self.changed.notify_all()

    def cancel(self, stream: Stream, key: str, reason: str) -> None:
        """Stop the run with this key. One that is parked has no thread to say so."""
        with self.lock:
            run = self.live.get(key)
            if run is None and key in self.parked:
                del self.parked[key]
                stream.send(pb.RunUpdate(key=key, failed=wire.failed(Stopped(reason))))
            if run:
                run.stopping, run.next = True, None
                if self.keep and run.stream is not stream:  # the loss of its own is still to be noticed
                    self._detach(run)
                    self._attach(run, stream)
        if run:
            run.request.stop(reason)

    def answer(self, key: str, answer: bytes) -> bool:
        """Hand an answer to the run that waits for it; False when none is under way."""
        with self.lock:
            run = self.live.get(key)
            if run and run.answers:
                run.answers.put(json.loads(answer) if answer else None)
            return run is not None

    def park(self, key: str) -> None:
        """Remember a run that waits since before the engine was started."""
        with self.lock:
            self.parked.setdefault(key, None)

    def get(self, key: str) -> Run | None:
        """The run under way; none that is being stopped: it is not known in a moment."""
        with self.lock:
            run = self.live.get(key)
            return run if run and not run.stopping else None

    def finishing(self, stream: Stream) -> None:
        """The gateway sends no more, but wants the ends of its runs."""
        with self.lock:
            stream.finishing = True
            if stream.pending == 0:
                stream.close()

    def lost(self, stream: Stream) -> None:
        """The connection is gone: its runs go on, or stop."""
        with self.lock:
            if self.newest is stream:
                self.newest = None
            runs = [run for run in self.live.values() if run.stream is stream]
            for run in runs:
                run.next = None
                self._detach(run)
                run.stopping = run.stopping or not self.keep
                if self.newest and not run.stopping:  # it was there before this one was lost
                    self._attach(run, self.newest)
            stream.close()
        for run in runs:
            if not self.keep:
                run.request.stop("the gateway disconnected")

    def close(self, grace: float) -> None:
        """Stop everything, and wait until it has stopped, at most for grace seconds."""
        with self.lock:
            self.closed = True
            runs = list(self.live.values())
            for run in runs:
                run.stopping, run.next = True, None
        for run in runs:
            run.request.stop("the engine is shutting down")
        with self.lock:
            self.changed.wait_for(lambda: not self.live, grace)

    def _sweep(self) -> None:
        """Stop the runs whose time is up, for ever."""
        while True:
            with self.lock:
                now = time.monotonic()
                late = [r for r in self.live.values() if r.due is not None and r.due <= now and not r.stopping]
                for run in late:
                    run.stopping, run.next = True, None
                if not late:
                    soonest = min((r.due for r in self.live.values() if r.due is not None and not r.stopping), default=None)
                    self.changed.wait(None if soonest is None else soonest - now)
            for run in late:
                run.request.stop("the run's time is up")


def _said(error: BaseException) -> Exception:
    """error, or what can be told of one that is no Exception or has no words."""
    if isinstance(error, Exception) and str(error):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}".rstrip(": "))
