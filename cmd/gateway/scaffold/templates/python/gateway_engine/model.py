"""What an engine says and is told, without any gRPC."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from .request import Request


class Permanent(Exception):
    """A failure that trying again can't help."""


class RetryAfter(Exception):
    """Something is full: the next attempt should wait for so many seconds."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Stopped(Exception):
    """The run is to end: cancelled, out of time, or the engine stops."""


class Problem(Exception):
    """One mistake in what the user wrote, at the keys that lead to it."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path = [str(key) for key in path]


class ConfigError(Exception):
    """Several problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Workflow:
    """One thing that an engine can run."""

    name: str
    description: str = ""
    input_schema: Any = None  # a JSON Schema; None when anything goes


@dataclass(frozen=True)
class Description:
    """Who an engine is. Without workflows any name is taken."""

    name: str
    version: str = ""
    workflows: Sequence[Workflow] = ()


@dataclass(frozen=True)
class Event:
    """What happened: a CloudEvent."""

    id: str
    source: str
    type: str
    subject: str = ""
    time: datetime | None = None  # when the gateway received it; UTC
    content_type: str = ""
    body: bytes = b""  # exactly what was sent
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    json: bytes = b""  # the body as JSON, where it is not JSON itself

    def data(self) -> Any:
        """The body as a new JSON value; None when there is no body."""
        raw = self.json or self.body
        return json.loads(raw) if raw else None


# What became of a run. An engine's `get` returns one of these; `run` and
# `answer` may return Waiting.


@dataclass(frozen=True)
class Unknown:
    """The engine doesn't know the run: it is safe to start it."""


@dataclass(frozen=True)
class Running:
    """The run goes on, perhaps in another process. It is asked for again."""

    run_id: str = ""


@dataclass(frozen=True)
class Waiting:
    """The run waits for an answer, and no thread is kept for it."""

    prompt: str
    schema: Any = None  # a JSON Schema of the answer; None when anything goes
    run_id: str = ""


@dataclass(frozen=True)
class Succeeded:
    """The run has ended well."""

    output: Any = None


@dataclass(frozen=True)
class Failed:
    """The attempt has failed; see Permanent and RetryAfter."""

    error: Exception



class Engine:
    """What an author subclasses. Only `run` is needed."""

    #: How people call the engine; the program's file name when empty.
    name = ""
    version = ""
    #: The names of all workflows; empty when any name is taken.
    workflows: Sequence[str] = ()

    def run(self, request: Request) -> Any:
        """Do one run and return its output, which goes to JSON.

        It is called from many threads at once, never twice for one key. An
        exception is tried again, unless it is Permanent. The run is to end
        soon after `request.stopped` is set.
        """
        raise NotImplementedError

    def describe(self) -> Description:
        """Who the engine is; it may be asked before `configure`."""
        return Description(self.name, self.version, [Workflow(name) for name in self.workflows])

    def configure(self, config: Any, base_dir: str) -> None:
        """Take the `config:` of gateway.yaml, once, before any run.

        Relative paths in it begin at base_dir. Raise Problem or ConfigError
        for what is wrong with it.
        """
        if config:
            raise Problem("this engine takes no configuration")

    def check(self, workflow: str, input: Any, computed: Sequence[str]) -> None:
        """Look at a route when the configuration is loaded.

        input is the constant part of `with:`; computed names the keys whose
        values come with each event. Raise Problem or ConfigError.
        """

    def get(self, key: str, run_id: str) -> Any:
        """Tell what became of a run, also after a restart of the engine.

        An engine that overrides this keeps its runs when only the connection
        to the gateway is lost.
        """
        return Unknown()

    def answer(self, request: Request) -> Any:
        """Go on with a run that waits; the answer is `request.input`."""
        raise NotImplementedError

    def close(self) -> None:
        """Tidy up; the runs have been told to stop before."""

    def can(self, method: str) -> bool:
        """Whether the author wrote this method."""
        return getattr(type(self), method) is not getattr(Engine, method)
