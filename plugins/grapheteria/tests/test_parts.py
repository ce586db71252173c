"""The parts that need no process."""

import fcntl
import os
import shutil
import tempfile
import threading
import time
import unittest
from datetime import date, datetime, timezone
from unittest import mock

from gateway_engine.model import Event, Failed
from gateway_engine.request import Request
from gateway_engine.runs import Runs
from grapheteria_engine import codec
from grapheteria_engine.config import Keep
from grapheteria_engine.records import Record, Records, run_id


class Codec(unittest.TestCase):
    def test_what_is_written_is_read(self):
        shared = {1: "one", "t": (1, (2,)), "s": {1, 2}, "f": frozenset("a"), "b": b"\0\xff", "inf": float("inf"),
                  "when": datetime(2026, 1, 2, tzinfo=timezone.utc), "day": date(2026, 1, 2), "$py": "mine",
                  "plain": [1.5, None, True, "ü\ud800"], "deep": {"x": {2: 3}}}
        self.assertEqual(codec.decode(codec.encode(shared)), shared)

    def test_what_is_refused(self):
        loop = []
        loop.append(loop)
        for value, path in (({"a": [object()]}, r"shared\['a'\]\[0\] holds a builtins.object"), (loop, "holds a builtins.list"),
                            ({"n": type("N", (int,), {})(1)}, r"shared\['n'\] holds a .*N")):
            with self.subTest(path), self.assertRaisesRegex(codec.Unstorable, path):
                codec.encode(value)

    def test_what_people_see(self):
        class Rude:
            def __repr__(self):
                raise ValueError

        shown = codec.show({1: (1, {2}), "n": float("nan"), "r": Rude(), "s": "\ud800"})
        self.assertEqual(shown["1"], [1, [2]])
        self.assertEqual((shown["n"], shown["s"]), ("nan", "?"))
        self.assertIn("Rude", shown["r"])


class Output(unittest.TestCase):
    def test_it_is_bounded(self):
        import json

        from grapheteria_engine.drive import MAX_OUTPUT, output

        for shared in ({"small": 1, "large": "x" * 2 * MAX_OUTPUT}, {f"k{i}": "x" * 50 for i in range(20_000)}):
            shown = output({**shared, "event_payload": "left out"})
            self.assertLessEqual(len(json.dumps(shown)), MAX_OUTPUT)
            self.assertNotIn("event_payload", shown)
        self.assertEqual(output({"small": 1, "large": "x" * 2 * MAX_OUTPUT})["small"], 1)


class Version(unittest.TestCase):
    def test_another_line_is_refused(self):
        import grapheteria

        from grapheteria_engine import graph

        graph.check_version()
        ours = grapheteria.WorkflowEngine
        self.addCleanup(setattr, grapheteria, "WorkflowEngine", ours)

        class Theirs(ours):
            def __init__(self, workflow_id=None, workflows_dir=".", tool_registry=None): ...

        grapheteria.WorkflowEngine = Theirs
        with self.assertRaisesRegex(graph.Broken, "another line .*tool_registry.*workflows_dir"):
            graph.check_version()


class Keeping(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.records = Records(folder)
        self.records.prepare()

    def save(self, key, status, age):
        record = Record(key, "w", run_id(key), status)
        self.records.save(record)
        folder = self.records.done if status == "succeeded" else self.records.runs
        when = time.time() - age
        os.utime(os.path.join(folder, record.run_id + ".json"), (when, when))

    def left(self):
        return {key for key in "abcdef" if self.records.load(run_id(key))}

    def test_age(self):
        for key, status, age in (("a", "succeeded", 10), ("b", "succeeded", 30), ("c", "waiting", 30),
                                 ("d", "waiting", 300), ("e", "failed", 300), ("f", "running", 300)):
            self.save(key, status, age)
        lock = self.records.lock(run_id("f"))
        self.assertEqual(self.records.sweep(Keep(finished=20, unfinished=200)), 3)
        self.assertEqual(self.left(), {"a", "c", "f"})
        self.records.unlock(lock)

    def test_count(self):
        for i, key in enumerate("abcd"):
            self.save(key, "succeeded", i)
        self.save("e", "waiting", 100)
        self.assertEqual(self.records.sweep(Keep(runs=2)), 2)
        self.assertEqual(self.left(), {"a", "b", "e"})

    def test_locks(self):
        lock = self.records.lock("x")
        self.assertIsNone(self.records.lock("x"))
        self.assertTrue(self.records.locked("x"))
        self.records.unlock(lock)
        self.assertFalse(self.records.locked("x"))

    def test_a_lock_that_is_removed_while_it_is_taken(self):
        """Else a second process would take a new file of this name."""
        path, flock = os.path.join(self.records.locks, "x"), fcntl.flock

        def removed_before(fd, how):
            if not removed:
                os.remove(path)
                removed.append(path)
            return flock(fd, how)

        removed = []
        with mock.patch.object(fcntl, "flock", removed_before):
            lock = self.records.lock("x")
        self.assertIsNone(self.records.lock("x"))
        self.records.unlock(lock)

    def test_ids(self):
        ids = {run_id(key) for key in ("a", "a/", "a\\", "A", "../a", "", "ä", "x" * 1000, "x" * 1001)}
        self.assertEqual(len(ids), 9)
        for id in ids:
            self.assertRegex(id, r"\A[A-Za-z0-9_-]{32,80}\Z")

    def test_private(self):
        self.save("a", "waiting", 0)
        for folder, _, files in os.walk(os.path.dirname(self.records.runs)):
            for file in files:
                self.assertEqual(os.stat(os.path.join(folder, file)).st_mode & 0o077, 0)


class Streams(unittest.TestCase):
    """A stream can be lost a moment after the next one was opened."""

    def setUp(self):
        self.runs = Runs(keep=True, limit=1 << 20)
        self.first = self.runs.open()

    def start(self, work):
        self.runs.start(self.first, Request("key", "workflow", Event("", "", "")), work)
        return self.runs.open()

    def end(self, stream):
        update = stream._queue.get(timeout=30)
        self.assertEqual(update.key, "key")
        return update.WhichOneof("update")

    def test_the_run_reports_on_the_next(self):
        done = threading.Event()
        second = self.start(lambda _: done.wait(30))
        self.runs.lost(self.first)
        done.set()
        self.assertEqual(self.end(second), "succeeded")

    def test_its_cancel_came_on_the_next(self):
        second = self.start(lambda request: request.stopped.wait(30) and Failed(RuntimeError(request.reason)))
        self.runs.cancel(second, "key", "enough")
        self.runs.lost(self.first)
        self.assertEqual(self.end(second), "failed")
