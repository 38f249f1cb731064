"""Changes of a whole panel: undo and redo, list of changes, reset, remedies, and items of repeated nodes.

All functions take the state of the controls and return a new state. Nothing here knows a widget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import Node
from ci_notebook.widgets.enhance.controls import PANEL_PARTS, ControlState, above, part_at, state_of, text_of

__all__ = [
    "ONE_STEP_S",
    "HistoryEntry",
    "UndoHistory",
    "apply_remedy",
    "changes",
    "remedy_label",
    "replace_parts",
    "reset",
    "without_item",
]

# Edits of one control within this time are one step, so that a drag that paused is undone as a whole.
ONE_STEP_S: Final = 1.0
_MAX_STEPS: Final = 200


class HistoryEntry(NamedTuple):
    """The controls of a panel, and the operation whose unknown nodes belong to them."""

    controls: ControlState
    operation: Operation


class UndoHistory:
    """Undo and redo of a panel's states, at most 200 steps."""

    def __init__(self, entry: HistoryEntry, clock: Callable[[], float] = time.monotonic) -> None:
        self._past: list[HistoryEntry] = []
        self._future: list[HistoryEntry] = []
        self._current, self._clock = entry, clock
        self._last_edit: tuple[set[str], float] = (set(), 0.0)

    @property
    def available(self) -> dict[str, bool]:
        """Whether there is a step to undo, and one to redo."""
        return {"undo": bool(self._past), "redo": bool(self._future)}

    def record(self, entry: HistoryEntry, *, by_user: bool = False) -> None:
        """Record a new state; do nothing if nothing changed. Quick edits of one control by the user are one step."""
        before = self._current
        if entry == before:
            return
        paths, now = _edited(before.controls, entry.controls), self._clock()
        is_same = by_user and len(paths) == 1 and paths == self._last_edit[0] and now - self._last_edit[1] < ONE_STEP_S
        if not (is_same and self._past):
            self._past = [*self._past[1 - _MAX_STEPS :], before]
        self._future.clear()
        self._current, self._last_edit = entry, (paths if by_user else set(), now)

    def undo(self) -> HistoryEntry:
        """Go back one step, if there is one, and return the state."""
        return self._move(self._past, self._future)

    def redo(self) -> HistoryEntry:
        """Repeat the last undone step, if there is one, and return the state."""
        return self._move(self._future, self._past)

    def _move(self, source: list[HistoryEntry], target: list[HistoryEntry]) -> HistoryEntry:
        if source:
            target.append(self._current)
            self._current = source.pop()
            self._last_edit = (set(), 0.0)
        return self._current


def changes(start: ControlState, current: ControlState) -> list[dict[str, str]]:
    """Return each changed leaf and switch: `path`, `before` and `now` in words.

    A switch is left out if a leaf below it has changed too.
    """
    was, is_now = _effective(start), _effective(current)
    paths = sorted(path for path in {**was, **is_now} if was.get(path) != is_now.get(path))
    return [
        {"path": path, "before": _word(path, was), "now": _word(path, is_now)}
        for path in paths
        if not any(other.startswith(path + ".") for other in paths)
    ]


def reset(state: ControlState, start: ControlState, path: str) -> ControlState:
    """Return `state` with a leaf, or a node and everything below it, as in `start`.

    Nodes above it that were off at the start and are empty now are switched off.
    """

    def is_below(other: str) -> bool:
        return other == path or other.startswith(path + ".")

    values = {other: text for other, text in state.values.items() if not is_below(other)}
    values |= {other: text for other, text in start.values.items() if is_below(other)}
    active = [other for other in state.active if not is_below(other)]
    active += [other for other in start.active if is_below(other)]
    if any(is_below(other) for other in (*start.values, *start.active)):
        active += [parent for parent in above(path) if parent not in active]
    for parent in reversed(above(path)):
        is_empty = not any(other.startswith(parent + ".") for other in (*active, *_set(values)))
        if parent not in start.active and is_empty:
            active = [other for other in active if other != parent]
    return ControlState(values, active)


def apply_remedy(state: ControlState, remedy: Mapping[str, object]) -> ControlState:
    """Return `state` with a remedy applied: path → value, None to leave out, a node to switch it on as it is."""
    values, active = dict(state.values), list(state.active)
    for path, value in remedy.items():
        part = part_at(path)
        if part.node is not None and value is None:
            active = [other for other in active if other != path and not other.startswith(path + ".")]
            continue
        if isinstance(value, Node):
            active.append(path)
        else:
            values[path] = text_of(part, value)
        if value is not None:
            active += above(path)
    return ControlState(values, list(dict.fromkeys(active)))


def remedy_label(remedy: Mapping[str, object]) -> str:
    """Return the label of the button that applies a remedy."""
    words = []
    for path, value in remedy.items():
        tags = [tag for tag in path.split(".") if not tag.isdigit()]
        part = part_at(path)
        if value is None:
            words.append(f"leave {tags[-1]} out")
        elif isinstance(value, Node):
            words.append(f"keep {tags[-1]}")
        else:
            words.append(f"{tags[-1]} {text_of(part, value)}")
    text = ", ".join(words)
    return text if words and text.startswith(("leave", "keep")) else f"set {text}"


def without_item(state: ControlState, path: str) -> ControlState:
    """Return `state` without one of several repeated nodes, `Watermark.2`; later ones move up."""
    parent, _, number = path.rpartition(".")

    def moved(other: str) -> str | None:
        tags = other.removeprefix(parent + ".").split(".")
        if not other.startswith(parent + ".") or not tags[0].isdigit() or int(tags[0]) < int(number):
            return other
        return None if tags[0] == number else ".".join([parent, str(int(tags[0]) - 1), *tags[1:]])

    values = {target: text for other, text in state.values.items() if (target := moved(other)) is not None}
    return ControlState(values, [target for other in state.active if (target := moved(other)) is not None])


def replace_parts(state: ControlState, operation: Operation, *names: str) -> ControlState:
    """Return `state` with the named parts taken from an operation."""
    source, names_by_tag = state_of(operation), {tag: name for name, tag in PANEL_PARTS.items()}

    def is_replaced(path: str) -> bool:
        return names_by_tag.get(path.partition(".")[0], "video_enhance") in names

    values = {path: text for path, text in state.values.items() if not is_replaced(path)}
    values |= {path: text for path, text in source.values.items() if is_replaced(path)}
    active = [path for path in state.active if not is_replaced(path)]
    active += [path for path in source.active if is_replaced(path)]
    return ControlState(values, active)


def _effective(state: ControlState) -> dict[str, str]:
    """Return path → text of everything that has an effect: nothing below a switch that is off has one."""
    active = set(state.active)
    nodes = {path: "on" for path in state.active if active.issuperset(above(path))}
    return nodes | {path: str(text) for path, text in _set(state.values).items() if active.issuperset(above(path))}


def _set(values: Mapping[str, object]) -> dict[str, object]:
    return {path: text for path, text in values.items() if text is not None}


def _word(path: str, texts: Mapping[str, str]) -> str:
    if path in texts:
        return texts[path]
    return "off" if part_at(path).node is not None else "left out"


def _edited(before: ControlState, after: ControlState) -> set[str]:
    texts = {path for path in {**before.values, **after.values} if before.values.get(path) != after.values.get(path)}
    return texts | set(before.active) ^ set(after.active)
