"""Runs do not hurt each other, are never done twice at once, and can be ended."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from gateway_engine import Running, Stopped, Unknown

from .base import PATIENCE, EngineTest, alive


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
        self.wait_for(lambda: self.counted(), "the second node")
        self.assertIsInstance(self.engine.get("k", ""), Running)
        request, second = self.in_background("slow")
        time.sleep(0.5)  # time enough to do it wrong
        self.assertFalse(second.done() or future.done())
        self.assertEqual(self.counted(), ["sleep"])
        request.stop("enough")
        with self.assertRaises(Stopped):
            second.result(PATIENCE)

    def test_an_interrupted_run_goes_on_where_it_was(self):
        open(self.fixed, "w").close()
        with open(os.path.join(self.project, "long.json"), "w") as file:
            json.dump({"nodes": [{"id": "before", "class": "Count"}, {"id": "sleep", "class": "Sleep"}],
                       "edges": [{"from": "before", "to": "sleep"}]}, file)
        _, future = self.in_background("long")
        self.wait_for(lambda: "sleep" in self.counted(), "the second node")
        os.kill(self.worker(), signal.SIGKILL)
        with self.assertRaisesRegex(Exception, "signal 9"):
            future.result(PATIENCE)
        with open(os.path.join(self.project, "nodes.py"), "a") as file:
            file.write("\n\nclass Sleep(Node): ...\n")  # the next process has the new code
        self.assertEqual(self.run_it("long", attempt=2)["attempts"], [1])
        self.assertEqual(self.counted(), ["before", "sleep"])

    def test_edits_take_effect_with_the_next_run(self):
        engine = self.start(workflows={"code": "code:greeting"})
        for i, greeting in enumerate(("hello", "good morning", "good evening")):
            for module in ("nodes.py", "code.py")[: i + 1]:
                path = os.path.join(self.project, module)
                with open(path) as file:
                    text = file.read()
                with open(path, "w") as file:
                    file.write(text.replace("hello", greeting).replace("good morning", greeting) + "\n")
            for workflow in ("greet", "code"):
                output = engine.run(self.request(workflow, f"{workflow}-{i}"))
                self.assertEqual(output, {"greeting": f"{greeting} Ada"})

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
