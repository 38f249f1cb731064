"""Pictures of every view, light and dark, narrow and wide: `python -m tests.browser.screenshots [FOLDER]`.

They are made in real JupyterLab with a real lab behind it, and the README's picture with them. Every view
is first given something to show.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.browser.jupyter import Desk, chromium, page_at, running_browser, running_server

README: Final = Path(__file__).parent / "screenshots" / "readme.png"
README_BYTES: Final = 250_000
KEPT_COLOURS: Final = 80
HEIGHT: Final = 2800  # px: each view whole, without scrolling
WIDTHS: Final = {"narrow": 480, "wide": 1200}
THEMES: Final = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
LAB: Final = """\
import ci_notebook as ci
from tests.ledger_jobs import fill
lab = ci.connect()
clip = lab.upload(ci.sample("raccoon"))
colour = ci.ColorEnhance(contrast=62, saturation=85)
start = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=6), color_enhance=colour)
_ = fill(lab, clip, 40)
sweep = ci.grid(None, SharpenLevel=[0, 5, 10])
runs = lab.run(clip, sweep, workers=1)"""
VIEWS: Final = {
    "panel": ("panel = ci.EnhancePanel(lab, clip, start)\npanel", ".ci-panel"),
    "sweep": ("many = ci.SweepPanel(lab, clip)\nmany", ".ci-sweep"),
    "monitor": ("monitor = ci.Monitor(lab)\nmonitor", ".ci-monitor"),
    "compare": ("view = ci.CompareView(runs)\nview", ".cv"),
    "vote": ("ballot = ci.VoteView(lab, runs, voter='Ann')\nballot", ".vo"),
}


def busy_panel(page: Any) -> None:
    page.wait_for_selector(".ci-preview[data-shown]", timeout=60_000)


def busy_sweep(page: Any) -> None:
    for word, values in (("sharpen", "0, 3, 6, 9"), ("resolution", "sdtohd, left out")):
        page.get_by_role("searchbox", name="Vary").fill(word)
        page.keyboard.press("Enter")
        page.locator(".ci-svaried input").last.fill(values)
    page.locator(".ci-sprice").get_by_text("CNY").wait_for(timeout=30_000)


def busy_monitor(page: Any) -> None:
    page.locator(".ci-jspace .ci-jrow").nth(2).click()


def busy_compare(page: Any) -> None:
    page.wait_for_function("() => !document.querySelector('.cv .wp-busy')", timeout=60_000)


def busy_vote(page: Any) -> None:
    page.wait_for_function("() => document.querySelector('.vo')?.parentElement.dataset.number === '0'", timeout=60_000)


BUSY: Final[dict[str, Callable[[Any], None]]] = {
    "panel": busy_panel, "sweep": busy_sweep, "monitor": busy_monitor, "compare": busy_compare, "vote": busy_vote,
}  # fmt: skip


def small(png: bytes, most: int | None = None) -> bytes:
    """Return a PNG of 256 colours, and smaller on each side where it must not be larger than `most` bytes.

    The commonest colours are kept as they are: what is drawn in one colour, be it little, does not take
    that of a photograph next to it.
    """
    picture, out = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    counted = sorted(picture.getcolors(picture.width * picture.height) or [], reverse=True)[:KEPT_COLOURS]
    rest = picture.quantize(256 - len(counted), method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(part for _, colour in counted for part in colour), *rest])
    drawn = np.asarray(picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)).copy()
    pixels = np.asarray(picture)
    for place, (_, colour) in enumerate(counted):
        drawn[(pixels == colour).all(axis=2)] = place  # Pillow looks a colour up only nearly
    small_one = Image.fromarray(drawn, "P")
    small_one.putpalette(palette.getpalette() or [])
    small_one.save(out, "PNG", optimize=True)
    if most is None or out.tell() <= most:
        return out.getvalue()
    again = io.BytesIO()
    picture.resize((picture.width * 9 // 10, picture.height * 9 // 10), Image.Resampling.LANCZOS).save(again, "PNG")
    return small(again.getvalue(), most)


def shoot(desk: Desk, selector: str) -> bytes:
    """Return a picture of a view and of what it leaves as an output, once it has settled."""
    page = desk.page
    page.locator(selector).scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(700)  # a preview follows its pane's size
    page.wait_for_function("() => !document.querySelector('.wp-busy')", timeout=60_000)
    return page.locator(f".jp-Cell-outputArea:has({selector})").screenshot(animations="disabled")


def take(desk: Desk, folder: Path) -> None:
    """Take all pictures of all views."""
    page = desk.page
    desk.write("views.ipynb", LAB, *(code for code, _ in VIEWS.values()))
    page.set_viewport_size({"width": WIDTHS["wide"], "height": HEIGHT})
    desk.open("views.ipynb")
    desk.run_all()
    for name, (_, selector) in VIEWS.items():
        page.wait_for_selector(selector, state="attached", timeout=180_000)
        page.locator(selector).scroll_into_view_if_needed()
        BUSY[name](page)
    for theme, called in THEMES.items():
        desk.theme(called)
        for width, px in WIDTHS.items():
            page.set_viewport_size({"width": px, "height": HEIGHT})
            for name, (_, selector) in VIEWS.items():
                shot = shoot(desk, selector)
                path = folder / f"{name}-{theme}-{width}.png"
                path.write_bytes(small(shot))
                print(path)
    desk.theme(THEMES["light"])
    page.set_viewport_size({"width": WIDTHS["wide"], "height": HEIGHT})
    README.parent.mkdir(exist_ok=True)
    page.locator(".ci-panel").scroll_into_view_if_needed()
    page.wait_for_timeout(700)
    README.write_bytes(small(page.locator(".ci-panel").screenshot(animations="disabled"), README_BYTES))
    print(README)


def main() -> None:
    program = chromium()
    if program is None:
        sys.exit("no Chromium is installed (Debian: apt-get install chromium)")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="ci-notebook-shots-"))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        running_server(Path(place)) as server,
        running_browser(program) as browser,
        page_at(server, browser, folder) as desk,
    ):
        take(desk, folder)


if __name__ == "__main__":
    main()
