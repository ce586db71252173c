"""The engine: runs by key, handed to workers, and found again after a restart."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict
from typing import Any, Sequence

from gateway_engine import (
    Description, Engine, Failed, Permanent, Problem, Request, Running, Stopped, Succeeded,
    Unknown, Waiting, Workflow,
)

from . import VERSION, config
from .pool import Pool
from .records import Record, Records, run_id

log = logging.getLogger("grapheteria")

BUSY_PAUSE = 0.2  # seconds until a run that another process has is tried again
SWEEP_EVERY = 3600.0  # seconds


class GrapheteriaEngine(Engine):
    """Runs the workflows of one Grapheteria project."""

    name = "grapheteria"

    def __init__(self) -> None:
        self.workflows_found: dict[str, list[str]] = {}
        self.package = ""
        self._closing = threading.Event()

    def configure(self, value: Any, base_dir: str) -> None:
        """Have a worker import the nodes and look at all workflows."""
        self.config = config.read(value, base_dir)
        self.records = Records(self.config.state)
        try:
            self.records.prepare()
        except OSError as error:
            raise Problem(str(error), "state") from error
        self.pool = Pool(json.loads(json.dumps(asdict(self.config))), self.config.processes)
        self._look()
        threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _look(self) -> None:
        try:
            with self.pool.worker() as worker:
                worker.send({"job": "describe"})
                found = worker.receive()
        except Exception as error:
            raise _import_problem(str(error)) from error
        self.workflows_found, self.package = found["workflows"], found["version"]
        for name, problems in self.workflows_found.items():
            for problem in problems:
                log.warning("workflow %s: %s", name, problem)

    def _sweep(self) -> None:
        while True:
            try:
                if removed := self.records.sweep(self.config.keep):
                    log.info("removed the records of %d old runs", removed)
            except Exception:
                log.exception("sweep failed")
            if self._closing.wait(SWEEP_EVERY):
                return

    def describe(self) -> Description:
        workflows = [
            Workflow(name, f"broken: {problems[0]}" if problems else "")
            for name, problems in sorted(self.workflows_found.items())
        ]
        version = f"{VERSION} (grapheteria {self.package})" if self.package else VERSION
        return Description(self.name, version, workflows)

    def check(self, workflow: str, input: Any, computed: Sequence[str]) -> None:
        """Refuse a route to a workflow that could not run."""
        if workflow not in self.workflows_found:
            known = ", ".join(sorted(self.workflows_found)) or "none"
            raise Problem(f'no workflow "{workflow}"; there are: {known[:500]}')
        if problems := self.workflows_found[workflow]:
            raise Problem(f'workflow "{workflow}": {"; ".join(problems)}')

    def run(self, request: Request) -> Any:
        """Start the run of this key, or go on with it."""
        record = self.records.load(run_id(request.key))
        if record and (record.key, record.workflow) != (request.key, request.workflow):
            raise Permanent(f'the run {record.run_id} is of workflow "{record.workflow}"')
        if record and record.status in ("succeeded", "waiting"):
            request.accept(record.run_id)
            return _state(record)
        return self._drive(request, {"workflow": request.workflow, "attempt": request.attempt, "event": shared(request)})

    def answer(self, request: Request) -> Any:
        """Go on with a run that waits."""
        record = self.records.load(run_id(request.key))
        if record is None or record.key != request.key:
            raise RuntimeError("no run with this key waits for an answer: start it again")
        job = {"workflow": record.workflow}
        request.workflow = record.workflow
        if record.status == "waiting":
            if wrong := refuse(record.waiting["schema"], request.input):
                prompt, schema = record.waiting["prompt"], record.waiting["schema"]
                return Waiting(f"{wrong}\n{prompt}", schema, record.run_id)
            job["answer"] = request.input
        return self._drive(request, job)

    def get(self, key: str, _: str) -> Any:
        """What became of a run. One that was interrupted is unknown: started again, it is resumed."""
        record = self.records.load(run_id(key))
        if record is None or record.key != key:
            return Unknown()
        if record.status == "running":
            return Running(record.run_id) if self.records.locked(record.run_id) else Unknown()
        state = _state(record)
        return state if isinstance(state, (Waiting, Failed)) else Succeeded(state)

    def close(self) -> None:
        self._closing.set()
        if hasattr(self, "pool"):
            self.pool.close()

    def _drive(self, request: Request, job: dict[str, Any]) -> Any:
        """Have a worker do it; while a process of before still has the run, wait for that."""
        job = {"job": "run", "key": request.key, "run_id": run_id(request.key), **job}
        while not request.stopped.is_set():
            done = self._ask(request, job)
            if done is not None:
                return _state(Record(request.key, request.workflow, job["run_id"], **done))
            request.stopped.wait(BUSY_PAUSE)
        raise Stopped()

    def _ask(self, request: Request, job: dict[str, Any]) -> dict[str, Any] | None:
        try:
            with self.pool.worker(request) as worker:
                worker.send(job)
                while True:
                    message = worker.receive()
                    if "step" in message:
                        request.progress(message["step"])
                    elif "accepted" in message:
                        request.accept(message["accepted"])
                    else:
                        return message.get("done")
        except Exception:
            if request.stopped.is_set():
                raise Stopped() from None
            raise


def shared(request: Request) -> dict[str, Any]:
    """What a workflow finds in shared state before its first step."""
    event = request.event
    try:
        payload = event.data()
    except ValueError as error:
        raise Permanent(f"event: body: {error}") from error
    return {
        "event_type": event.type,
        "event_payload": {} if payload is None else payload,
        "event_config": {} if request.input is None else request.input,
        "event_time": event.time.isoformat() if event.time else "",
        "event_id": event.id,
        "event_source": event.source,
        "event_attempt": request.attempt,
        "event_key": request.key,
    }


def refuse(schema: Any, answer: Any) -> str:
    """Why an answer does not fit; empty when it does."""
    if answer is None:
        return "An answer can't be null."  # Grapheteria would ask again
    if not schema:
        return ""
    if "enum" in schema:
        fits = any(type(answer) is type(option) and answer == option for option in schema["enum"])
        return "" if fits else f"{json.dumps(answer)[:200]} is none of the options."
    kinds = {"string": str, "number": (int, float), "integer": int, "boolean": bool}
    kind = schema["type"]
    if not isinstance(answer, kinds[kind]) or isinstance(answer, bool) and kind != "boolean":
        return f"{json.dumps(answer)[:200]} is not of type {kind}."
    return ""


def _state(record: Record) -> Any:
    """A record as the value that run and answer return; an output or an exception."""
    if record.status == "waiting":
        return Waiting(record.waiting["prompt"], record.waiting["schema"], record.run_id)
    if record.status == "failed":
        message, permanent = record.failure["message"], record.failure["permanent"]
        return Failed(Permanent(message) if permanent else RuntimeError(message))
    return record.output


def _import_problem(message: str) -> Problem:
    """nodes.2: … is reported at that key."""
    head, colon, rest = message.partition(": ")
    key, dot, index = head.partition(".")
    if colon and dot and key == "nodes" and index.isdecimal():
        return Problem(rest, "nodes", index)
    return Problem(message)
