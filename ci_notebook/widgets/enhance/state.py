"""All that a panel knows without being one: what its controls hold, what that stands for, and how it got there.

The rule of this file: after every call what is held, what is asked and what is refused agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.paths import resolve, value_at, with_value
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.presets import preset
from ci_notebook.widgets.enhance.controls import Built, Held, above, asked, below, build, shown, text_of
from ci_notebook.widgets.enhance.history import (
    State,
    Steps,
    changes,
    mended,
    remedy_words,
    replaced,
    reset,
    without_item,
)
from ci_notebook.widgets.enhance.paste import read_paste


class Sheet:
    """What one panel asks for. `asked` is the last operation in which nothing was refused, `good` what held it."""

    def __init__(self, start: Operation, held: Held | None = None, good: Held | None = None) -> None:
        self._kept = start
        self._start = shown(start)
        self.held = held or self._start
        self.good = good or self._start
        self.asked = build(start, *self.good).made or start
        self._steps = Steps(State(self.held, start))
        self._built = Built(start, {}, {}, {})
        self._judge()

    @property
    def setting(self) -> VideoEnhance:
        """The last setting in which nothing was refused."""
        return self.asked.video_enhance or VideoEnhance()

    @property
    def problems(self) -> dict[str, str]:
        """Path → message of what is refused."""
        return self._built.problems

    def traits(self) -> dict[str, Any]:
        """Return what a panel shows of it."""
        built = self._built
        return {
            "values": self.held.values,
            "on": self.held.on,
            "problems": built.problems,
            "advice": built.advice,
            "remedies": {path: remedy_words(fix) for path, fix in built.fixes.items()},
            "changes": changes(self._start, self.held),
            "can": self._steps.can,
        }

    def hold(self, held: Held, *, by_hand: bool = False) -> None:
        """Hold this instead; what a hand does to one control in quick succession is one step to undo."""
        self.held = held
        self._judge()
        self._steps.note(State(held, self._kept), by_hand=by_hand)

    def edit(self, values: Mapping[str, str | None], on: Mapping[str, bool]) -> None:
        """Take what a hand did: texts by path, and nodes that went on or off."""
        left = [path for path in self.held.on if on.get(path, True)]
        there = [path for path, is_on in on.items() if is_on and path not in left]
        self.hold(Held({**self.held.values, **values}, left + there), by_hand=True)

    def take(self, **named: Any) -> None:
        """Take these parts of an operation, good or not, and leave the others as their controls stand."""
        self._kept = dataclasses.replace(self._kept, **named)
        self.hold(replaced(self.held, self._kept, *named))

    def set(self, name: str, value: object) -> None:
        """Set one leaf of the setting and switch on the nodes above it; None leaves it and empty nodes out."""
        leaf = resolve(VideoEnhance, name)
        after = with_value(self.setting, leaf, value)
        there, over = shown(asked(after)).on, above(leaf.path)
        on = [path for path in self.held.on if path not in over] + [path for path in over if path in there]
        self.hold(Held({**self.held.values, leaf.path: text_of(leaf.part, value_at(after, leaf))}, on))

    def do(self, what: str, content: Mapping[str, Any]) -> str:
        """Do one of `DEEDS` as the front end asked; return what there is to say of it."""
        return DEEDS[what](self, content) or ""

    def refuse(self, path: str, message: str) -> None:
        """Mark what the service refused, until the next edit."""
        self._built = self._built._replace(problems={**self.problems, below(path): message})

    def _judge(self) -> None:
        self._built = build(self._kept, *self.held)
        if self._built.made is not None:
            if self._built.made != self.asked:
                self.asked = self._built.made
            self.good = self.held

    def _go(self, state: State) -> None:
        self._kept = state.kept
        self.hold(state.held)

    def _undo(self, _content: Mapping[str, Any]) -> None:
        self._go(self._steps.undo())

    def _redo(self, _content: Mapping[str, Any]) -> None:
        self._go(self._steps.redo())

    def _reset(self, content: Mapping[str, Any]) -> None:
        path = content.get("path")
        self.hold(self._start if path is None else reset(self.held, self._start, str(path)))

    def _remedy(self, content: Mapping[str, Any]) -> None:
        if fix := self._built.fixes.get(str(content["path"])):  # else it was mended meanwhile
            self.hold(mended(self.held, fix))

    def _remove(self, content: Mapping[str, Any]) -> None:
        self.hold(without_item(self.held, str(content["path"])))

    def _preset(self, content: Mapping[str, Any]) -> str:
        self.take(video_enhance=preset(str(content["name"])))
        return f"Set to the preset {content['name']}."

    def _paste(self, content: Mapping[str, Any]) -> str:
        taken = read_paste(str(content["text"]), self.setting)
        self.take(**taken.parts)
        return taken.words


DEEDS: Final[dict[str, Callable[[Sheet, Mapping[str, Any]], str | None]]] = {
    "undo": Sheet._undo, "redo": Sheet._redo, "reset": Sheet._reset, "remedy": Sheet._remedy,
    "remove": Sheet._remove, "preset": Sheet._preset, "paste": Sheet._paste,
}  # fmt: skip
