"""Every control that a panel needs, as plain JSON, from the declarations alone.

The rule of this file: the front end draws what it reads here and knows no parameter by name.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

from ci_notebook.model.declaration.node import Node, Part, cached_per_class, parts
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.controls import MARKS

# A Transcode without Video drops the pictures, one without Audio the sound. Who switches the
# encoding on wants neither, so these come on with it and can be switched off on purpose.
OFF_MEANS: Final = {"Transcode.Video": "Off drops the pictures.", "Transcode.Audio": "Off drops the sound."}

# What a switch brings with it where nothing is there yet, so that what is switched on is whole: the
# nodes that come on, and texts for leaves that must be given. `#` is an item's number.
_TEXT: Final = {
    f"Watermark.#.Text.{leaf}": text for leaf, text in {
        "Text": "Your text", "FontSize": "32", "FontType": "arial.ttf", "FontColor": "0xFFFFFF", "Transparency": "80",
    }.items()
}  # fmt: skip
BRINGS: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
    "Transcode": (
        ("Transcode.Container", "Transcode.Video", "Transcode.Audio"), {"Transcode.Container.Format": "mp4"},
    ),
    "SuperResolution": ((), {"SuperResolution.Resolution": "sdtohd"}),
    "SDRtoHDR": ((), {"SDRtoHDR.HdrMode": "HDR10"}),
    "FrameEnhance": ((), {"FrameEnhance.FrameDoubling": "true"}),
    "Watermark.#": (
        ("Watermark.#.Text",),
        {"Watermark.#.Type": "Text", "Watermark.#.Pos": "BottomRight", "Watermark.#.LocMode": "Relativity",
         "Watermark.#.Dx": "3", "Watermark.#.Dy": "3", **_TEXT},
    ),
    "Watermark.#.Text": ((), _TEXT),
    "Watermark.#.Image": (
        (), {"Watermark.#.Image.Mode": "Proportion", "Watermark.#.Image.Width": "20",
             "Watermark.#.Image.Transparency": "100"},
    ),
    "Watermark.#.SlideConfig": (
        (), {"Watermark.#.SlideConfig.SlideMode": "ScrollFromLeft", "Watermark.#.SlideConfig.XSlideSpeed": "2",
             "Watermark.#.SlideConfig.YSlideSpeed": "0"},
    ),
    "DigitalWatermark": ((), {"DigitalWatermark.Type": "Text", "DigitalWatermark.Version": "V1"}),
}  # fmt: skip

# A choice that switches nodes: the one that it names on, the others off.
SWITCHES: Final = {
    "Watermark.#.Type": {"Text": "Watermark.#.Text", "Image": "Watermark.#.Image"},
}

# Said of a list where the declaration speaks of its items.
_TITLES: Final = {"Watermark": "Visible marks"}

# Beyond this many steps a slider a hand wide cannot be set exactly, so there is only the number.
_MOST_STEPS: Final = 1000


def stages() -> list[dict[str, Any]]:
    """Return all that a panel draws: the stages of a setting, then the marks beside it."""
    return [*schema(VideoEnhance), *(_group(part, "") for part in MARKS)]


@cached_per_class
def schema(root: type[Node]) -> tuple[dict[str, Any], ...]:
    """Return the stages below `root`, each with its leaves and groups.

    Stages that are themselves simple come first: they are what one reaches for.
    """
    listed = [_group(part, "") for part in parts(root) if part.node is not None]
    return tuple(sorted(listed, key=lambda stage: bool(stage["groups"])))


def _group(part: Part, prefix: str) -> dict[str, Any]:
    """Return one node. Of a repeated one the item that each of `most` is made from, with `#` for its number."""
    path = prefix + part.tag + (".#" if part.many else "")
    node: type[Node] = part.node  # type: ignore[assignment]  # only nodes are asked for here
    inside = [one for one in parts(node) if not one.param.reply]
    leaves = [_leaf(one, path + ".") for one in inside if one.node is None]
    groups = [_group(one, path + ".") for one in inside if one.node is not None]
    on, values = BRINGS.get(path, ((), {}))
    return {
        "path": path,
        "tag": part.tag,
        "title": _TITLES.get(part.tag) or part.param.help.rstrip("."),
        "help": " ".join(filter(None, [_about(node), OFF_MEANS.get(path, "")])),
        "common": part.param.common or any(one["common"] for one in (*leaves, *groups)),
        "on": list(on),
        "values": values,
        "leaves": leaves,
        "groups": groups,
        **({"most": part.param.at_most or 1} if part.many else {}),
    }


def _leaf(part: Part, prefix: str) -> dict[str, Any]:
    param = part.param
    return {
        "path": prefix + part.tag,
        "tag": part.tag,
        "kind": "colour" if param.allowed == "0xRRGGBB" else _KINDS[part.kind],
        "choices": [str(choice) for choice in part.choices],
        "auto": part.auto,
        "unit": param.unit,
        "help": _help(part),
        "absent": f"left out ({param.default})" if param.default else "required" if param.required else "left out",
        "common": param.common,
        **({"switches": SWITCHES[prefix + part.tag]} if prefix + part.tag in SWITCHES else {}),
        **_span(part),
    }


def _span(part: Part) -> dict[str, Any]:
    """Return the slider's ends and step, and the number box's; a slider only where a hand can set it."""
    param = part.param
    if part.kind not in (int, float):
        return {}
    low = param.low if param.above is None else param.above
    high = param.high if param.below is None else param.below
    span: dict[str, Any] = {"step": 2 if param.even else 1 if part.kind is int else "any"}
    if low is not None and high is not None:
        step = 2 if param.even else 1 if part.kind is int or high - low > 20 else 0.1
        if (high - low) / step <= _MOST_STEPS:
            first = low if param.above is None else low + step
            last = high if param.below is None else high - step
            span["slider"] = {"low": first, "high": last, "step": step}
    return span


def _help(part: Part) -> str:
    if part.kind in (None, bool):  # the choices are there to be seen
        return part.param.help
    taken = part.allowed()
    return f"{part.param.help} {taken[:1].upper()}{taken[1:]}."


def _about(node: type[Node]) -> str:
    """Return what a node class says of itself, for a reader who sees a switch and no code."""
    text = " ".join((inspect.getdoc(node) or "").split())
    return text.replace("Present = on.", "").replace("`", "").replace("  ", " ").strip()


_KINDS: Final[dict[type | None, str]] = {None: "choice", int: "number", float: "number", bool: "bool", str: "text"}
