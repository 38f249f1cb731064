"""The engine's own tests take its fixtures from where other rooms do."""

from tests.engine.telling import caller, receiver
from tests.fixtures_crews import cluster, executor, processes
from tests.fixtures_engine import call, call_in_process, clip, engine, make_clip, make_engine, programs, served

__all__ = [
    "call", "call_in_process", "caller", "clip", "cluster", "engine", "executor", "make_clip", "make_engine",
    "processes", "programs", "receiver", "served",
]  # fmt: skip
