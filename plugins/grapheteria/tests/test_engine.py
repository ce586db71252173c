"""What a workflow, and whoever asks for its run, notices. Workers are real."""

import json
import os
import shutil
import signal
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from gateway_engine import ConfigError, Event, Failed, Permanent, Problem, Request, Running, Stopped, Succeeded, Unknown, Waiting
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


class Running_(EngineTest):
    def test_json_and_python_workflows(self):
        engine = self.start(workflows={"code": "code:greeting", "started": "code:started", "asking": "code:asking"})
        for name in ("greet", "more.nested", "code", "started"):
            with self.subTest(name):
                self.assertEqual(self.run_it(name, name, engine), {"greeting": "hello Ada"})
        self.assertIsInstance(self.run_it("asking", "asking", engine), Waiting)
        self.assertEqual(self.answer("x", "asking", engine), {"greeting": "hello Ada", "answer": "x"})
        self.assertFalse(os.path.exists(os.path.join(self.project, "logs")), "pickles were written")

    def test_the_event_is_in_step_0(self):
        with self.assertRaisesRegex(Exception, "exit status 9"):
            self.run_it("die", attempt=2)
        snapshot = self.snapshot()
        self.assertEqual(snapshot["metadata"]["step"], 0)
        self.assertEqual(snapshot["shared"], {
            "event_type": "order.paid", "event_payload": {"name": "Ada"},
            "event_config": {"count": self.count, "fixed": self.fixed},
            "event_time": "2026-01-02T03:04:05+00:00", "event_id": "e-1",
            "event_source": "/webhooks/shop", "event_attempt": 2, "event_key": "k",
        })

    def test_initial_state_does_not_swallow_the_event(self):
        self.assertEqual(self.run_it("initial"), {"mine": 1, "greeting": "hello Ada"})

    def test_a_key_runs_once(self):
        open(self.fixed, "w").close()
        first = self.run_it("fail")
        self.assertEqual(self.run_it("fail", attempt=2), first)
        self.assertEqual(self.run_it("fail", engine=self.start()), first)
        self.assertEqual(self.counted(), ["before", "tried", "after"])
        self.assertEqual(self.engine.get("k", ""), Succeeded(first))

    def test_many_at_once_have_ids_of_their_own(self):
        keys = [f"key/{i}" for i in range(40)]
        accepted = set()

        def run(key):
            request = self.request("greet", key)
            request.accept = accepted.add
            return self.engine.run(request)

        with ThreadPoolExecutor(40) as pool:
            outputs = list(pool.map(run, keys))
        self.assertEqual(outputs, [{"greeting": "hello Ada"}] * 40)
        self.assertEqual(accepted, {run_id(key) for key in keys})
        self.assertEqual(len(accepted), 40)

    def test_another_workflow_with_this_key_is_refused(self):
        self.run_it("greet")
        with self.assertRaisesRegex(Permanent, "greet"):
            self.run_it("initial")


class Failures(EngineTest):
    def failed(self, workflow, **fields):
        state = self.run_it(workflow, **fields)
        self.assertIsInstance(state, Failed)
        self.assertEqual(str(self.engine.get("k", "").error), str(state.error))
        return state.error

    def test_a_failed_run_resumes_at_the_failed_node(self):
        error = self.failed("fail")
        self.assertNotIsInstance(error, Permanent)
        self.assertEqual(str(error), "fail: OSError: no network")
        open(self.fixed, "w").close()
        self.assertEqual(self.run_it("fail", attempt=2, engine=self.start())["attempts"], [1, 2])
        self.assertEqual(self.counted(), ["before", "tried", "tried", "after"])

    def test_what_is_permanent(self):
        self.assertNotIsInstance(self.failed("refuse"), Permanent)
        state = self.run_it("refuse", "other", self.start(permanent=["ValueError"]))
        self.assertIsInstance(state.error, Permanent)

    def test_a_node_that_exits(self):
        self.assertIn("SystemExit: 7", str(self.failed("exit")))

    def test_a_run_without_end(self):
        state = self.run_it("spin", engine=self.start(max_steps=20))
        self.assertIsInstance(state.error, Permanent)
        self.assertIn("20 steps", str(state.error))

    def test_a_condition_that_raises_is_no_success(self):
        self.assertRegex(str(self.failed("condition")), "a > b: condition .*KeyError")

    def test_a_graph_that_is_broken_after_the_check(self):
        shutil.copy(os.path.join(self.project, "more", "no-class.json"), os.path.join(self.project, "greet.json"))
        self.assertIsInstance(self.failed("greet"), Permanent)


class Waits(EngineTest):
    def test_an_answer_after_a_restart(self):
        state = self.run_it("choose")
        self.assertEqual((state.prompt, state.schema), ("Ship it?", {"enum": ["yes", "no"]}))
        again = self.start()
        self.assertEqual(again.get("k", "").prompt, "Ship it?")
        self.assertEqual(self.run_it("choose", engine=again).prompt, "Ship it?")
        wrong = self.answer("perhaps", engine=again)
        self.assertEqual(wrong.prompt, '"perhaps" is none of the options.\nShip it?')
        self.assertEqual(self.answer("no", engine=again)["answer"], "no")
        self.assertEqual(self.counted(), ["before", "asked", "asked", "after"])

    def test_types_of_answers(self):
        for kind, right, wrong in (("text", "x", 1), ("number", 1.5, True), ("boolean", False, "no"), ("json", [], None)):
            with self.subTest(kind):
                shutil.copy(os.path.join(self.project, "ask.json"), os.path.join(self.project, "typed.json"))
                with open(os.path.join(self.project, "typed.json"), "w") as file:
                    json.dump({"nodes": [{"id": "ask", "class": "Ask", "config": {"type": kind}}]}, file)
                self.assertIsInstance(self.run_it("typed", kind), Waiting)
                self.assertIsInstance(self.answer(wrong, kind), Waiting)
                self.assertEqual(self.answer(right, kind), {"answer": right})

    def test_two_questions_in_one_node(self):
        self.assertEqual(self.run_it("twice").prompt, "First?")
        self.assertEqual(self.answer("1", engine=self.start()).prompt, "Second?")
        self.assertEqual(self.answer("2", engine=self.start())["both"], ["1", "2"])

    def test_a_loop_asks_each_time(self):
        self.run_it("review")
        for _ in range(3):
            self.assertIsInstance(self.answer("reject"), Waiting)
        self.assertEqual(self.answer("approve")["verdict"], "approve")

    def test_an_answer_outlives_the_node_that_needs_it(self):
        self.run_it("plain-values")
        record = self.engine.records.load(run_id("k"))
        record.answers, record.status = {"ask": "given"}, "running"  # as when killed just after
        self.engine.records.save(record)
        self.assertIsInstance(self.engine.get("k", ""), Unknown)
        self.assertEqual(self.run_it("plain-values", attempt=2)["answer"], "given")

    def test_nobody_waits(self):
        with self.assertRaises(Permanent):
            self.answer("x", "never-started")


class State(EngineTest):
    def test_plain_values_of_python_come_back(self):
        self.assertIsInstance(self.run_it("plain-values"), Waiting)
        output = self.answer("x", engine=self.start())
        self.assertEqual(output["pair"], [1, 2])
        self.assertEqual(output["by_number"], {"1": "one"})

    def test_objects_do_not_fail_a_run_that_needs_no_resume(self):
        self.assertRegex(self.run_it("object")["object"], "<object object")

    def test_a_run_that_waits_can_not_hold_objects(self):
        error = self.run_it("object-ask").error
        self.assertIsInstance(error, Permanent)
        self.assertIn("shared['object'] holds a builtins.object", str(error))

    def test_what_grapheteria_can_not_copy(self):
        error = self.run_it("lock").error
        self.assertIsInstance(error, Permanent)
        self.assertIn("keep such values out of it", str(error))


class Processes(EngineTest):
    def worker(self, key="k"):
        """The process that does a run."""
        return next(w.process.pid for w in self.engine.pool._all if w.request and w.request.key == key)

    def group(self, pid):
        """The processes of a group that live."""
        found = []
        for stat in os.listdir("/proc") if os.path.isdir("/proc") else []:
            if stat.isdecimal():
                try:
                    with open(f"/proc/{stat}/stat") as file:
                        fields = file.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[2]) == pid and fields[0] != "Z":
                    found.append(int(stat))
        return found

    def test_others_go_on_beside_a_node_that_blocks(self):
        self.in_background("slow")
        self.assertEqual(self.run_it("greet", "other"), {"greeting": "hello Ada"})

    def test_a_cancel_ends_all_that_a_run_started(self):
        for workflow in ("slow", "nap"):
            with self.subTest(workflow):
                request, future = self.in_background(workflow, workflow)
                pid = self.worker(workflow)
                if workflow == "slow":
                    self.wait_for(lambda: len(self.group(pid)) > 1, "the node's own process")
                request.stop("enough")
                with self.assertRaises(Stopped):
                    future.result(PATIENCE)
                self.wait_for(lambda: not self.group(pid), "the end of the group")
                self.assertIsInstance(self.engine.get(workflow, ""), Unknown)

    def test_a_node_that_dies_leaves_nothing_behind(self):
        with open(os.path.join(self.project, "nodes.py"), "a") as file:
            file.write("""

class Orphan(Node):
    def execute(self, prepared):
        child = subprocess.Popen(["sleep", "300"])
        print("child", child.pid, flush=True)
        os._exit(9)
""")
        with open(os.path.join(self.project, "orphan.json"), "w") as file:
            json.dump({"nodes": [{"id": "orphan", "class": "Orphan"}]}, file)
        with self.assertRaisesRegex(Exception, r"exit status 9.*last words: child \d+") as caught:
            self.run_it("orphan", engine=self.start())
        child = int(str(caught.exception).rpartition(" ")[2])
        self.wait_for(lambda: not alive(child), "the end of what the node started")

    def test_a_run_in_another_engine_is_not_run_twice(self):
        other = self.start()
        _, future = self.in_background("slow", engine=other)
        self.wait_for(lambda: isinstance(self.engine.get("k", ""), Running), "the lock of the run")
        request = self.request("slow")
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(self.engine.run, request)
            time.sleep(0.5)  # time enough to do it wrong
            self.assertFalse(second.done() or future.done())
            self.assertEqual(self.snapshot()["metadata"]["step"], 1)
            request.stop("enough")
            with self.assertRaises(Stopped):
                second.result(PATIENCE)

    def test_an_interrupted_run_goes_on_where_it_was(self):
        open(self.fixed, "w").close()
        with open(os.path.join(self.project, "long.json"), "w") as file:
            json.dump({"nodes": [{"id": "before", "class": "Count"}, {"id": "sleep", "class": "Sleep"}],
                       "edges": [{"from": "before", "to": "sleep"}]}, file)
        _, future = self.in_background("long")
        self.wait_for(lambda: self.snapshot()["metadata"]["step"] == 1, "the second node")
        os.kill(self.worker(), signal.SIGKILL)
        with self.assertRaisesRegex(Exception, "signal 9"):
            future.result(PATIENCE)
        with open(os.path.join(self.project, "nodes.py"), "a") as file:
            file.write("\n\nclass Sleep(Node): ...\n")  # the next process has the new code
        self.assertEqual(self.run_it("long", attempt=2)["attempts"], [1])
        self.assertEqual(self.counted(), ["before"])

    def test_processes_are_bounded_and_used_again(self):
        engine = self.start(processes=2)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.run_it("greet", f"k{i}", engine), range(8)))
        self.assertLessEqual(len(engine.pool._all), 2)
        self.assertGreaterEqual(max(w.runs for w in engine.pool._all), 4)

    def test_waiting_for_a_place_can_be_cancelled(self):
        engine = self.start(processes=1)
        self.in_background("slow", engine=engine)
        request = self.request("greet", "second")
        threading.Timer(0.2, request.stop, ["enough"]).start()
        with self.assertRaises(Stopped):
            engine.run(request)


class Checks(EngineTest):
    def problems(self, workflow, engine=None):
        with self.assertRaises(Problem) as caught:
            (engine or self.engine).check(workflow, None, [])
        return caught.exception.message

    def test_what_is_wrong_with_a_workflow(self):
        for name, pattern in {
            "absent": 'no workflow "absent"; there are: ask, ',
            "more.no-class": r'nodes\[0\]: no class "Absent" in the modules of `nodes:`; there are: Ask, ',
            "more.two-edges": r'edges\[0\]: condition .*edges\[1\]: a second edge from a to b.*edges\[2\]: to: no node "c".*start: no node "x"',
            "more.retries": "max_retries: Grapheteria does not read it from JSON",
            "more.torn": "not JSON",
            "more.not-a-workflow": "no workflow",
        }.items():
            with self.subTest(name):
                self.assertRegex(self.problems(name), pattern)
        self.engine.check("greet", None, [])

    def test_workflows_in_code(self):
        engine = self.start(workflows={"random": "code:random_ids", "absent": "code:absent", "greet": "code:greeting"})
        self.assertIn("give each node an id", self.problems("random", engine))
        self.assertIn("AttributeError", self.problems("absent", engine))
        self.assertIn("another workflow of this name", self.problems("greet", engine))

    def test_description(self):
        described = self.engine.describe()
        self.assertRegex(described.version, r"grapheteria 0\.0\.0")
        texts = {w.name: w.description for w in described.workflows}
        self.assertEqual(texts["greet"], "")
        self.assertIn("broken: ", texts["more.torn"])

    def test_modules_of_nodes(self):
        with open(os.path.join(self.project, "twin.py"), "w") as file:
            file.write("from grapheteria import Node\nclass Greet(Node): ...\n")
        with open(os.path.join(self.project, "bad.py"), "w") as file:
            file.write("1 / 0\n")
        for nodes, message in ((["nodes", "twin"], 'class "Greet" is in nodes and in twin'),
                               (["bad"], "ZeroDivisionError"), (["absent"], "ModuleNotFoundError")):
            with self.subTest(nodes):
                with self.assertRaises(Problem) as caught:
                    self.start(nodes=nodes)
                self.assertIn(message, caught.exception.message)
                self.assertEqual(caught.exception.path, ["nodes", str(len(nodes) - 1)])

    def test_configuration(self):
        for value, path in (({"project": "absent"}, ["project"]), ({"nodes": ["nodes"]}, ["project"]),
                            ({"project": "project", "nodes": ["a b"]}, ["nodes", "0"]),
                            ({"project": "project", "workflows": {"x": "code"}}, ["workflows", "x"]),
                            ({"project": "project", "keep": {"finished": "1 week"}}, ["keep", "finished"]),
                            ({"project": "project", "max_steps": True}, ["max_steps"]),
                            ({"project": "project", "permanent": "ValueError"}, ["permanent"])):
            with self.subTest(path):
                with self.assertRaises(ConfigError) as caught:
                    GrapheteriaEngine().configure(value, self.dir)
                self.assertEqual([p.path for p in caught.exception.problems], [path])


if __name__ == "__main__":
    unittest.main()
