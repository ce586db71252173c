"""What the tests of the engine share: a project in a folder of its own, and real workers."""

import os
import shutil
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from gateway_engine import Event, Request
from grapheteria_engine.engine import GrapheteriaEngine
from grapheteria_engine.records import run_id

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 30  # seconds for anything on a busy machine


def alive(pid):
    """Whether a process runs; a dead one may not be collected yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class EngineTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.project = os.path.join(self.dir, "project")
        shutil.copytree(os.path.join(HERE, "project"), self.project)
        self.count = os.path.join(self.dir, "count")
        self.fixed = os.path.join(self.dir, "fixed")
        self.engine = self.start()

    def start(self, **config):
        """An engine, as after a restart."""
        engine = GrapheteriaEngine()
        self.addCleanup(engine.close)
        engine.configure({"project": "project", "nodes": ["nodes"], **config}, self.dir)
        return engine

    def request(self, workflow, key="k", **fields):
        event = Event("e-1", "/webhooks/shop", "order.paid", time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
                      body=b'{"name":"Ada"}')
        fields.setdefault("input", {"count": self.count, "fixed": self.fixed})
        return Request(key=key, workflow=workflow, event=event, **fields)

    def run_it(self, workflow, key="k", engine=None, **fields):
        return (engine or self.engine).run(self.request(workflow, key, **fields))

    def answer(self, value, key="k", engine=None):
        return (engine or self.engine).answer(Request(key, "", Event("", "", ""), value))

    def counted(self):
        if not os.path.exists(self.count):
            return []
        with open(self.count) as file:
            return file.read().split()

    def snapshot(self, key="k"):
        return self.engine.records.load(run_id(key)).snapshot

    def wait_for(self, so, what):
        end = time.monotonic() + PATIENCE
        while not so():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def in_background(self, workflow, key="k", engine=None):
        request = self.request(workflow, key)
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown, wait=False)
        future = pool.submit((engine or self.engine).run, request)
        self.addCleanup(request.stop, "the test is over")
        self.wait_for(lambda: self.engine.records.load(run_id(key)) is not None, "the run begins")
        return request, future
