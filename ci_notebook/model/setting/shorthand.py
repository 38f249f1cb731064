"""Read a setting written in short: a preset's name, or a dict from parameter to value.

Invariant: the result is a `VideoEnhance`; what is neither raises `ParameterError`.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, TypeAlias

from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.declaration.paths import resolve, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.presets import PRESETS

__all__ = ["SettingLike", "setting_from"]

SettingLike: TypeAlias = VideoEnhance | str | Mapping[str, Any]
"""A setting, the name of a preset, or a dict from parameter (named as in `grid`) to value."""


def setting_from(given: SettingLike) -> VideoEnhance:
    """Return the setting that `given` stands for.

    >>> setting_from({"SharpenLevel": 5})
    VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    >>> setting_from("Smooth motion")
    VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))

    Raises `ParameterError` for an unknown preset or parameter, a value out of range, and any other type.
    """
    if isinstance(given, VideoEnhance):
        return given
    if isinstance(given, str):
        return _preset(given)
    if isinstance(given, Mapping):
        return _from_paths(given)
    raise ParameterError.plain(
        "A setting must be a VideoEnhance, the name of a preset, or a dict such as {'SharpenLevel': 5} "
        f"(got {given!r:.80})."
    )


def _preset(name: str) -> VideoEnhance:
    settings = {one.name.casefold(): one.setting for one in PRESETS}
    if name.casefold() in settings:
        return settings[name.casefold()]
    names = {one.name.casefold(): one.name for one in PRESETS}
    nearest = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[nearest[0]]!r}? " if nearest else ""
    raise ParameterError.plain(f"No preset is called {name!r}. {hint}The presets are {', '.join(names.values())}.")


def _from_paths(given: Mapping[str, Any]) -> VideoEnhance:
    stages = {part.tag: part for part in parts(VideoEnhance)}
    setting = VideoEnhance()
    for name, value in given.items():
        if not isinstance(name, str):
            raise ParameterError.plain(f"The keys of a dict as a setting are names of parameters (got {name!r:.80}).")
        if isinstance(value, Mapping):
            raise ParameterError.plain(
                f"A dict as a setting maps a parameter to one value, but {name!r} holds a dict. "
                f"Write {{'{name}.{next(iter(value), 'Parameter')}': …}}."
            )
        if name in stages and isinstance(value, Node | None):
            setting = dataclasses.replace(setting, **{stages[name].name: value})  # type: ignore[arg-type]
            continue
        leaf = resolve(VideoEnhance, name)
        setting = with_value(setting, leaf, leaf.part.coerce(value))
    return setting
