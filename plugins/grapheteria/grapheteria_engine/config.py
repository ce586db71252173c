"""The engine's `config:` of gateway.yaml."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Callable

from gateway_engine import ConfigError, Problem

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Keep:
    """How long the records of runs are kept."""

    finished: float = 7 * 86400.0  # seconds after the last change
    unfinished: float = 90 * 86400.0  # waiting, interrupted and failed ones
    runs: int = 10_000  # finished ones


@dataclass(frozen=True)
class Config:
    """What the user wrote, with absolute paths."""

    project: str = ""
    state: str = ""
    nodes: tuple[str, ...] = ()  # modules to import
    workflows: dict[str, str] = field(default_factory=dict)  # name: module:factory
    max_steps: int = 1000  # of one run
    processes: int = 8  # runs at once
    permanent: tuple[str, ...] = ()  # exceptions that trying again can't help
    keep: Keep = Keep()


def read(value: Any, base_dir: str) -> Config:
    """Check all of it, so that all mistakes are told at once."""
    reader = _Reader(base_dir)
    keys = reader.table(value if value is not None else {}, [], {
        "project": reader.folder, "state": reader.path, "nodes": reader.modules,
        "workflows": reader.workflows, "max_steps": reader.count, "processes": reader.count,
        "permanent": reader.names, "keep": reader.keep,
    })
    if "project" not in keys and not reader.problems:
        reader.problem("needed: the folder of the workflows", ["project"])
    if reader.problems:
        raise ConfigError(reader.problems)
    keys.setdefault("state", os.path.join(base_dir, "data", "grapheteria"))
    return Config(**keys)


class _Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self, base_dir: str) -> None:
        self.base_dir = base_dir
        self.problems: list[Problem] = []

    def problem(self, message: str, path: list[Any]) -> None:
        self.problems.append(Problem(message, *path))

    def table(self, value: Any, path: list[Any], keys: dict[str, Callable[[Any, list[Any]], Any]]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.problem("want keys and values", path)
            return {}
        out = {}
        for key, item in value.items():
            if key in keys:
                out[key] = keys[key](item, [*path, key])
            else:
                self.problem(f'unknown key "{key}"; there are: {", ".join(keys)}', [*path, key])
        return out

    def text(self, value: Any, path: list[Any]) -> str:
        if not isinstance(value, str) or not value:
            self.problem("want a text", path)
            return ""
        return value

    def path(self, value: Any, path: list[Any]) -> str:
        return os.path.normpath(os.path.join(self.base_dir, self.text(value, path)))

    def folder(self, value: Any, path: list[Any]) -> str:
        found = self.path(value, path)
        if isinstance(value, str) and value and not os.path.isdir(found):
            self.problem(f'no folder "{value}"', path)
        return found

    def texts(self, value: Any, path: list[Any], good: Callable[[str], bool], want: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.problem(f"want a list of {want}", path)
            return ()
        for i, item in enumerate(value):
            if not isinstance(item, str) or not good(item):
                self.problem(f"want {want}", [*path, i])
        return tuple(str(item) for item in value)

    def modules(self, value: Any, path: list[Any]) -> tuple[str, ...]:
        return self.texts(value, path, _dotted, "names of Python modules, as in `import`")

    def names(self, value: Any, path: list[Any]) -> tuple[str, ...]:
        return self.texts(value, path, str.isidentifier, "names of exceptions, without their module")

    def workflows(self, value: Any, path: list[Any]) -> dict[str, str]:
        if not isinstance(value, dict):
            self.problem("want names, each with its module:factory", path)
            return {}
        for name, factory in value.items():
            module, colon, attribute = factory.partition(":") if isinstance(factory, str) else ("", "", "")
            if not (colon and _dotted(module) and _dotted(attribute)):
                self.problem("want module:factory", [*path, name])
        return value

    def count(self, value: Any, path: list[Any]) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.problem("want a number of at least 1", path)
            return 1
        return value

    def duration(self, value: Any, path: list[Any]) -> float:
        match = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
        if not match:
            self.problem("want a duration, like 12h or 7d", path)
            return 0
        return float(match[1]) * _UNITS[match[2]]

    def keep(self, value: Any, path: list[Any]) -> Keep:
        return Keep(**self.table(value, path, {
            "finished": self.duration, "unfinished": self.duration, "runs": self.count}))


def _dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
