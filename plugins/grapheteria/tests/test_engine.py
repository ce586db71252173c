"""What a workflow, and whoever asks for its run, notices."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from gateway_engine import Failed, Permanent, Succeeded, Unknown, Waiting
from grapheteria_engine.records import run_id

from .base import EngineTest


class Runs(EngineTest):
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

    def test_an_answer_outlives_the_process_that_got_it(self):
        self.run_it("ask-die")
        with self.assertRaisesRegex(Exception, "exit status 9"):
            self.answer("given")
        self.assertIsInstance(self.engine.get("k", ""), Unknown)
        open(self.fixed, "w").close()
        self.assertEqual(self.run_it("ask-die", attempt=2, engine=self.start()), {"answer": "given"})

    def test_answers_of_one_round_are_not_those_of_the_next(self):
        prompts = [self.run_it("rounds").prompt]
        prompts += [self.answer(answer).prompt for answer in ("1", "on", "2")]
        self.assertEqual(prompts, ["First?", "Second?"] * 2)
        self.assertEqual(self.answer("stop")["both"], ["2", "stop"])

    def test_a_lost_run_is_to_be_started_again(self):
        with self.assertRaisesRegex(RuntimeError, "no run with this key"):
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
