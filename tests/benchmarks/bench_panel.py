"""G9 and G10: cost of the panel in the kernel, compared with as many plain ipywidgets. Prints; asserts nothing.

Run: python -m tests.benchmarks.bench_panel
"""

from __future__ import annotations

import json
import statistics
import time
import types
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import comm
import ipywidgets
from comm.base_comm import BaseComm

from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.presets import preset
from ci_notebook.model.setting.watermark import Text, Watermark
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.enhance.schema import schema, stages
from ci_notebook.wire.xml import dumps
from tests.widgets.panel_messages import edit

ROUNDS = 20
LAB = types.SimpleNamespace(
    xml=lambda setting: dumps(setting, pretty=True).decode(),
    request=lambda clip, setting, **marks: enhance_request("a.mp4", setting, bucket="b", region="r", **marks),
    **dict.fromkeys(("state_dir", "engine", "price", "templates", "previews", "clip_facts", "job_durations")),
    bucket="", region="",
)  # fmt: skip
WORDS = Text(text="demo", font_size=20, font_type="arial.ttf", font_color="0xFFFFFF", transparency=80)
MARK = Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=4, dy=4, text=WORDS)
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


def count(groups) -> int:
    return sum(len(group["leaves"]) + count(group["groups"]) for group in groups)


def plain(controls: int) -> ipywidgets.Widget:
    """Return the peer: a slider and a label for each control, as ipywidgets makes them by default."""
    return ipywidgets.VBox([ipywidgets.IntSlider(description=f"leaf {number}") for number in range(controls)])


def report_build() -> None:
    start = time.process_time()
    EnhancePanel(LAB, CLIP)
    print(f"G9   ours, the first in a process {1000 * (time.process_time() - start):8.1f} ms CPU")
    leaves = count(stages())
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


def everything() -> dict[str, object]:
    """Return what the controls hold with every stage and node of a setting on and three marks."""
    with_all = EnhancePanel(LAB, CLIP, preset("Restore SD"))
    with_all.watermarks = [MARK] * 3
    nodes = [group["path"] for group in walked(schema(VideoEnhance)) if "#" not in group["path"]]
    taken = [path for path in nodes if not path.startswith(("Transcode.AudioMix", "Transcode.TransConfig"))]
    return {"values": with_all.values, "on": [*dict.fromkeys([*with_all.active_nodes, *taken])]}


def walked(groups):
    for group in groups:
        yield group
        yield from walked(group["groups"])


def report_change(name: str, state: dict[str, Any]) -> None:
    with recorded() as sent:
        panel = EnhancePanel(LAB, CLIP)
        edit(panel, state["values"], state["on"])
        assert not set(panel.problems) - {"SDRtoHDR.HdrMode"}, panel.problems
        edit(panel, {"SDRtoHDR.HdrMode": "HLG"})
        times = []
        sent.clear()
        for number in range(200):
            start = time.perf_counter()
            edit(panel, {SHARPEN: str(number % 11)})
            times.append(1000 * (time.perf_counter() - start))
        messages, size = len(sent) / 200, sum(sent) / 200
        p95 = statistics.quantiles(times, n=20)[-1]
        print(
            f"G10  {name}: change to XML and Python: median {statistics.median(times):.2f} ms, p95 {p95:.2f} ms, ",
            end="",
        )
        print(f"{messages:.1f} messages, {size:.0f} bytes; target p95 at most 12 ms")
        start = time.perf_counter()
        for number in range(50):
            edit(panel, {SHARPEN: str(number % 11)})
        burst = 1000 * (time.perf_counter() - start)
        assert panel.value.ms_sharpen.sharpen_level == 49 % 11
        print(f"G10  {name}: a burst of 50 changes: {burst:.0f} ms; target at most 300 ms")
        panel.close()


if __name__ == "__main__":
    report_build()
    report_change("two stages on", {"values": {}, "on": ["MsSharpen", "ColorEnhance"]})
    report_change("everything on", everything())
