"""Shared state as JSON, so that what is read back equals what was written.

Grapheteria's own storage pickles, and reading a pickle can run code. Plain JSON
would turn tuples into lists and numbers that are keys into text without a word.
Here the usual plain values of Python are marked, and anything else is refused
with the path to it.
"""

from __future__ import annotations

import base64
import math
from datetime import date, datetime
from typing import Any

_MARK = "$py"
_MAX_DEPTH = 100


class Unstorable(Exception):
    """A value that can't be stored, and where it is."""

    def __init__(self, path: str, value: Any) -> None:
        kind = type(value)
        super().__init__(f"{path} holds a {kind.__module__}.{kind.__qualname__}, which can't be stored")


def encode(value: Any, path: str = "shared", depth: int = 0) -> Any:
    """value as JSON."""
    if value is None or isinstance(value, bool) or type(value) in (str, int):
        return value
    kind = type(value)
    if depth > _MAX_DEPTH:
        raise Unstorable(path[:80] + "…", value)
    if kind is float:
        return value if math.isfinite(value) else {_MARK: "float", "v": repr(value)}
    if kind is list:
        return [encode(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
    if kind is dict:
        return _table(value, path, depth)
    if kind in (tuple, set, frozenset):
        return {_MARK: kind.__name__, "v": [encode(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]}
    if kind is bytes:
        return {_MARK: "bytes", "v": base64.b64encode(value).decode()}
    if kind in (datetime, date):
        return {_MARK: kind.__name__, "v": value.isoformat()}
    raise Unstorable(path, value)


def _table(value: dict[Any, Any], path: str, depth: int) -> Any:
    if all(type(key) is str for key in value) and _MARK not in value:
        return {key: encode(v, f"{path}[{key!r}]", depth + 1) for key, v in value.items()}
    return {_MARK: "dict", "v": [
        [encode(key, f"a key of {path}", depth + 1), encode(v, f"{path}[{key!r}]", depth + 1)]
        for key, v in value.items()
    ]}


def decode(value: Any) -> Any:
    """What encode was given."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if _MARK not in value:
        return {key: decode(v) for key, v in value.items()}
    return _DECODERS[value[_MARK]](value["v"])


_DECODERS = {
    "float": float,
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "tuple": lambda v: tuple(decode(item) for item in v),
    "set": lambda v: {decode(item) for item in v},
    "frozenset": lambda v: frozenset(decode(item) for item in v),
    "dict": lambda v: {decode(key): decode(item) for key, item in v},
}


def show(value: Any, depth: int = 0) -> Any:
    """value as plain JSON for people: whatever is not JSON becomes words about it."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {str(key): show(v, depth + 1) for key, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [show(v, depth + 1) for v in value]
    return _words(value)


def _words(value: Any) -> str:
    try:
        return repr(value)[:200]
    except Exception:
        return f"<{type(value).__qualname__}>"
