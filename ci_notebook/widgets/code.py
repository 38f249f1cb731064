"""A setting as Python that rebuilds it, laid out one node a line as a person would write it."""

from __future__ import annotations

from typing import Any, Final

from ci_notebook.model.node import Node, Unknown

# As wide as the panel's column shows without scrolling.
_WIDTH: Final = 50


def python_text(setting: Node, package: str = "ci") -> str:
    """Return Python that rebuilds a setting, to be pasted below `import ci_notebook as ci`.

    >>> from ci_notebook.model.enhance import MsSharpen, VideoEnhance
    >>> print(python_text(VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))))
    ci.VideoEnhance(
        ms_sharpen=ci.MsSharpen(sharpen_level=5),
    )
    """
    return _text(setting, f"{package}." if package else "", "")


def _text(value: Any, package: str, indent: str) -> str:
    if not isinstance(value, Node | Unknown | tuple):
        return f"{package}AUTO" if repr(value) == "AUTO" and not isinstance(value, str) else repr(value)
    inner = indent + "    "
    if isinstance(value, tuple):
        inside = [_text(one, package, inner) for one in value]
        opened, closed = "(", ")"
    else:
        inside = [f"{name}={_text(one, package, inner)}" for name, one in _given(value)]
        opened, closed = f"{package}{type(value).__name__}(", ")"
    flat = opened + ", ".join(inside) + ("," if isinstance(value, tuple) and len(inside) == 1 else "") + closed
    if "\n" not in flat and len(indent) + len(flat) <= _WIDTH:
        return flat
    return opened + "\n" + "".join(f"{inner}{one},\n" for one in inside) + indent + closed


def _given(value: Node | Unknown) -> list[tuple[str, Any]]:
    if isinstance(value, Unknown):
        return [("tag", value.tag), ("text", value.text), ("children", value.children)]
    return [(name, one) for name, one in vars(value).items() if name[0] != "_" and one not in (None, ())]
