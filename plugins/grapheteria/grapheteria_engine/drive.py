"""One run, in a worker: around Grapheteria's engine, step by step."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from contextlib import suppress
from typing import Any, Callable

import grapheteria
from grapheteria import WorkflowStatus

from . import codec
from .graph import Broken, Project
from .records import Record, Records

log = logging.getLogger("grapheteria")

MAX_OUTPUT = 256 << 10  # bytes of JSON
Tell = Callable[[dict[str, Any]], None]


class Final(Exception):
    """The run can't go on, and trying again can't help."""


class ConditionFailed(Exception):
    """A run would end because the condition of an edge raised."""


class Conditions:
    """Evaluates the conditions of edges, and keeps what they raise.

    Grapheteria prints it and takes the condition as false, so that a run may
    end in the middle and be called completed.
    """

    def __init__(self) -> None:
        self.raised: list[str] = []
        conditions = self

        def should_transition(edge: grapheteria.Edge, state: grapheteria.ExecutionState) -> bool:
            try:
                return eval(edge.condition, {"__builtins__": __builtins__}, {"shared": state.shared})
            except Exception as error:
                said = f"{edge.from_id} > {edge.to_id}: condition {edge.condition!r}: {type(error).__name__}: {error}"
                log.warning("%s; it counts as false", said)
                conditions.raised.append(said)
                return False

        grapheteria.Edge.should_transition = should_transition


class Storage(grapheteria.StorageBackend):
    """Grapheteria's storage on a record.

    Of the history only the last step is kept: Grapheteria hands over all of it
    each time, and a resume needs no more. A step with a value that can't be
    stored is left out, so that a resume begins before it.
    """

    def __init__(self, records: Records, record: Record, conditions: Conditions) -> None:
        self.records, self.record, self.conditions = records, record, conditions
        self.live = False  # engines write while they are made

    def load_state(self, workflow_id: str, run_id: str) -> dict[str, Any]:
        step = codec.decode(self.record.snapshot)
        return {"workflow_id": workflow_id, "run_id": run_id, "steps": [step]}

    def save_state(self, workflow_id: str, run_id: str, save_data: dict[str, Any]) -> None:
        steps = save_data["steps"]
        del steps[:-1]
        if not self.live or steps[-1]["workflow_status"] == "FAILED":
            return  # how it failed is recorded by Drive; the step before it is where to resume
        if steps[-1]["workflow_status"] == "COMPLETED":
            self._completed(steps[-1])
        else:
            self._reached(steps[-1])

    def _completed(self, step: dict[str, Any]) -> None:
        if self.conditions.raised:
            raise ConditionFailed(self.conditions.raised[-1])
        record = self.record
        record.status, record.output = "succeeded", output(step["shared"])
        record.snapshot = record.waiting = record.failure = None
        record.answers = {}
        self.records.save(record)

    def _reached(self, step: dict[str, Any]) -> None:
        record, awaiting = self.record, step["awaiting_input"]
        try:
            encoded = codec.encode(step, "")
        except codec.Unstorable as error:
            said = str(error).replace("['shared']", "shared", 1)
            if awaiting or record.snapshot is None:
                raise Final(f"{said}: a run that waits, and the beginning of any, must be") from error
            log.warning("step %s is not stored: %s; a resume would begin before it", step["metadata"].get("step"), said)
            return
        asked_before = (record.waiting or {}).get("node_id")
        record.snapshot, record.waiting = encoded, question(awaiting) if awaiting else None
        record.status = "waiting" if awaiting else "running"
        if not awaiting or awaiting["node_id"] != asked_before:
            record.answers = {}
        self.records.save(record)


class Drive:
    """Drives one run from where it is to where it waits or ends."""

    def __init__(self, project: Project, storage: Storage, options: dict[str, Any], tell: Tell) -> None:
        self.project, self.storage, self.options, self.tell = project, storage, options, tell
        self.record = storage.record

    async def run(self, job: dict[str, Any]) -> None:
        """Bring the record up to what comes of the run; only a cancel escapes."""
        node = ""
        try:
            self._take(job)
            engine = self._engine(job)
            self.tell({"accepted": self.record.run_id})
            while self._goes_on(engine):
                node = engine.execution_state.next_node_id or ""
                self.tell({"step": node})
                await self._step(engine)
        except Exception as error:
            self.fail(node, error)

    def _take(self, job: dict[str, Any]) -> None:
        """Write an answer down before it is used: the run must not forget it."""
        record = self.record
        if record.status == "waiting" and "answer" in job:
            record.answers[record.waiting["request_id"]] = job["answer"]
            record.status = "running"
            self.storage.records.save(record)
        elif record.status == "failed":
            record.status = "running"
        record.failure = None

    def _engine(self, job: dict[str, Any]) -> grapheteria.WorkflowEngine:
        """The run's engine, made anew from what is stored."""
        storage, record = self.storage, self.record
        try:
            if record.snapshot is None:
                engine = self.project.build(record.workflow, storage_backend=storage)
                engine.run_id = engine.tracking_data["run_id"] = record.run_id
            else:
                engine = self.project.build(record.workflow, storage_backend=storage, run_id=record.run_id)
                engine.current_step = engine.execution_state.metadata.get("step", 0)
        except (Broken, ValueError) as error:
            raise Final(str(error)) from error
        engine.workflow_id = record.workflow
        shared = engine.execution_state.shared
        if record.snapshot is None:
            shared.update(job["event"])
            engine.tracking_data["steps"] = [engine.execution_state.to_dict()]
        shared["event_attempt"] = job.get("attempt") or shared.get("event_attempt", 1)
        storage.live = True
        if record.snapshot is None:  # step 0, with the event, before any node runs
            storage.save_state(record.workflow, record.run_id, engine.tracking_data)
        return engine

    def _goes_on(self, engine: grapheteria.WorkflowEngine) -> bool:
        state, record = engine.execution_state, self.record
        if state.workflow_status is WorkflowStatus.WAITING_FOR_INPUT:
            return record.status == "running" and state.awaiting_input["request_id"] in record.answers
        if state.workflow_status is not WorkflowStatus.HEALTHY:
            return False
        if not state.next_node_id:  # the graph was changed, and nothing follows now
            state.workflow_status = WorkflowStatus.COMPLETED
            self.storage.save_state(record.workflow, record.run_id, {"steps": [state.to_dict()]})
            return False
        if engine.current_step >= self.options["max_steps"]:
            raise Final(f"{engine.current_step} steps and no end: more than max_steps")
        return True

    async def _step(self, engine: grapheteria.WorkflowEngine) -> None:
        """One node. Answers are given once: with `run` a rejected draft would be rejected for ever."""
        self.storage.conditions.raised.clear()
        waits = engine.execution_state.workflow_status is WorkflowStatus.WAITING_FOR_INPUT
        try:
            await engine.step(dict(self.record.answers) if waits else None)
        finally:
            await _end(engine._current_execute_task)

    def fail(self, node: str, error: BaseException) -> None:
        """Record that the attempt failed; the next one resumes from the last step."""
        traceback.print_exception(error)
        names = {kind.__name__ for kind in type(error).__mro__}
        permanent = isinstance(error, Final) or bool(names & set(self.options["permanent"]))
        said = str(error) if isinstance(error, (Final, ConditionFailed)) else f"{type(error).__name__}: {error}"
        if isinstance(error, TypeError) and "cannot pickle" in said:
            permanent, said = True, f"{said} (Grapheteria copies shared state at each step: keep such values out of it)"
        self.record.status = "failed"
        self.record.failure = {"message": f"{node}: {said}" if node else said, "permanent": permanent}
        self.storage.records.save(self.record)


async def _end(task: asyncio.Task[Any] | None) -> None:
    """End the node of a run that waits: it is run anew with the answer."""
    if task and not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


def question(awaiting: dict[str, Any]) -> dict[str, Any]:
    """What a node asks, as the gateway shows it, with a JSON Schema of the answer."""
    types = {"text": "string", "string": "string", "number": "number", "integer": "integer",
             "boolean": "boolean", "bool": "boolean"}
    options, schema = awaiting.get("options"), None
    if isinstance(options, (list, tuple)) and options:
        schema = {"enum": codec.show(options)}
    elif awaiting.get("input_type") in types:
        schema = {"type": types[awaiting["input_type"]]}
    prompt = awaiting.get("prompt") or f"Input for {awaiting['node_id']}"
    return {"node_id": awaiting["node_id"], "request_id": awaiting["request_id"],
            "prompt": str(prompt), "schema": schema}


# What this engine puts into shared state; the gateway knows it already.
EVENT_KEYS = ("event_type", "event_payload", "event_config", "event_time",
              "event_id", "event_source", "event_attempt", "event_key")


def output(shared: dict[Any, Any]) -> dict[str, Any]:
    """Shared state as plain JSON without the event, and not too large."""
    shown = {str(key): codec.show(value) for key, value in shared.items() if key not in EVENT_KEYS}
    sizes = {key: len(json.dumps(value)) + len(key) + 8 for key, value in shown.items()}
    for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if sum(sizes.values()) <= MAX_OUTPUT:
            break
        shown[key] = f"… {sizes[key]} bytes left out"
        sizes[key] = len(key) + 40
    while sum(sizes.values()) > MAX_OUTPUT:  # very many keys
        key, _ = sizes.popitem()
        del shown[key]
    return shown
