"""What is done to a whole panel at once: steps back and forth, what changed, resets, remedies, items.

Everything here takes what a panel holds and gives what it holds then; nothing here knows a widget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import Node
from ci_notebook.widgets.enhance.controls import ASKED, Held, above, part_at, shown, text_of

# Edits of one control within this time are one step: a drag that paused is undone as a whole.
ONE_STEP_S: Final = 1.0
_MOST_STEPS: Final = 200


class State(NamedTuple):
    """What a panel holds, and the operation whose unknown nodes go with it."""

    held: Held
    kept: Operation


class Steps:
    """The states that a panel was in, to go back to and forth again."""

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self._past: list[State] = []
        self._future: list[State] = []
        self._now, self._clock = state, clock
        self._last: tuple[set[str], float] = (set(), 0.0)

    @property
    def can(self) -> dict[str, bool]:
        """Whether there is a step to undo, and one to redo."""
        return {"undo": bool(self._past), "redo": bool(self._future)}

    def note(self, state: State, *, by_hand: bool = False) -> None:
        """Take down where the panel is now; nothing if it is where it was. A hand's edits may be one step."""
        before = self._now
        if state == before:
            return
        paths, now = _edited(before.held, state.held), self._clock()
        is_same = by_hand and len(paths) == 1 and paths == self._last[0] and now - self._last[1] < ONE_STEP_S
        if not (is_same and self._past):
            self._past = [*self._past[1 - _MOST_STEPS :], before]
        self._future.clear()
        self._now, self._last = state, (paths if by_hand else set(), now)

    def undo(self) -> State:
        """Go back one step, if there is one, and return where the panel then is."""
        return self._go(self._past, self._future)

    def redo(self) -> State:
        """Go forth one step that was undone, if there is one, and return where the panel then is."""
        return self._go(self._future, self._past)

    def _go(self, there: list[State], here: list[State]) -> State:
        if there:
            here.append(self._now)
            self._now = there.pop()
            self._last = (set(), 0.0)
        return self._now


def changes(start: Held, now: Held) -> list[dict[str, str]]:
    """Return each leaf and switch that is not as it was: `path`, `before` and `now` in words.

    A switch is left out where a leaf below it says as much.
    """
    was, is_now = _in_force(start), _in_force(now)
    paths = sorted(path for path in {**was, **is_now} if was.get(path) != is_now.get(path))
    return [
        {"path": path, "before": _word(path, was), "now": _word(path, is_now)}
        for path in paths
        if not any(other.startswith(path + ".") for other in paths)
    ]


def reset(held: Held, start: Held, path: str) -> Held:
    """Return `held` with a leaf, or a node and all below it, as it was at the start.

    Nodes above that were off then, and hold nothing else now, go off.
    """

    def is_below(one: str) -> bool:
        return one == path or one.startswith(path + ".")

    values = {one: text for one, text in held.values.items() if not is_below(one)}
    values |= {one: text for one, text in start.values.items() if is_below(one)}
    on = [one for one in held.on if not is_below(one)] + [one for one in start.on if is_below(one)]
    if any(is_below(one) for one in (*start.values, *start.on)):
        on += [one for one in above(path) if one not in on]
    for one in reversed(above(path)):
        is_empty = not any(other.startswith(one + ".") for other in (*on, *_set(values)))
        if one not in start.on and is_empty:
            on = [other for other in on if other != one]
    return Held(values, on)


def mended(held: Held, fix: Mapping[str, object]) -> Held:
    """Return `held` with a remedy applied: path → value, None to leave out, a node to switch it on as it is."""
    values, on = dict(held.values), list(held.on)
    for path, value in fix.items():
        part = part_at(path)
        if part.node is not None and value is None:
            on = [one for one in on if one != path and not one.startswith(path + ".")]
            continue
        if isinstance(value, Node):
            on.append(path)
        else:
            values[path] = text_of(part, value)
        if value is not None:
            on += above(path)
    return Held(values, list(dict.fromkeys(on)))


def remedy_words(fix: Mapping[str, object]) -> str:
    """Return what a remedy does, in words for its button."""
    words = []
    for path, value in fix.items():
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


def without_item(held: Held, path: str) -> Held:
    """Return `held` without one of repeated nodes, `Watermark.2`; those after it move up."""
    listed, _, number = path.rpartition(".")

    def moved(one: str) -> str | None:
        tags = one.removeprefix(listed + ".").split(".")
        if not one.startswith(listed + ".") or not tags[0].isdigit() or int(tags[0]) < int(number):
            return one
        return None if tags[0] == number else ".".join([listed, str(int(tags[0]) - 1), *tags[1:]])

    values = {there: text for one, text in held.values.items() if (there := moved(one)) is not None}
    return Held(values, [there for one in held.on if (there := moved(one)) is not None])


def replaced(held: Held, operation: Operation, *names: str) -> Held:
    """Return `held` with the named parts of an operation as they are there, and the rest as it is."""
    fresh, names_of = shown(operation), {tag: name for name, tag in ASKED.items()}

    def is_of(path: str) -> bool:
        return names_of.get(path.partition(".")[0], "video_enhance") in names

    values = {path: text for path, text in held.values.items() if not is_of(path)}
    values |= {path: text for path, text in fresh.values.items() if is_of(path)}
    on = [path for path in held.on if not is_of(path)] + [path for path in fresh.on if is_of(path)]
    return Held(values, on)


def _in_force(held: Held) -> dict[str, str]:
    """Return path → text of what counts: below a switch that is off nothing does."""
    on = set(held.on)
    nodes = {path: "on" for path in held.on if on.issuperset(above(path))}
    return nodes | {path: str(text) for path, text in _set(held.values).items() if on.issuperset(above(path))}


def _set(values: Mapping[str, object]) -> dict[str, object]:
    return {path: text for path, text in values.items() if text is not None}


def _word(path: str, texts: Mapping[str, str]) -> str:
    if path in texts:
        return texts[path]
    return "off" if part_at(path).node is not None else "left out"


def _edited(before: Held, now: Held) -> set[str]:
    texts = {path for path in {**before.values, **now.values} if before.values.get(path) != now.values.get(path)}
    return texts | set(before.on) ^ set(now.on)
