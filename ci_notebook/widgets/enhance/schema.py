"""Description of every control of a panel as plain JSON, from the declarations alone.

Invariant: the page draws this description and knows no parameter by name.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

from ci_notebook.model.declaration.node import Node, Part, cached_per_class, parts
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.controls import MARKS

# A Transcode without Video removes the video stream, one without Audio the sound. A user who switches on the encoding
# wants neither, so both are switched on with it and can be switched off on purpose.
OFF_MEANS: Final = {"Transcode.Video": "Off removes the video.", "Transcode.Audio": "Off removes the sound."}

# Defaults that a switch adds where nothing is set yet, so that the node is complete: nodes that are switched on, and
# texts of required leaves. `#` is the number of an item.
_TEXT: Final = {
    f"Watermark.#.Text.{leaf}": text for leaf, text in {
        "Text": "Your text", "FontSize": "32", "FontType": "arial.ttf", "FontColor": "0xFFFFFF", "Transparency": "80",
    }.items()
}  # fmt: skip
DEFAULTS: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
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

# A choice that switches nodes: the chosen one on, the others off.
SWITCHES: Final = {
    "Watermark.#.Type": {"Text": "Watermark.#.Text", "Image": "Watermark.#.Image"},
}

# Titles of lists; the declaration describes one item.
_TITLES: Final = {"Watermark": "Visible watermarks"}

# With more steps a slider cannot be set exactly, so there is only the number box.
_MAX_STEPS: Final = 1000


def stages() -> list[dict[str, Any]]:
    """Return everything that a panel draws: the stages of a setting, then the watermarks."""
    return [*schema(VideoEnhance), *(_group(part, "") for part in MARKS)]


@cached_per_class
def schema(root: type[Node]) -> tuple[dict[str, Any], ...]:
    """Return the stages below `root`, each with its leaves and groups.

    Stages without groups come first, because they are used most.
    """
    groups = [_group(part, "") for part in parts(root) if part.node is not None]
    return tuple(sorted(groups, key=lambda stage: bool(stage["groups"])))


def _group(part: Part, prefix: str) -> dict[str, Any]:
    """Return one node; for a repeated node, the pattern of its at most `most` items, with `#` as the number."""
    path = prefix + part.tag + (".#" if part.many else "")
    node: type[Node] = part.node  # type: ignore[assignment]  # callers pass nodes only
    children = [child for child in parts(node) if not child.param.reply]
    leaves = [_leaf(child, path + ".") for child in children if child.node is None]
    groups = [_group(child, path + ".") for child in children if child.node is not None]
    active, values = DEFAULTS.get(path, ((), {}))
    return {
        "path": path,
        "tag": part.tag,
        "title": _TITLES.get(part.tag) or part.param.help.rstrip("."),
        "help": " ".join(filter(None, [_about(node), OFF_MEANS.get(path, "")])),
        "common": part.param.common or any(one["common"] for one in (*leaves, *groups)),
        "active": list(active),
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
        "kind": "color" if param.allowed == "0xRRGGBB" else _KINDS[part.kind],
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
    """Return the step of the number box, and a slider if it has few enough steps to be set exactly."""
    param = part.param
    if part.kind not in (int, float):
        return {}
    low = param.low if param.above is None else param.above
    high = param.high if param.below is None else param.below
    span: dict[str, Any] = {"step": 2 if param.even else 1 if part.kind is int else "any"}
    if low is not None and high is not None:
        step = 2 if param.even else 1 if part.kind is int or high - low > 20 else 0.1
        if (high - low) / step <= _MAX_STEPS:
            first = low if param.above is None else low + step
            last = high if param.below is None else high - step
            span["slider"] = {"low": first, "high": last, "step": step}
    return span


def _help(part: Part) -> str:
    if part.kind in (None, bool):  # the choices are visible
        return part.param.help
    allowed = part.allowed()
    return f"{part.param.help} {allowed[:1].upper()}{allowed[1:]}."


def _about(node: type[Node]) -> str:
    """Return the docstring of a node class as help text for its switch."""
    text = " ".join((inspect.getdoc(node) or "").split())
    return text.replace("Present = on.", "").replace("`", "").replace("  ", " ").strip()


_KINDS: Final[dict[type | None, str]] = {None: "choice", int: "number", float: "number", bool: "bool", str: "text"}
