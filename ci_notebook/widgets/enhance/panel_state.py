"""Everything that an `EnhancePanel` knows, without a widget: its controls, the operation they describe, the history.

Invariant: after every call, controls, operation and problems agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.paths import resolve, value_at, with_value
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.presets import preset
from ci_notebook.widgets.enhance.controls import (
    BuildResult,
    ControlState,
    above,
    below,
    build,
    state_of,
    text_of,
)
from ci_notebook.widgets.enhance.history import (
    HistoryEntry,
    UndoHistory,
    apply_remedy,
    changes,
    remedy_label,
    replace_parts,
    reset,
    without_item,
)
from ci_notebook.widgets.enhance.other_requests import FindTemplate, StoredSetting
from ci_notebook.widgets.enhance.paste import read_paste
from ci_notebook.widgets.shared.persistence import SavedState

__all__ = ["STATE_ACTIONS", "PanelState", "SavedControls"]


class SavedControls(SavedState):
    """Saves the controls that a panel shows and its last valid controls."""

    def read(self) -> tuple[ControlState, ControlState] | None:
        """Return the last shown and the last valid controls; None if there are none."""
        content = self.load()
        try:
            return (_controls(content["shown"]), _controls(content["good"])) if content else None
        except (ValueError, KeyError, TypeError, IndexError):
            return None  # file of another version: the panel starts fresh and overwrites it

    def write(self, shown: ControlState, valid: ControlState) -> None:
        """Save the shown and the last valid controls."""
        self.save(shown=shown, good=valid)


def _controls(pair: Any) -> ControlState:
    return ControlState(dict(pair[0]), list(pair[1]))


class PanelState:
    """State of one panel. `operation` is the last valid operation, `valid` the controls that describe it.

    `find_template` reads a template of the service; None where there are none. `hdr` names the HDR of the clip.
    """

    def __init__(
        self, start: Operation, controls: ControlState | None = None, valid: ControlState | None = None, *,
        find_template: FindTemplate | None = None, hdr: str = "",
    ) -> None:  # fmt: skip
        self._hdr = hdr
        self._find_template = find_template
        self._stored: StoredSetting | None = None
        self._is_by_template = False
        self._previous = start
        self._start = state_of(start)
        self.controls = controls or self._start
        self.valid = valid or self._start
        self.operation = build(start, *self.valid).operation or start
        self._history = UndoHistory(HistoryEntry(self.controls, start))
        self._result = BuildResult(start, {}, {}, {})
        self._build()

    @property
    def setting(self) -> VideoEnhance:
        """The last valid setting."""
        return self.operation.video_enhance or VideoEnhance()

    @property
    def stored(self) -> StoredSetting | None:
        """The template that holds exactly this setting; None if the setting was changed since it was applied."""
        return self._stored if self._stored and self._stored.setting == self.setting else None

    @property
    def sent(self) -> Operation:
        """The operation that Submit sends: with the id of a template instead of its setting, if that was chosen."""
        stored = self.stored
        if stored is None or not self._is_by_template:
            return self.operation
        changes: dict[str, Any] = {"video_enhance": None, **stored.ids}
        return dataclasses.replace(self.operation, **changes)

    def apply_stored(self, stored: StoredSetting, *, by_template: bool) -> None:
        """Set the controls to a stored setting, and choose whether its id is submitted instead of it."""
        self._stored, self._is_by_template = stored, by_template
        self.replace(video_enhance=stored.setting)

    def submit_by_template(self, is_on: bool) -> None:
        """Choose whether the id of the applied template is submitted instead of its setting."""
        self._is_by_template = is_on

    @property
    def problems(self) -> dict[str, str]:
        """Path → message of each invalid control."""
        return self._result.problems

    def traits(self) -> dict[str, Any]:
        """Return the traits of the panel that show this state."""
        result = self._result
        return {
            "values": self.controls.values,
            "active_nodes": self.controls.active,
            "problems": result.problems,
            "advice": result.advice,
            "remedies": {path: remedy_label(remedy) for path, remedy in result.remedies.items()},
            "changes": changes(self._start, self.controls),
            "history": self._history.available,
            "template": self._template(),
        }

    def _template(self) -> dict[str, Any]:
        stored = self.stored
        ids = ", ".join(stored.ids.values()) if stored else ""
        return {"id": ids, "name": stored.name, "on": self._is_by_template} if stored else {}

    def set_hdr(self, hdr: str) -> None:
        """Say which HDR the clip is, "" for SDR, and check the controls again."""
        if hdr != self._hdr:
            self._hdr = hdr
            self._build()

    def set_controls(self, controls: ControlState, *, by_user: bool = False) -> None:
        """Replace the controls. Quick edits of one control by the user are one step to undo."""
        self.controls = controls
        self._build()
        self._history.record(HistoryEntry(controls, self._previous), by_user=by_user)

    def edit(self, values: Mapping[str, str | None], switches: Mapping[str, bool]) -> None:
        """Apply an edit of the user: texts by path, and nodes that were switched on or off."""
        remaining = [path for path in self.controls.active if switches.get(path, True)]
        added = [path for path, is_on in switches.items() if is_on and path not in remaining]
        self.set_controls(ControlState({**self.controls.values, **values}, remaining + added), by_user=True)

    def replace(self, **named: Any) -> None:
        """Replace these parts of the operation, valid or not; the controls of the others stay."""
        self._previous = dataclasses.replace(self._previous, **named)
        self.set_controls(replace_parts(self.controls, self._previous, *named))

    def set(self, name: str, value: object) -> None:
        """Set one leaf and switch on the nodes above it; None leaves out the leaf and nodes that become empty."""
        leaf = resolve(VideoEnhance, name)
        after = with_value(self.setting, leaf, value)
        present, parents = state_of(after).active, above(leaf.path)
        active = [path for path in self.controls.active if path not in parents]
        active += [path for path in parents if path in present]
        text = text_of(leaf.part, value_at(after, leaf))
        self.set_controls(ControlState({**self.controls.values, leaf.path: text}, active))

    def do(self, action: str, content: Mapping[str, Any]) -> str:
        """Run one of `STATE_ACTIONS` for the page; return a message for the user, or an empty text."""
        return STATE_ACTIONS[action](self, content) or ""

    def mark(self, path: str, message: str) -> None:
        """Show an error of the service at a control until the next edit."""
        self._result = self._result._replace(problems={**self.problems, below(path): message})

    def _build(self) -> None:
        self._result = build(self._previous, *self.controls, hdr=self._hdr)
        if self._result.operation is not None:
            if self._result.operation != self.operation:
                self.operation = self._result.operation
            self.valid = self.controls

    def _go_to(self, entry: HistoryEntry) -> None:
        self._previous = entry.operation
        self.set_controls(entry.controls)

    def _undo(self, _content: Mapping[str, Any]) -> None:
        self._go_to(self._history.undo())

    def _redo(self, _content: Mapping[str, Any]) -> None:
        self._go_to(self._history.redo())

    def _reset(self, content: Mapping[str, Any]) -> None:
        path = content.get("path")
        self.set_controls(self._start if path is None else reset(self.controls, self._start, str(path)))

    def _remedy(self, content: Mapping[str, Any]) -> None:
        if remedy := self._result.remedies.get(str(content["path"])):  # None if the problem is already solved
            self.set_controls(apply_remedy(self.controls, remedy))

    def _remove(self, content: Mapping[str, Any]) -> None:
        self.set_controls(without_item(self.controls, str(content["path"])))

    def _preset(self, content: Mapping[str, Any]) -> str:
        self.replace(video_enhance=preset(str(content["name"])))
        return f"Set to the preset {content['name']}."

    def _paste(self, content: Mapping[str, Any]) -> str:
        pasted = read_paste(str(content["text"]), self.setting, self._find_template)
        if pasted.stored is not None:
            self._stored, self._is_by_template = pasted.stored, True
        self.replace(**pasted.parts)
        return pasted.summary


STATE_ACTIONS: Final[dict[str, Callable[[PanelState, Mapping[str, Any]], str | None]]] = {
    "undo": PanelState._undo, "redo": PanelState._redo, "reset": PanelState._reset, "remedy": PanelState._remedy,
    "remove": PanelState._remove, "preset": PanelState._preset, "paste": PanelState._paste,
}  # fmt: skip
