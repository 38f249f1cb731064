"""What the front end's hand does: it sets whole traits and sends messages."""

from __future__ import annotations

import types

from ci_notebook.widgets.panel import EnhancePanel

CLIP = types.SimpleNamespace(name="bikes.mp4")
SHARPEN = "MsSharpen.SharpenLevel"


def edit(panel: EnhancePanel, values: dict[str, str | None], on: list[str] | None = None) -> None:
    """Do what the front end does: set the whole of both traits in one message."""
    state = {"values": {**panel.values, **values}, "on": panel.on if on is None else on}
    panel.set_state(state)


def press(panel: EnhancePanel, token: str) -> None:
    panel._handle_custom_msg({"do": "submit", "press": token, "values": panel.values, "on": panel.on}, [])
