"""Traits that an `EnhancePanel` shares with its page, and the bundle of its JavaScript and CSS."""

from __future__ import annotations

from typing import Any, Final

import traitlets

from ci_notebook.widgets.shared.base_view import BaseView, joined

__all__ = ["PanelTraits"]

_MAX_VIEWS: Final = 20
_SCRIPTS: Final = (
    "shared/dom.js", "shared/mount.js", "enhance/js/export.js", "enhance/js/controls.js", "enhance/js/groups.js",
    "enhance/js/toolbar.js", "shared/wipe.js", "files/take_away.js", "preview/pane.js", "enhance/js/panel.js",
)  # fmt: skip
_STYLES: Final = (
    "shared/base.css", "shared/mount.css", "shared/wipe.css", "files/take_away.css", "preview/pane.css",
    "enhance/js/panel.css",
)  # fmt: skip


class PanelTraits(BaseView):
    """The traits of a panel, and the methods by which its threads set them."""

    _esm = joined(*_SCRIPTS)
    _css = joined(*_STYLES)

    title = traitlets.Unicode().tag(sync=True)
    clip_line = traitlets.Unicode(help="Size, frame rate, length, codec, dynamic range and sound.").tag(sync=True)
    schema: traitlets.List[dict[str, Any]] = traitlets.List(help="Every control (see `schema`).").tag(sync=True)
    presets: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    templates: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    template = traitlets.Dict(
        help="The template that holds exactly this setting: id, name, and whether its id is submitted; empty without."
    ).tag(sync=True)
    values = traitlets.Dict(help="Path → text of a leaf; missing or None where it is left out.").tag(sync=True)
    active_nodes: traitlets.List[str] = traitlets.List(help="Paths of the nodes that are on.").tag(sync=True)
    acknowledged_edits = traitlets.Dict(
        help="View → number of its last edit that is included in `values` and `active_nodes`."
    ).tag(sync=True)
    python = traitlets.Unicode().tag(sync=True)
    xml = traitlets.Unicode().tag(sync=True)
    problems = traitlets.Dict(help="Path → message.").tag(sync=True)
    advice = traitlets.Dict(help="Path → advice.").tag(sync=True)
    remedies = traitlets.Dict(help="Path → label of the button that applies the remedy.").tag(sync=True)
    changes: traitlets.List[dict[str, str]] = traitlets.List(help="Differences from the start.").tag(sync=True)
    history = traitlets.Dict(help="Whether `undo` and `redo` are possible.").tag(sync=True)
    features: traitlets.List[str] = traitlets.List(
        help="Optional features of the lab: price, templates, curl, preview."
    ).tag(sync=True)
    price = traitlets.Dict(help="Price of one job with this setting.").tag(sync=True)
    job_changes = traitlets.Dict(help="Changes and losses by a job that the setting does not name: lines, note.").tag(
        sync=True
    )
    message = traitlets.Dict(help="Answer to the last action: text, error, action, number.").tag(sync=True)
    status = traitlets.Dict().tag(sync=True)
    result_files: traitlets.List[dict[str, str]] = traitlets.List(
        help="Item and file name of each result that can be played and saved, newest first."
    ).tag(sync=True)

    def _show_status(self, status: dict[str, Any]) -> None:
        self.status = status

    def _show_templates(self, rows: list[dict[str, str]]) -> None:
        self.templates = rows

    def _show_clip_line(self, lines: list[str]) -> None:
        self.clip_line = lines[0]

    def _show_price(self, price: dict[str, Any]) -> None:
        self.price = price

    def _show_job_changes(self, changes: dict[str, Any]) -> None:
        self.job_changes = changes

    def _acknowledge(self, view: str, number: int) -> None:
        """Acknowledge an edit of a view. Only the last 20 views are remembered."""
        others = (entry for entry in self.acknowledged_edits.items() if entry[0] != view)
        self.acknowledged_edits = dict([*others, (view, number)][-_MAX_VIEWS:])

    def _show_message(self, text: str = "", error: str = "", action: str = "") -> None:
        # The number makes a repeated message a change, so that it is sent again.
        number = int(self.message.get("number", 0)) + 1
        self.message = {"text": text, "error": error, "action": action, "number": number}
