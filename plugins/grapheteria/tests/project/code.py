"""Workflows in code."""

from grapheteria import WorkflowEngine
from nodes import Ask, Count, Greet


def greeting():
    greet, again = Greet(id="greet"), Greet(id="again")
    greet > again
    return [greet, again]


def started():
    skipped, greet = Count(id="skipped"), Greet(id="greet")
    skipped > greet
    return [skipped, greet], greet


def asking():
    greet, ask = Greet(id="greet"), Ask(id="ask")
    greet > ask
    return WorkflowEngine(nodes=[greet, ask], start=greet)


def random_ids():
    return [Greet()]
