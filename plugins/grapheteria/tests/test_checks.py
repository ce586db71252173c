"""Mistakes are told when the configuration is loaded."""

import os

from gateway_engine import ConfigError, Problem
from grapheteria_engine.engine import GrapheteriaEngine

from .base import EngineTest


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
