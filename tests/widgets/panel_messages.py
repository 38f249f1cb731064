"""Messages that the panel's page sends."""

from __future__ import annotations

import types

import ci_notebook as ci
from ci_notebook.model.api.jobs import Operation, Request
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.wire.xml import loads
from tests.support import send_to_widget

CLIP = types.SimpleNamespace(name="bikes.mp4")
SHARPEN = "MsSharpen.SharpenLevel"


def edit(panel: EnhancePanel, values: dict[str, str | None], on: list[str] | None = None) -> None:
    """Do what the front end does: send what was changed. `on` is all that is on then; None leaves it."""
    send_to_widget(panel, {"do": "edit", "view": "v", "edit": edited(panel, values, on)})


def edited(panel: EnhancePanel, values: dict[str, str | None], on: list[str] | None = None) -> dict[str, object]:
    """Return an edit as it travels."""
    was = panel.active_nodes
    switched = {} if on is None else {path: path in on for path in [*on, *was] if (path in on) != (path in was)}
    return {"number": panel.acknowledged_edits.get("v", 0) + 1, "values": values, "nodes": switched}


def do(panel: EnhancePanel, deed: str, /, **more: object) -> None:
    """Send what a button sends."""
    send_to_widget(panel, {"do": deed, **more})


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
    send_to_widget(panel, {"do": "submit", "press": token})
