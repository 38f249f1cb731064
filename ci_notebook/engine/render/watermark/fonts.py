"""Typefaces for text watermarks: the API's names, and free typefaces that replace them.

The API names fonts of Windows and macOS, which may not be redistributed. A file of that name is used where
the machine has it; otherwise a free typeface of the same kind. A text is drawn only when the typeface has
every character of it, because boxes in a finished video would be noticed too late.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

from ci_notebook._folders import account_home
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.model.errors import EngineError

CJK = "python -m pip install manimgx-fonts-cjk  (Noto Sans CJK, SIL Open Font License)"
# Name → kind of the Latin replacement, weight of the Chinese one. The last five have no Chinese.
FACES = {
    "simfang.ttf": ("Serif", 300), "simhei.ttf": ("Sans", 500), "simkai.ttf": ("Serif", 350),
    "simsun.ttc": ("Serif", 400), "STHeiti-Light.ttc": ("Sans", 300), "STHeiti-Medium.ttc": ("Sans", 600),
    "youyuan.TTF": ("Sans", 400), "": ("Sans", 400),
    "ariblk.ttf": ("Sans-Bold", 0), "arial.ttf": ("Sans", 0), "ahronbd.ttf": ("Sans-Bold", 0),
    "Helvetica.dfont": ("Sans", 0), "HelveticaNeue.dfont": ("Sans", 0),
}  # fmt: skip
_CHINESE = re.compile("[\u2e80-\U0003ffff]")
_FREE_CJK = (
    "NotoSansCJK-VF.otf.ttc", "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf",
    "Hiragino Sans GB.ttc", "msyh.ttc",
)  # fmt: skip


def face(name: str | None, size: int, text: str, *, leaf: str = "Watermark.Text.Text") -> Any:
    """Return a Pillow font of `size` px that has every character of `text`.

    Raises `RequestRefused` or `EngineError` naming `leaf` when there is none.
    """
    kind, weight = FACES.get(name or "", FACES[""])
    chinese = _CHINESE.search(text)
    if chinese and not weight:
        raise RequestRefused(
            f"{leaf} {text}: the typeface {name} has no Chinese characters. Set FontType to simhei.ttf."
        )
    for path in _candidates(name or "", kind, chinese=bool(chinese)):
        font = _load(path, size, weight)
        if font is not None and not missing(font, text):
            return font
    if not chinese:
        from PIL import ImageFont  # lazy: the thin client installs without it

        plain: Any = ImageFont.load_default(size)  # Latin, inside Pillow itself
        if not missing(plain, text):
            return plain
    signs = "".join(dict.fromkeys(chinese.string if chinese else text))
    raise EngineError(
        f"{leaf} {text}: no typeface on this machine has the characters {signs}. Install a free one: {CJK}",
        code="InvalidArgument",
    )


def missing(font: Any, text: str) -> str:
    """Return the characters of `text` that a font would draw as the box for unknown characters."""
    box = _drawn(font, "\U000ffffe")
    return "".join(sign for sign in dict.fromkeys(text) if not sign.isspace() and _drawn(font, sign) == box)


def _drawn(font: Any, sign: str) -> tuple[Any, bytes]:
    mask = font.getmask(sign)
    return mask.size, bytes(mask)


def _candidates(name: str, kind: str, *, chinese: bool) -> list[Path]:
    system = _system_fonts()
    here = [system.get(name.lower())]
    if not chinese:
        here.append(_package_file("matplotlib", f"mpl-data/fonts/ttf/DejaVu{kind}.ttf"))
        here.append(system.get(f"dejavu{kind}.ttf".lower()))
    here.append(_package_file("manimgx_fonts_cjk", _FREE_CJK[0]))
    here += [system.get(free.lower()) for free in _FREE_CJK]
    return [path for path in here if path is not None]


def _package_file(package: str, file: str) -> Path | None:
    """Return a file inside an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    path = Path(next(iter(places))) / file if places else None
    return path if path and path.is_file() else None


def _load(path: Path, size: int, weight: int) -> Any:
    from PIL import ImageFont  # lazy: the thin client installs without it

    try:
        font = ImageFont.truetype(str(path), size, index=2 if path.name == _FREE_CJK[0] else 0)
    except OSError:
        return None
    if weight and path.name == _FREE_CJK[0]:
        font.set_variation_by_axes([weight])
    return font


@functools.cache
def _system_fonts() -> dict[str, Path]:
    """Return the font files of this machine by lower-case name."""
    places = {
        "darwin": ["/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"],
        "win32": [str(Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts")],
        "linux": ["/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts"],
    }.get(sys.platform, [])
    home = account_home()
    folders = [Path(place.replace("~", str(home), 1)) for place in places if home or not place.startswith("~")]
    kinds = {".ttf", ".ttc", ".otf", ".dfont"}
    return {
        path.name.lower(): path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in kinds
    }
