"""Which leaves the engine acts on, and which it refuses by name.

Invariant: every leaf of `Operation` that may be sent is in exactly one of `ACTED` and `REFUSED`. A leaf
that is set but not acted on fails the job; ignoring it silently would mislead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import Node, Unknown, parts
from ci_notebook.model.declaration.paths import leaves
from ci_notebook.model.setting.enhance import VideoEnhance, VideoProcess

# The encoding, as VideoEnhance contains it, and as the older kinds of jobs have it next to their stage.
_ENCODINGS: Final = ("VideoEnhance.Transcode.", "Transcode.")
# Leaves with only one value, or about the handling of failures: the command is the same.
BESIDE_THE_COMMAND: Final = frozenset({
    "DigitalWatermark.Type", "DigitalWatermark.Version", "DigitalWatermark.IgnoreError",
})  # fmt: skip
_KEYS = "The engine has no encryption keys. Leave it out."

REFUSED: Final[dict[str, str]] = {
    **{
        f"{where}Video.Roi": "Only the service can find the region of interest. Leave it out, or use none."
        for where in _ENCODINGS
    },
    **{
        leaf.path: reason
        for leaf in leaves(Operation)
        for start, reason in (
            *((f"{where}TransConfig.{kind}Encrypt.", _KEYS) for where in _ENCODINGS for kind in ("Hls", "Dash")),
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

# Leaves that the calls act on: they choose no filter and no encoder. Those of the older kinds of jobs are moved
# into VideoEnhance when a job is accepted.
BY_THE_SERVICE: Final = frozenset({
    "TemplateId", "TranscodeTemplateId", "WatermarkTemplateId", "Output.Region", "Output.Bucket", "Output.Object",
    "UserData", "JobLevel",
}) | frozenset(
    path for path in ACTED if path.startswith(("SuperResolution.", "SDRtoHDR.", "VideoProcess.", "Transcode."))
)  # fmt: skip

# Values of a refused leaf that mean "off".
HARMLESS: Final[dict[str, tuple[object, ...]]] = {
    where + leaf: (value,)
    for where in _ENCODINGS
    for leaf, value in (
        ("Video.Roi", "none"),
        ("TransConfig.HlsEncrypt.IsHlsEncrypt", False),
        ("TransConfig.DashEncrypt.IsEncrypt", False),
    )
}


def refuse_unacted(operation: Operation) -> None:
    """Raise `RequestRefused` for the first leaf that is set and not acted on.

    A node that no declaration knows is refused too, unless it says nothing. Leaves that only replies contain
    are ignored.
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
    for unknown in unknown_content(node):
        yield f"{where}{unknown.tag}", f"{path}{unknown.tag}?", unknown.text


def unknown_content(node: Node) -> tuple[Unknown, ...]:
    """Return the unknown nodes in a node that may not be ignored.

    Clients send every leaf that they know, most of them empty: an empty leaf counts as absent. But an empty node
    among stages may be a misspelt stage, which its presence would switch on.
    """
    return tuple(one for one in node.unknown if not one.is_empty or isinstance(node, VideoEnhance | VideoProcess))
