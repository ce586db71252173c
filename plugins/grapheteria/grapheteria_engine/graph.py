"""The workflows of a project: found, checked, and built. Runs in workers only."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from contextlib import suppress
from typing import Any, Iterator

import grapheteria

# Of the constructor that this engine was written for. Other lines of
# Grapheteria keep workflows elsewhere and hand other arguments to nodes.
_CONSTRUCTOR = {
    "self", "workflow_path", "workflow_id", "run_id", "resume_from", "fork",
    "storage_backend", "initial_shared_state", "nodes", "start",
}

_SKIP = {"node_modules", "venv", "__pycache__", "logs"}
MAX_FILES = 1000
MAX_FILE = 1 << 20  # bytes of one workflow


class Broken(Exception):
    """A workflow, or a module of nodes, that can't be used."""


def check_version() -> None:
    """Refuse a Grapheteria of another line."""
    have = set(inspect.signature(grapheteria.WorkflowEngine.__init__).parameters)
    if have != _CONSTRUCTOR:
        names = ", ".join(sorted(have ^ _CONSTRUCTOR))
        raise Broken(f"this Grapheteria is of another line (its WorkflowEngine differs in: {names}): "
                     "install the one that `make plugins/grapheteria` does")


class Discard(grapheteria.StorageBackend):
    """Storage for engines that somebody makes on the side.

    Grapheteria's default writes pickles to ./logs as soon as an engine is made.
    """

    def save_state(self, workflow_id: str, run_id: str, save_data: dict) -> None: ...

    def load_state(self, workflow_id: str, run_id: str) -> dict | None: ...


class Project:
    """A folder of workflows."""

    def __init__(self, folder: str, nodes: list[str], workflows: dict[str, str]) -> None:
        self.folder, self.nodes, self.factories = folder, nodes, workflows
        grapheteria.FileSystemStorage = Discard

    def load(self) -> None:
        """Import the modules of nodes. They register themselves by bare class name."""
        for i, module in enumerate(self.nodes):
            before = dict(grapheteria._NODE_REGISTRY)
            try:
                importlib.import_module(module)
            except Exception as error:
                raise Broken(f"nodes.{i}: import {module}: {type(error).__name__}: {error}") from error
            for name, old in before.items():
                new = grapheteria._NODE_REGISTRY[name]
                if new is not old:
                    raise Broken(f'nodes.{i}: class "{name}" is in {old.__module__} and in {new.__module__}: '
                                 "Grapheteria tells nodes apart by their bare name, rename one")
        for factory in self.factories.values():
            with suppress(Exception):  # told of the workflow, by describe
                importlib.import_module(factory.partition(":")[0])

    def files(self) -> list[str]:
        """The project's modules that are loaded: when one changes, so must this process."""
        inside = os.path.join(self.folder, "")
        loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        return sorted({path for path in loaded if path and path.startswith(inside)})

    def describe(self) -> dict[str, list[str]]:
        """All workflows, each with what is wrong with it."""
        found = {name: self._check_factory(name) for name in self.factories}
        for name, path in self._json_files():
            if name in found:
                found[name].append(f"there is another workflow of this name beside {path}")
            elif (data := self._read(path)) is not None:
                found[name] = check(data)
        return found

    def build(self, name: str, **options: Any) -> grapheteria.WorkflowEngine:
        """A new engine on a workflow. Its graph is read anew each time."""
        if name in self.factories:
            nodes, start = self._call(name)
            return grapheteria.WorkflowEngine(nodes=nodes, start=start, workflow_id=name, **options)
        for found, path in self._json_files():
            if found == name:
                data = self._read(path)
                problems = check(data) if data is not None else ["no nodes"]
                if problems:
                    raise Broken(f"{path}: {problems[0]}")
                return grapheteria.WorkflowEngine(workflow_path=os.path.join(self.folder, path), **options)
        raise Broken(f'no workflow "{name}"')

    def _json_files(self) -> Iterator[tuple[str, str]]:
        """Each JSON file under the folder: a/b.json is called a.b. Links are not followed."""
        count = 0
        for folder, folders, files in os.walk(self.folder):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIP)
            for file in sorted(files):
                if file.endswith(".json") and not file.startswith("."):
                    path = os.path.relpath(os.path.join(folder, file), self.folder)
                    yield path[: -len(".json")].replace(os.sep, "."), path
                    count += 1
                    if count == MAX_FILES:
                        return

    def _read(self, path: str) -> Any:
        """A workflow; None for a file that is something else; a text about a broken one."""
        full = os.path.join(self.folder, path)
        try:
            if os.path.getsize(full) > MAX_FILE:
                return None
            with open(full, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError, RecursionError) as error:
            return f"not JSON: {error}"
        return data if isinstance(data, dict) and "nodes" in data else None

    def _check_factory(self, name: str) -> list[str]:
        """Random ids, which nodes have by default, would be others after a restart."""
        try:
            first, second = ([n.id for n in self._call(name)[0]] for _ in range(2))
        except Exception as error:
            return [f"{self.factories[name]}: {type(error).__name__}: {error}"]
        if first != second:
            return ["the ids of the nodes are other ones at each start, so that no run could be resumed: "
                    "give each node an id"]
        if len(set(first)) != len(first):
            return ["two nodes have the same id"]
        return []

    def _call(self, name: str) -> tuple[list[Any], Any]:
        """The nodes that a factory makes, and where they start."""
        module, _, attribute = self.factories[name].partition(":")
        made: Any = importlib.import_module(module)
        for part in attribute.split("."):
            made = getattr(made, part)
        made = made() if callable(made) else made
        start = None
        if isinstance(made, grapheteria.WorkflowEngine):
            made, start = list(made.nodes.values()), made.nodes[made.start_node_id]
        elif isinstance(made, tuple):
            made, start = made
        if not made or not all(isinstance(node, grapheteria.Node) for node in made):
            raise Broken("want a list of nodes, (nodes, start) or a WorkflowEngine")
        return list(made), start


def check(data: Any) -> list[str]:
    """What is wrong with a JSON workflow: Grapheteria itself would find out in a run, if at all."""
    if isinstance(data, str):
        return [data]
    nodes, edges = data.get("nodes"), data.get("edges", [])
    if not isinstance(nodes, list) or not nodes or not isinstance(edges, list):
        return ["want a list of nodes, not empty, and a list of edges"]
    ids, problems = set(), []
    for i, node in enumerate(nodes):
        problems += [f"nodes[{i}]: {text}" for text in _check_node(node, ids)]
    if problems:
        return problems
    pairs: set[tuple[Any, Any]] = set()
    for i, edge in enumerate(edges):
        problems += [f"edges[{i}]: {text}" for text in _check_edge(edge, ids, pairs)]
    if data.get("start") and data["start"] not in ids:
        problems.append(f'start: no node "{data["start"]}"')
    if not isinstance(data.get("initial_state") or {}, dict):
        problems.append("initial_state: want keys and values")
    return problems


def _check_node(node: Any, ids: set[str]) -> Iterator[str]:
    if not isinstance(node, dict) or not isinstance(node.get("id"), str) or not isinstance(node.get("class"), str):
        yield "want an id and a class"
        return
    if node["id"] in ids:
        yield f'a second node "{node["id"]}"'
    ids.add(node["id"])
    if node["class"] not in grapheteria._NODE_REGISTRY:
        known = ", ".join(sorted(grapheteria._NODE_REGISTRY)) or "none"
        yield f'no class "{node["class"]}" in the modules of `nodes:`; there are: {known}'
    for key in ("max_retries", "wait"):
        if key in node:
            yield f"{key}: Grapheteria does not read it from JSON; set it in the class"


def _check_edge(edge: Any, ids: set[str], pairs: set[tuple[Any, Any]]) -> Iterator[str]:
    if not isinstance(edge, dict) or not isinstance(edge.get("from"), str) or not isinstance(edge.get("to"), str):
        yield "want from and to"
        return
    for end in ("from", "to"):
        if edge[end] not in ids:
            yield f'{end}: no node "{edge[end]}"'
    pair = (edge["from"], edge["to"])
    if pair in pairs:
        yield f"a second edge from {pair[0]} to {pair[1]}, which would replace the first: join the conditions with `or`"
    pairs.add(pair)
    condition = edge.get("condition", "")
    if not isinstance(condition, str):
        yield "condition: want a Python expression as text"
    elif condition:
        try:
            compile(condition, "condition", "eval")
        except (SyntaxError, ValueError) as error:
            yield f"condition {condition!r}: {error}"
