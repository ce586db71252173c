"""The contract, spoken for an Engine."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any, Iterator

import grpc

from . import engine_pb2 as pb
from . import wire
from .log import text
from .model import ConfigError, Engine, Event, Failed, Permanent, Problem, Running, Unknown, Waiting
from .request import Request
from .runs import Runs, Stream

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK = 0.5, 15.0  # seconds between looks at a run of another process


class Service:
    """engine.v1.EngineService."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self.engine, self.limit = engine, limit
        self.runs = Runs(engine.can("get"), limit)
        self._configured = False

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods, as gRPC wants them."""
        unary = {
            "Describe": (self.describe, pb.DescribeRequest, pb.DescribeResponse),
            "Configure": (self.configure, pb.ConfigureRequest, pb.ConfigureResponse),
            "Check": (self.check, pb.CheckRequest, pb.CheckResponse),
            "Get": (self.get, pb.GetRequest, pb.GetResponse),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(
                call, request_deserializer=request.FromString, response_serializer=response.SerializeToString)
            for name, (call, request, response) in unary.items()
        }
        methods["Run"] = grpc.stream_stream_rpc_method_handler(
            self.run, request_deserializer=pb.RunRequest.FromString,
            response_serializer=pb.RunResponse.SerializeToString)
        return grpc.method_handlers_generic_handler("engine.v1.EngineService", methods)

    def describe(self, _: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.DescribeResponse:
        try:
            told = self.engine.describe()
            return pb.DescribeResponse(
                name=text(told.name or os.path.basename(sys.argv[0])), version=text(told.version),
                abilities=self._abilities(bool(told.workflows)),
                workflows=[
                    pb.Workflow(name=text(w.name), description=text(w.description),
                                input_schema=wire.encode(w.input_schema, wire.MAX_SCHEMA, "input schema"))
                    for w in told.workflows
                ])
        except Exception as error:
            log.exception("describe failed")
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, text(error))

    def _abilities(self, listed: bool) -> list[int]:
        can = self.engine.can
        abilities = [
            (can("check") or listed, pb.ABILITY_CHECK), (can("get"), pb.ABILITY_GET),
            (can("answer"), pb.ABILITY_ANSWER),
        ]
        return [ability for there, ability in abilities if there]

    def configure(self, message: pb.ConfigureRequest, context: grpc.ServicerContext) -> pb.ConfigureResponse:
        if self._configured:  # runs may be reading what it set
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "configured already")
        try:
            self.engine.configure(json.loads(message.config or b"null"), message.base_dir)
        except Exception as error:
            _unexpected(error, "configure failed")
            return pb.ConfigureResponse(problems=wire.problems(error))
        self._configured = True
        return pb.ConfigureResponse()

    def check(self, message: pb.CheckRequest, _: grpc.ServicerContext) -> pb.CheckResponse:
        try:
            constant = json.loads(message.input) if message.input else None
            self.engine.check(message.workflow, constant, list(message.computed))
            names = [workflow.name for workflow in self.engine.describe().workflows]
            if names and message.workflow not in names:
                raise Problem(f'no workflow "{message.workflow}"; there are: {", ".join(sorted(names)[:20])}')
        except Exception as error:
            _unexpected(error, "check failed")
            return pb.CheckResponse(problems=wire.problems(error))
        return pb.CheckResponse()

    def get(self, message: pb.GetRequest, context: grpc.ServicerContext) -> pb.GetResponse:
        """A run under way here is known without asking the author."""
        if run := self.runs.get(message.key):
            return wire.got(run.prompt or Running(run.run_id), self.limit)
        try:
            state = self.engine.get(message.key, message.run_id)
        except Exception as error:
            log.exception("get failed")
            context.abort(grpc.StatusCode.UNAVAILABLE, text(error))
        if isinstance(state, Running):
            request = Request(message.key, "", Event("", "", ""))
            self.runs.start(self.runs.newest, request, lambda r: self._follow(r, message.run_id))
        if isinstance(state, Waiting):
            self.runs.park(message.key)
        return wire.got(state, self.limit)

    def _follow(self, request: Request, run_id: str) -> Any:
        """Look at a run that goes on elsewhere until it has ended there."""
        pause = FIRST_LOOK
        while not request.stopped.wait(pause):
            pause = min(pause * 2, LAST_LOOK)
            try:
                state = self.engine.get(request.key, run_id)
            except Exception:
                log.exception("get failed")
                continue
            if isinstance(state, Unknown):
                return Failed(RuntimeError("the run was interrupted"))
            if not isinstance(state, Running):
                return state if isinstance(state, (Waiting, Failed)) else state.output
        return Failed(RuntimeError(request.reason))

    def run(self, messages: Iterator[pb.RunRequest], context: grpc.ServicerContext) -> Iterator[pb.RunResponse]:
        """One stream: commands are read in a thread, updates are written in this one."""
        stream = self.runs.open()
        context.add_callback(lambda: self.runs.lost(stream))
        threading.Thread(target=self._read, args=[stream, messages], name="commands", daemon=True).start()
        yield from stream.messages()

    def _read(self, stream: Stream, messages: Iterator[pb.RunRequest]) -> None:
        try:
            for message in messages:
                for command in message.commands:
                    self._try(stream, command)
        except grpc.RpcError:
            return  # the stream broke, which `lost` is told too
        self.runs.finishing(stream)

    def _try(self, stream: Stream, command: pb.Command) -> None:
        try:
            self._obey(stream, command)
        except Exception:  # one bad command must not silence the stream
            log.exception("command failed")

    def _obey(self, stream: Stream, command: pb.Command) -> None:
        kind = command.WhichOneof("command")
        if kind == "start":
            self._start(stream, command.start)
        elif kind == "cancel":
            reason = command.cancel.reason
            self.runs.cancel(stream, command.cancel.key, "cancelled by the gateway" + (f": {reason}" if reason else ""))
        elif kind == "answer" and not self.runs.answer(command.answer.key, command.answer.input):
            answer = command.answer
            request = Request(answer.key, "", Event("", "", ""), json.loads(answer.input or b"null"))
            self.runs.start(stream, request, self._answer)

    def _start(self, stream: Stream, start: pb.Start) -> None:
        try:
            request = wire.request(start)
            if not request.key:
                raise Permanent("start without a key")
        except (Permanent, ValueError) as error:
            stream.send(pb.RunUpdate(key=start.key, failed=wire.failed(Permanent(f"start: {error}"))))
            return
        self.runs.start(stream, request, self.engine.run)

    def _answer(self, request: Request) -> Any:
        if not self.engine.can("answer"):
            raise RuntimeError("no run with this key waits for an answer: the engine was started again since")
        return self.engine.answer(request)


def _unexpected(error: Exception, message: str) -> None:
    """Problems are answers; anything else is a bug that somebody has to find."""
    if not isinstance(error, (Problem, ConfigError)):
        log.error(message, exc_info=error)
