"""The engine's program as a gateway sees it: over gRPC, through deaths of either side."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc

from gateway_engine import engine_pb2 as pb
from gateway_engine.log import COOKIE_KEY, COOKIE_VALUE
from grapheteria_engine.records import Records, run_id

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 30  # seconds


class Client:
    """A small gateway."""

    def __init__(self, base_dir, config):
        env = {"PATH": os.environ["PATH"], COOKIE_KEY: COOKIE_VALUE, "PLUGIN_UNIX_SOCKET_DIR": base_dir}
        self.process = subprocess.Popen([sys.executable, os.path.dirname(HERE)], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.handshake = self.process.stdout.readline().decode().strip().split("|")
        self.log = []
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
        self.channel = grpc.insecure_channel("unix:" + self.handshake[3])
        configured = self.call("Configure", pb.ConfigureRequest(config=json.dumps(config).encode(), base_dir=base_dir),
                               pb.ConfigureResponse)
        assert not configured.problems, configured
        self._commands = queue.SimpleQueue()
        run = self.channel.stream_stream("/engine.v1.EngineService/Run", pb.RunRequest.SerializeToString,
                                         pb.RunResponse.FromString)
        self._updates = run(iter(self._commands.get, None), timeout=PATIENCE)
        self._ready = []

    def call(self, method, request, response):
        call = self.channel.unary_unary("/engine.v1.EngineService/" + method, type(request).SerializeToString,
                                        response.FromString)
        return call(request, timeout=PATIENCE)

    def get(self, key):
        return self.call("Get", pb.GetRequest(key=key), pb.GetResponse).WhichOneof("state")

    def send(self, **command):
        self._commands.put(pb.RunRequest(commands=[pb.Command(**command)]))

    def start(self, key, workflow, attempt=1):
        event = pb.Event(id="e", source="/s", type="t", body=b'{"name": "Ada"}')
        self.send(start=pb.Start(key=key, workflow=workflow, event=event, attempt=attempt))

    def update(self, kind):
        """The next update of a kind."""
        while True:
            while not self._ready:
                self._ready = list(next(self._updates).updates)
            update = self._ready.pop(0)
            if update.WhichOneof("update") == kind:
                return getattr(update, kind)

    def end(self, number=signal.SIGKILL):
        self._commands.put(None)
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.channel.close()
        self.process.stdout.close()


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        shutil.copytree(os.path.join(HERE, "project"), os.path.join(self.dir, "project"))

    def client(self):
        client = Client(self.dir, {"project": "project", "nodes": ["nodes"]})
        self.addCleanup(client.process.stderr.close)
        self.addCleanup(client.end)
        return client

    def test_waiting_and_answer_through_a_kill(self):
        first = self.client()
        self.assertEqual(first.handshake[:3] + first.handshake[4:], ["1", "1", "unix", "grpc", ""])
        first.start("k", "twice")
        self.assertRegex(first.update("accepted").run_id, r"^k-[0-9a-f]{32}$")
        waiting = first.update("waiting")
        self.assertEqual((waiting.prompt, json.loads(waiting.schema)), ("First?", {"type": "string"}))
        first.end()
        second = self.client()
        self.assertEqual(second.get("k"), "waiting")
        second.send(answer=pb.Answer(key="k", input=b'"one"'))
        self.assertEqual(second.update("waiting").prompt, "Second?")
        second.send(answer=pb.Answer(key="k", input=b'"two"'))
        self.assertEqual(json.loads(second.update("succeeded").output), {"both": ["one", "two"]})
        self.assertEqual(second.get("k"), "succeeded")

    def test_an_interrupted_run_is_unknown_and_then_resumed(self):
        first = self.client()
        first.start("k", "slow")
        while first.update("progress").step != "sleep":
            pass
        self.assertEqual(first.get("k"), "running")
        first.end()
        records = Records(os.path.join(self.dir, "data", "grapheteria"))
        end = time.monotonic() + PATIENCE
        while records.locked(run_id("k")):  # until the run's process has noticed
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        second = self.client()
        self.assertEqual(second.get("k"), "unknown")
        second.start("k", "slow", attempt=2)
        self.assertEqual(second.update("progress").step, "sleep")

    def test_a_parked_run_can_be_cancelled(self):
        client = self.client()
        client.start("k", "ask")
        client.update("waiting")
        client.send(cancel=pb.Cancel(key="k", reason="nobody is there"))
        failed = client.update("failed")
        self.assertEqual((failed.message, failed.kind), ("cancelled by the gateway: nobody is there", pb.FAILURE_KIND_RETRYABLE))

    def test_what_nodes_print_is_logged_with_its_run(self):
        client = self.client()
        for key in ("k", "l", "m"):  # one after the other, in one process
            client.start(key, "greet")
            client.update("succeeded")
        client.end(signal.SIGTERM)
        lines = [json.loads(line) for line in client.log]
        printed = [line for line in lines if line["@message"].startswith("aaaa")]
        self.assertEqual([(len(line["@message"]), line["key"], line["workflow"]) for line in printed],
                         [(8 << 10, key, "greet") for key in ("k", "l", "m")])
        self.assertFalse([line for line in lines if "\0" in line["@message"]])
        self.assertTrue(all(isinstance(line["@message"], str) and line["@level"] for line in lines))
