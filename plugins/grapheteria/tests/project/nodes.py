"""Nodes for the tests, each with a fault or a habit that real ones have."""

import os
import subprocess
import threading
import time

from grapheteria import Node

print("printed while the nodes are imported")


def count(shared, what):
    """Append to a file that outlives everything: how often something was done."""
    with open(shared["event_config"]["count"], "a") as file:
        file.write(what + "\n")


class Greet(Node):
    def prepare(self, shared, request_input):
        print("a" * 100_000)  # a line that would kill a host that reads it whole
        return shared["event_payload"]

    def execute(self, payload):
        return f"hello {payload.get('name', 'world') if isinstance(payload, dict) else payload}"

    def cleanup(self, shared, prepared, result):
        shared["greeting"] = result


class Count(Node):
    def cleanup(self, shared, prepared, result):
        count(shared, self.id)
        shared["attempts"] = shared.get("attempts", []) + [shared["event_attempt"]]


class Sleep(Node):
    """Blocks, and has started something that would live on."""

    def prepare(self, shared, request_input):
        if "count" in shared["event_config"]:
            count(shared, "sleep")

    def execute(self, prepared):
        subprocess.Popen(["sleep", "300"])
        time.sleep(300)


class Nap(Node):
    async def execute(self, prepared):
        import asyncio

        await asyncio.sleep(300)

    async def cleanup(self, shared, prepared, result): ...


class Ask(Node):
    async def prepare(self, shared, request_input):
        count(shared, "asked") if "count" in shared["event_config"] else None
        shared["answer"] = await request_input(
            self.config.get("prompt"), self.config.get("options"), self.config.get("type", "json"))


class AskTwice(Node):
    async def prepare(self, shared, request_input):
        first = await request_input("First?", request_id="first")
        second = await request_input("Second?", request_id="second")
        shared["both"] = [first, second]


class AskDie(Node):
    """Dies with the answer in its hands."""

    async def prepare(self, shared, request_input):
        shared["answer"] = await request_input()
        if not os.path.exists(shared["event_config"]["fixed"]):
            os._exit(9)


class Review(Node):
    async def prepare(self, shared, request_input):
        shared["drafts"] = shared.get("drafts", 0) + 1
        shared["verdict"] = await request_input("Good?", ["approve", "reject"], "select")


class Fail(Node):
    """Fails until a file is there."""

    def execute(self, prepared):
        raise OSError("no network")

    def prepare(self, shared, request_input):
        count(shared, "tried")
        if os.path.exists(shared["event_config"]["fixed"]):
            self.execute = lambda _: None


class Refuse(Node):
    def execute(self, prepared):
        raise UnicodeError("bad input")


class Exit(Node):
    def execute(self, prepared):
        raise SystemExit(7)


class Die(Node):
    def execute(self, prepared):
        os._exit(9)


class Keep(Node):
    """Puts into shared state what JSON can't hold."""

    def cleanup(self, shared, prepared, result):
        shared["pair"] = (1, 2)
        shared["by_number"] = {1: "one"}
        if self.config.get("object"):
            shared["object"] = threading.local if self.config["object"] == "function" else object()
        if self.config.get("lock"):
            shared["lock"] = threading.Lock()


class Want(Node):
    def prepare(self, shared, request_input):
        assert shared["pair"] == (1, 2) and shared["by_number"] == {1: "one"}, shared


class Spin(Node):
    pass
