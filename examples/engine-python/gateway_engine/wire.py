"""Between protobuf messages and the values of `model`."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

from . import engine_pb2 as pb
from .log import text
from .model import ConfigError, Event, Failed, Permanent, Problem, RetryAfter, Running, Succeeded, Waiting
from .request import Request

MAX_SCHEMA = 256 << 10  # bytes of a JSON Schema


def request(start: pb.Start) -> Request:
    """What a Start asks for."""
    return Request(
        key=start.key,
        workflow=start.workflow,
        event=_event(start.event),
        input=json.loads(start.input) if start.input else None,
        attempt=start.attempt,
        deadline=_time(start, "deadline"),
        first_attempt_at=_time(start, "first_attempt_at"),
    )


def _event(event: pb.Event) -> Event:
    return Event(
        id=event.id, source=event.source, type=event.type, subject=event.subject,
        time=_time(event, "time"), content_type=event.datacontenttype,
        body=event.body, json=event.data, headers=_attributes(event.headers),
        query=_attributes(event.query), extensions=_attributes(event.extensions),
    )


def _attributes(attributes: Any) -> dict[str, str]:
    return {a.name: a.value for a in attributes}


def _time(message: Any, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    return getattr(message, name).ToDatetime(tzinfo=timezone.utc)


def encode(value: Any, limit: int, what: str = "output") -> bytes:
    """value as JSON. One message that is too large would end the stream of all runs."""
    if value is None:
        return b""
    try:
        raw = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Permanent(f"{what}: {error}") from error
    if len(raw) > limit:
        raise Permanent(f"{what}: {len(raw)} bytes are more than the {limit} that may be sent")
    return raw


def accepted(run_id: str) -> pb.RunUpdate:
    return pb.RunUpdate(accepted=pb.Accepted(run_id=text(run_id)))


def progress(step: str, message: str, fraction: float) -> pb.RunUpdate:
    fraction = -1 if math.isnan(fraction) else fraction
    return pb.RunUpdate(progress=pb.Progress(step=text(step), message=text(message), fraction=fraction))


def waiting(state: Waiting) -> pb.Waiting:
    return pb.Waiting(prompt=text(state.prompt), schema=encode(state.schema, MAX_SCHEMA, "schema of the answer"))


def failed(error: BaseException) -> pb.Failed:
    """How an exception ends an attempt: it is tried again, unless it says otherwise."""
    out = pb.Failed(message=text(error) or type(error).__name__, kind=pb.FAILURE_KIND_RETRYABLE)
    if isinstance(error, (Permanent, Problem)):
        out.kind = pb.FAILURE_KIND_PERMANENT
    elif isinstance(error, RetryAfter):
        out.kind = pb.FAILURE_KIND_THROTTLED
        if error.seconds > 0:
            out.retry_after.FromMilliseconds(int(error.seconds * 1000))
    return out


def end(state: Any, limit: int) -> dict[str, Any]:
    """How a run stands, as the fields that RunUpdate and GetResponse have in common."""
    try:
        if isinstance(state, Waiting):
            return {"waiting": waiting(state)}
        if isinstance(state, Failed):
            return {"failed": failed(state.error)}
        return {"succeeded": pb.Succeeded(output=encode(state.output, limit))}
    except Permanent as error:
        return {"failed": failed(error)}


def got(state: Any, limit: int) -> pb.GetResponse:
    """The answer of Get."""
    if isinstance(state, Running):
        return pb.GetResponse(running=pb.Running(run_id=text(state.run_id)))
    if isinstance(state, (Waiting, Succeeded, Failed)):
        return pb.GetResponse(**end(state, limit))
    return pb.GetResponse(unknown=pb.Unknown())


def problems(error: Exception) -> list[pb.Problem]:
    """An exception as the mistakes that it names."""
    if isinstance(error, ConfigError):
        return [p for problem in error.problems for p in problems(problem)]
    path = [text(key) for key in error.path] if isinstance(error, Problem) else []
    return [pb.Problem(path=path, message=text(error) or type(error).__name__)]
