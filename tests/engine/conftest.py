"""The engine's own tests take its fixtures from where other rooms do."""

from tests.engine.notification_receiver import caller, receiver
from tests.engine_fixtures import call, call_in_process, clip, engine, make_clip, make_engine, programs, served
from tests.executor_fixtures import cluster, executor, processes

__all__ = [
    "call", "call_in_process", "caller", "clip", "cluster", "engine", "executor", "make_clip", "make_engine",
    "processes", "programs", "receiver", "served",
]  # fmt: skip
