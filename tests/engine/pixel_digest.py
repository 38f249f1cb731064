"""Digests of the modules that decide over pixels: of what they compute, not of their comments or docstrings.

python -m tests.engine.pixel_digest        # pin the digests again, after a look at PIXEL_VERSION
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "ci_notebook"
PINNED = Path(__file__).parent / "pixel_digests.json"
COMMAND = "python -m tests.engine.pixel_digest"
# Besides all of the renderer: the modules that it takes facts, frames, colors and sizes from.
GLOBS = (
    "engine/render/**/*.py", "media/color*.py", "media/ffmpeg.py", "media/frame_sampling.py", "media/probe.py",
    "media/streams/*.py", "media/scoring/no_reference.py", "model/setting/shape.py",
)  # fmt: skip
# These decide what is reused, not how it looks.
OTHERS = {"engine/render/pixel_version.py", "engine/render/cache_lookup.py", "engine/render/refusal.py"}


def abstract(node: object) -> Iterator[str]:
    """Yield a syntax tree as text that is the same on every Python: no positions, docstrings or empty fields."""
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(value, list) and not isinstance(node, ast.Lambda):
                yield f" {name}="
                yield from abstract(value[1:] if _is_docstring(value[:1]) else value)
            elif value not in (None, []):
                yield f" {name}="
                yield from abstract(value)
        yield ")"
    elif isinstance(node, list):
        for one in node:
            yield from abstract(one)
    else:
        yield repr(node)


def digest(source: str) -> str:
    """Return the digest of a module's source."""
    return hashlib.sha256("".join(abstract(ast.parse(source))).encode()).hexdigest()[:16]


def digests() -> dict[str, str]:
    """Return module → digest."""
    paths = sorted({path for glob in GLOBS for path in PACKAGE.glob(glob)})
    names = {path.relative_to(PACKAGE).as_posix(): path for path in paths if path.name != "__init__.py"}
    return {name: digest(path.read_text(encoding="utf-8")) for name, path in names.items() if name not in OTHERS}


def _is_docstring(first: list[object]) -> bool:
    return bool(
        first
        and isinstance(first[0], ast.Expr)
        and isinstance(first[0].value, ast.Constant)
        and isinstance(first[0].value.value, str)
    )


if __name__ == "__main__":
    PINNED.write_text(json.dumps(digests(), indent=1) + "\n", encoding="utf-8")
