"""The engine's own tests take its fixtures from where other rooms do."""

from tests.engine.notification_receiver import caller, receiver
from tests.engine_fixtures import call, call_in_process, engine, make_engine, programs, served
from tests.executor_fixtures import cluster, executor, processes

__all__ = [
    "call", "call_in_process", "caller", "cluster", "engine", "executor", "make_engine",
    "processes", "programs", "receiver", "served",
]  # fmt: skip
