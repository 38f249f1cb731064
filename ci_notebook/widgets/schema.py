"""Every control that a panel needs, as plain JSON, from the declarations alone.

The rule of this file: the front end draws what it reads here and knows no parameter by name.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

from ci_notebook.model.node import Node, Part, once_a_class, parts

# A Transcode without Video drops the pictures, one without Audio the sound. Who switches the
# encoding on wants neither, so these come on with it and can be switched off on purpose.
BRINGS: Final = {"Transcode": ("Transcode.Container", "Transcode.Video", "Transcode.Audio")}
OFF_MEANS: Final = {"Transcode.Video": "Off drops the pictures.", "Transcode.Audio": "Off drops the sound."}

# Beyond this many steps a slider a hand wide cannot be set exactly, so there is only the number.
_MOST_STEPS: Final = 1000


@once_a_class
def schema(root: type[Node]) -> tuple[dict[str, Any], ...]:
    """Return the stages below `root`, each with its leaves and groups.

    Stages that are themselves simple come first: they are what one reaches for.
    """
    stages = [_group(part, part.node, "") for part in parts(root) if part.node is not None]
    return tuple(sorted(stages, key=lambda stage: bool(stage["groups"])))


def _group(part: Part, node: type[Node], prefix: str) -> dict[str, Any]:
    path = prefix + part.tag
    inside = parts(node)
    leaves = [_leaf(one, path + ".") for one in inside if one.node is None and not one.many]
    groups = [_group(one, one.node, path + ".") for one in inside if one.node is not None and not one.many]
    return {
        "path": path,
        "tag": part.tag,
        "title": part.param.help.rstrip("."),
        "help": " ".join(filter(None, [_about(node), OFF_MEANS.get(path, "")])),
        "common": part.param.common or any(one["common"] for one in (*leaves, *groups)),
        "brings": list(BRINGS.get(path, ())),
        "leaves": leaves,
        "groups": groups,
        "repeated": [one.tag for one in inside if one.many],
    }


def _leaf(part: Part, prefix: str) -> dict[str, Any]:
    param = part.param
    return {
        "path": prefix + part.tag,
        "tag": part.tag,
        "kind": _KINDS[part.kind],
        "choices": [str(choice) for choice in part.choices],
        "auto": part.auto,
        "unit": param.unit,
        "help": _help(part),
        "absent": f"left out ({param.default})" if param.default else "required" if param.required else "left out",
        "common": param.common,
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
