"""Grapheteria workflows for the event gateway.

Two kinds of processes: the engine (`engine`, `pool`), which speaks with the
gateway and never imports Grapheteria or a project's nodes, and its workers
(`worker`, `graph`, `drive`), which do, one run at a time each. They meet in the
record of a run (`records`), which only the worker that holds its lock writes.
"""

VERSION = "1"
