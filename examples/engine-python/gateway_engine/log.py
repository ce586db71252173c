"""The standard output, which belongs to the handshake, and the log.

The gateway reads an engine's standard error. A line of JSON with ``@level`` and
``@message`` keeps its level and fields; any other line is logged as it is.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from datetime import datetime, timezone
from typing import Any

COOKIE_KEY = "EVENT_GATEWAY_ENGINE"
COOKIE_VALUE = "b1a5c2f0-engine-v1"

MAX_LINE = 32 << 10  # bytes of a line of the log; the gateway cuts at twice as many
MAX_TEXT = 8 << 10  # bytes of one sentence; a longer one is cut

_claimed: list[int] = []
_lock = threading.Lock()


def started_by_gateway() -> bool:
    """Whether a gateway started this program; for friendly errors, not security."""
    return os.environ.get(COOKIE_KEY) == COOKIE_VALUE


def claim_stdout() -> None:
    """Keep the real standard output for the handshake; prints go to the log.

    The file descriptor itself is replaced, so that C code and child processes
    can't print before the handshake either.
    """
    if _claimed or not started_by_gateway():
        return
    _claimed.append(os.dup(1))
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    root = logging.getLogger()
    root.addHandler(_Handler())
    root.setLevel(logging.INFO)


def handshake(line: str) -> None:
    """Print the one line that the gateway waits for."""
    os.write(_claimed[0], line.encode() + b"\n")


def text(value: Any) -> str:
    """value as a string that protobuf takes: UTF-8, and not too long."""
    raw = str(value).encode("utf-8", "replace")
    return raw[:MAX_TEXT].decode("utf-8", "ignore")


def emit(level: str, message: str, **fields: Any) -> None:
    """Write one line for the gateway's log."""
    line = {
        "@level": level,
        "@message": text(message),
        "@timestamp": datetime.now(timezone.utc).isoformat(timespec="microseconds"),
    }
    line.update({name: text(value) for name, value in fields.items()})
    raw = json.dumps(line).encode() + b"\n"
    if len(raw) > MAX_LINE:  # much of it had to be escaped
        raw = json.dumps({"@level": level, "@message": text(message)[:1000]}).encode() + b"\n"
    with _lock:
        os.write(2, raw)


class _Handler(logging.Handler):
    """What is logged with the standard library, in the gateway's form."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = {"logger": record.name}
            if record.exc_info:
                fields["stack"] = logging.Formatter().formatException(record.exc_info)
            emit(_level(record.levelno), record.getMessage(), **fields)
        except Exception:  # a log line must never fail a run
            self.handleError(record)


def _level(number: int) -> str:
    for level, name in ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info")):
        if number >= level:
            return name
    return "debug"
