"""What the front end's hand does: it sets whole traits and sends messages."""

from __future__ import annotations

import types

import ci_notebook as ci
from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.model.jobs import Operation, Request
from ci_notebook.widgets.panel import EnhancePanel
from ci_notebook.wire.xml import loads

CLIP = types.SimpleNamespace(name="bikes.mp4")
SHARPEN = "MsSharpen.SharpenLevel"


def edit(panel: EnhancePanel, values: dict[str, str | None], on: list[str] | None = None) -> None:
    """Do what the front end does: set the whole of both traits in one message."""
    state = {"values": {**panel.values, **values}, "on": panel.on if on is None else on}
    panel.set_state(state)


def do(panel: EnhancePanel, deed: str, /, **more: object) -> None:
    """Send what a button sends: what to do, and the edits that may still be on their way."""
    panel._handle_custom_msg({"do": deed, **more, "values": panel.values, "on": panel.on}, [])


def all_agree(panel: EnhancePanel) -> bool:
    """Say whether the panel, its Python and its XML stand for the same."""
    lab = types.SimpleNamespace(submit=lambda clip, setting, **marks: Operation(video_enhance=setting, **marks))
    made = eval(panel.python, {"ci": ci, "lab": lab, "clip": None})  # noqa: S307  that it is Python is what is tested
    by_python = made if isinstance(made, Operation) else Operation(video_enhance=made)
    if panel.watermarks or panel.digital_watermark:
        by_xml = loads(Request, panel.xml.encode()).operation
    else:
        by_xml = Operation(video_enhance=loads(VideoEnhance, panel.xml.encode()))
    held = (panel.value, panel.watermarks, panel.digital_watermark)
    return held == parts_of(by_python) == parts_of(by_xml)


def parts_of(operation: Operation) -> tuple[object, ...]:
    return operation.video_enhance, operation.watermark, operation.digital_watermark


def press(panel: EnhancePanel, token: str) -> None:
    panel._handle_custom_msg({"do": "submit", "press": token, "values": panel.values, "on": panel.on}, [])
