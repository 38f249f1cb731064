"""G9 and G10: what the panel costs the kernel, beside as many plain ipywidgets. Prints; asserts nothing.

Run: python -m tests.benchmarks.bench_panel
"""

from __future__ import annotations

import json
import statistics
import time
import types
from collections.abc import Callable
from contextlib import contextmanager

import comm
import ipywidgets
from comm.base_comm import BaseComm

from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.widgets.panel import EnhancePanel
from ci_notebook.widgets.schema import schema
from ci_notebook.wire.xml import dumps

ROUNDS = 20
LAB = types.SimpleNamespace(xml=lambda setting: dumps(setting, pretty=True).decode(), state_dir=None)
CLIP = types.SimpleNamespace(name="clip.mp4")
SHARPEN = "MsSharpen.SharpenLevel"


@contextmanager
def recorded():
    """Count what would go to the front end, as JSON, as a kernel would send it."""
    sent: list[int] = []

    class Recording(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            sent.append(len(json.dumps([data, metadata, keys], default=str)))

    before, comm.create_comm = comm.create_comm, Recording
    try:
        yield sent
    finally:
        comm.create_comm = before


def cpu_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return min(times)


def count(stages) -> int:
    return sum(len(stage["leaves"]) + count(stage["groups"]) for stage in stages)


def plain(controls: int) -> ipywidgets.Widget:
    """Return the peer: a slider and a label for each control, as ipywidgets makes them by default."""
    return ipywidgets.VBox([ipywidgets.IntSlider(description=f"leaf {number}") for number in range(controls)])


def report_build() -> None:
    start = time.process_time()
    EnhancePanel(LAB, CLIP)
    print(f"G9   ours, the first in a process {1000 * (time.process_time() - start):8.1f} ms CPU")
    leaves = count(schema(VideoEnhance))
    for name, build in (
        (f"ours, {leaves} controls", lambda: EnhancePanel(LAB, CLIP)),
        ("ipywidgets, 40 controls", lambda: plain(40)),
        (f"ipywidgets, {leaves} controls", lambda: plain(leaves)),
    ):
        with recorded() as sent:
            build()
            print(f"G9   {name:28} {cpu_ms(build):7.1f} ms CPU  ", end="")
            once = len(sent) // (ROUNDS + 1)
            print(f"{once:4} messages  {sum(sent) / (ROUNDS + 1) / 1000:7.1f} kB")
    print("     target: at most 60 ms, 100 messages, 130 kB")
    ipywidgets.Widget.close_all()


def report_change() -> None:
    with recorded() as sent:
        panel = EnhancePanel(LAB, CLIP)
        panel.set_state({"on": ["MsSharpen", "ColorEnhance"]})
        times = []
        sent.clear()
        for number in range(200):
            start = time.perf_counter()
            panel.set_state({"values": {SHARPEN: str(number % 11)}})
            times.append(1000 * (time.perf_counter() - start))
        messages, size = len(sent) / 200, sum(sent) / 200
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"G10  change to XML and Python: median {statistics.median(times):.2f} ms, p95 {p95:.2f} ms, ", end="")
        print(f"{messages:.1f} messages (echo included), {size:.0f} bytes; target p95 at most 12 ms")
        start = time.perf_counter()
        for number in range(50):
            panel.set_state({"values": {SHARPEN: str(number % 11)}})
        burst = 1000 * (time.perf_counter() - start)
        assert panel.value.ms_sharpen.sharpen_level == 49 % 11
        print(f"G10  a burst of 50 changes: {burst:.0f} ms; target at most 300 ms")
        panel.close()


if __name__ == "__main__":
    report_build()
    report_change()
