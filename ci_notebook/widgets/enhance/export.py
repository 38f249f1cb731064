"""The operation of a panel as text: Python that rebuilds it, its XML, and a curl command.

Invariant: no text contains a secret. A signature is a secret, so the user has to add it to the curl command.
"""

from __future__ import annotations

import shlex
from typing import Any, Final

from ci_notebook.model.api.jobs import Operation, Request
from ci_notebook.model.declaration.node import Node, Unknown
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.controls import MARKS
from ci_notebook.widgets.enhance.other_requests import TEMPLATE_IDS
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.xml import dumps

# Columns that the panel shows without scrolling.
_WIDTH: Final = 50

_UNSIGNED: Final = """\
# This command is not signed, because a signature is made from your keys. Sign POST /jobs
# (with the host header), put the signature into CI_AUTHORIZATION, and run the command.
"""


def python_text(setting: Node, package: str = "ci") -> str:
    """Return Python that rebuilds a setting, to be pasted below `import ci_notebook as ci`.

    >>> from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
    >>> print(python_text(VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))))
    ci.VideoEnhance(
        ms_sharpen=ci.MsSharpen(sharpen_level=5),
    )
    """
    return _text(setting, f"{package}." if package else "", "")


def operation_text(operation: Operation) -> str:
    """Return the Python of an operation: the setting alone, or with watermarks the call that submits both."""
    marks = marks_of(operation)
    if not marks:
        return python_text(operation.video_enhance or VideoEnhance())
    lines = ["clip"]
    if not operation.template_id:
        lines.append(_text(operation.video_enhance, "ci.", "    "))
    lines += [f"{name}={_text(list(value) if isinstance(value, tuple) else value, 'ci.', '    ')}"
              for name, value in marks.items()]  # fmt: skip
    return "lab.submit(\n" + "".join(f"    {line},\n" for line in lines) + ")"


def marks_of(operation: Operation) -> dict[str, Any]:
    """Return what an operation has besides its setting, as keywords of `submit` and `request`: template, watermarks."""
    names = (*TEMPLATE_IDS, *(part.name for part in MARKS))
    return {name: value for name in names if (value := getattr(operation, name))}


def request_text(request: Request) -> str:
    """Return the XML of a whole request, as it is sent."""
    return dumps(request, pretty=True).decode()


def curl_text(request: Request, bucket: str, region: str) -> str:
    """Return the curl command that sends a request, without a signature.

    >>> text = curl_text(Request(tag="VideoEnhance"), "b-1250000000", "ap-chongqing")
    >>> "https://b-1250000000.ci.ap-chongqing.myqcloud.com/jobs" in text
    True
    """
    call = CALL["create_job"]
    host = f"{bucket}.ci.{region}.myqcloud.com"
    body = request_text(request).partition("\n")[2].rstrip()
    return (
        f"{_UNSIGNED}curl -X {call.method} {shlex.quote(f'https://{host}{call.path_for()}')} \\\n"
        "  -H 'Content-Type: application/xml' \\\n"
        '  -H "Authorization: $CI_AUTHORIZATION" \\\n'
        f"  --data-binary {shlex.quote(body)}"
    )


def _text(value: Any, package: str, indent: str) -> str:
    if not isinstance(value, Node | Unknown | tuple | list):
        return f"{package}AUTO" if repr(value) == "AUTO" and not isinstance(value, str) else repr(value)
    inner = indent + "    "
    if isinstance(value, tuple | list):
        inside = [_text(one, package, inner) for one in value]
        opened, closed = ("(", ")") if isinstance(value, tuple) else ("[", "]")
    else:
        inside = [f"{name}={_text(one, package, inner)}" for name, one in _fields(value)]
        opened, closed = f"{package}{type(value).__name__}(", ")"
    flat = opened + ", ".join(inside) + ("," if isinstance(value, tuple) and len(inside) == 1 else "") + closed
    if "\n" not in flat and len(indent) + len(flat) <= _WIDTH:
        return flat
    return opened + "\n" + "".join(f"{inner}{one},\n" for one in inside) + indent + closed


def _fields(value: Node | Unknown) -> list[tuple[str, Any]]:
    if isinstance(value, Unknown):
        return [("tag", value.tag), ("text", value.text), ("children", value.children)]
    return [(name, one) for name, one in vars(value).items() if name[0] != "_" and one not in (None, ())]
