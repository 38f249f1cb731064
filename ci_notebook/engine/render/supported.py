"""Which leaves the engine acts on, and which it refuses by name.

Invariant: every leaf of `Operation` that may be sent is in exactly one of `ACTED` and `REFUSED`. A leaf
that is set but not acted on fails the job; ignoring it silently would mislead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.declaration.paths import leaves

# Leaves that the calls act on: they choose no filter and no encoder.
BY_THE_SERVICE: Final = frozenset({
    "TemplateId", "TranscodeTemplateId", "WatermarkTemplateId", "Output.Region", "Output.Bucket", "Output.Object",
    "UserData", "JobLevel",
})  # fmt: skip

_T = "VideoEnhance.Transcode."
# Leaves with only one value, or about the handling of failures: the command is the same.
BESIDE_THE_COMMAND: Final = frozenset({
    "DigitalWatermark.Type", "DigitalWatermark.Version", "DigitalWatermark.IgnoreError",
})  # fmt: skip
_KEYS = "The engine has no encryption keys. Leave it out."

REFUSED: Final[dict[str, str]] = {
    _T + "Video.Roi": "Only the service can find the region of interest. Leave it out, or use none.",
    **{
        leaf.path: reason
        for leaf in leaves(Operation)
        for start, reason in (
            (_T + "TransConfig.HlsEncrypt.", _KEYS),
            (_T + "TransConfig.DashEncrypt.", _KEYS),
            (
                "ExtractDigitalWatermark.",
                "A VideoEnhance job reads no digital watermark. Use Tag ExtractDigitalWatermark.",
            ),
        )
        if leaf.path.startswith(start) and not any(step.param.reply for step in leaf.steps)
    },
}
ACTED: Final = frozenset(
    leaf.path for leaf in leaves(Operation) if not any(step.param.reply for step in leaf.steps)
) - frozenset(REFUSED)

# Values of a refused leaf that mean "off".
HARMLESS: Final[dict[str, tuple[object, ...]]] = {
    _T + "Video.Roi": ("none",),
    _T + "TransConfig.HlsEncrypt.IsHlsEncrypt": (False,),
    _T + "TransConfig.DashEncrypt.IsEncrypt": (False,),
}


def refuse_unacted(operation: Operation) -> None:
    """Raise `RequestRefused` for the first leaf that is set and not acted on.

    A node that no declaration knows is refused too. Leaves that only replies contain are ignored.
    """
    for where, path, value in _set_leaves(operation, "", ""):
        if path in REFUSED and value not in HARMLESS.get(path, ()):
            raise _refusal(where, value, REFUSED[path])
        if path not in ACTED and path not in REFUSED:
            raise _refusal(where, value, "The engine does not know this node. Check its spelling, or leave it out.")


def _refusal(where: str, value: object, remedy: str) -> RequestRefused:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return RequestRefused(f"{where} {text} is not supported by the embedded engine. {remedy}")


def _set_leaves(node: Node, where: str, path: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (numbered path, plain path, value) of every leaf that is set, including unknown nodes."""
    for part in parts(type(node)):
        value = getattr(node, part.name)
        if part.param.reply or value in (None, ()):
            continue
        for number, one in enumerate(value, 1) if part.many else ((0, value),):
            numbered = f"{where}{part.tag}.{number}" if part.many else f"{where}{part.tag}"
            if isinstance(one, Node):
                yield from _set_leaves(one, f"{numbered}.", f"{path}{part.tag}.")
            else:
                yield numbered, f"{path}{part.tag}", one
    for unknown in node.unknown:
        yield f"{where}{unknown.tag}", f"{path}{unknown.tag}?", unknown.text
