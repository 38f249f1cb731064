"""All views where they are not in JupyterLab: in Notebook 7, in a page of Voila's, and in an editor's colours.

One page a front end shows all five, on one clip and two runs of it: a server and a kernel are what costs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ci_notebook as ci
from tests.browser.accessible import serious
from tests.browser.jupyter import Desk, page_at, running_server, running_voila
from tests.frame_numbers import counting_clip

NAME = "views.ipynb"
LAB = """\
import ci_notebook as ci
from pathlib import Path
lab = ci.connect()
clip = lab.upload(Path("count.mp4"))
runs = lab.run(clip, ci.grid(None, SharpenLevel=[3, 9]), workers=1, scores=False)"""
VIEWS = (
    "ci.EnhancePanel(lab, clip, ci.VideoEnhance(color_enhance=ci.ColorEnhance(contrast=50)))",
    "ci.SweepPanel(lab, clip)",
    "ci.Monitor(lab)",
    "ci.CompareView(runs)",
    "ci.VoteView(lab, runs, voter='Ann', moments=2)",
)
ROOTS = (".ci-panel", ".ci-sweep", ".ci-monitor", ".cv", ".vo")
# How far the lower half of the preview's picture is spread about its mean: contrast is just that.
SPREAD = """() => {
    const canvas = document.querySelectorAll('.ci-preview .wp-layer')[1].querySelector('canvas');
    const { data } = canvas.getContext('2d').getImageData(0, canvas.height * 0.6, canvas.width, canvas.height * 0.3);
    const greens = [...data].filter((_, at) => at % 4 === 1);
    const mean = greens.reduce((sum, one) => sum + one) / greens.length;
    return Math.sqrt(greens.reduce((sum, one) => sum + (one - mean) ** 2, 0) / greens.length);
}"""
ASKED = "number => document.querySelector('.vo')?.parentElement.dataset.number === String(number)"
# What an editor does that is dark around widgets whose colours are those of light.
EDITOR = """<style>:root {{ --jp-layout-color1: white; --jp-layout-color2: #eee; --jp-ui-font-color1: #212121; }}
body {{ background: #1e1e1e; --vscode-editor-background: #1e1e1e; --vscode-editor-foreground: #d4d4d4; }}
{css}</style><body class="{kind}"><main class="{root}">
<h3>Enhance</h3><p class="ci-help cv-soft">Soft</p><p class="ci-error cv-error">Wrong</p>
<button class="ci-submit">Submit</button><button class="ci-tool cv-button">Tool</button><pre class="ci-code">code</pre>
<input class="ci-text cv-number" aria-label="A number" value="5"></main></body>"""


@pytest.fixture(scope="module", params=["notebook", "voila"])
def desk(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp(request.param)
    shots = Path(os.environ.get("CI_NOTEBOOK_SHOTS", folder / "shots"))
    is_voila = request.param == "voila"
    errors: list[str] = []
    with (
        running_voila(folder, NAME) if is_voila else running_server(folder, "notebook") as server,
        page_at(server, browser, shots) as desk,
    ):
        page = desk.page
        page.on("pageerror", lambda error: errors.append(f"{error} {error.stack}"))
        page.on("console", lambda said: errors.append(f"{said.text} {said.location}") if said.type == "error" else None)
        page.set_viewport_size({"width": 1280, "height": 2800})
        counting_clip(server.root / "count.mp4", pictures=25)
        desk.write(NAME, LAB, *VIEWS)
        if is_voila:
            page.goto(server.url + server.opens, wait_until="commit", timeout=120_000)
        else:
            desk.open(NAME)
            desk.command("notebook:run-all-cells")  # to its end, when the notebook takes the focus
        for root in ROOTS:
            page.wait_for_selector(root, state="attached", timeout=120_000)
        yield desk
        page.locator(".vo").scroll_into_view_if_needed()
        desk.shot(f"views-{request.param}")
    assert desk.off_loopback == [], "the page asked for something beyond this machine"
    assert [error for error in errors if "blob:" in error] == [], "our script, which runs from a blob, failed"


def test_a_slider_moves_code_and_preview(desk: Desk) -> None:
    page = desk.page
    page.locator(".ci-preview").scroll_into_view_if_needed()
    page.wait_for_selector(".ci-preview[data-shown]", timeout=60_000)
    was = page.evaluate(SPREAD)
    page.get_by_role("slider", name="Contrast", exact=True).press("End")
    page.wait_for_function("() => document.querySelector('.ci-panel .ci-python').textContent.includes('contrast=100')")
    page.wait_for_function(f"was => ({SPREAD})() > 1.05 * was", arg=was, timeout=60_000)


def test_a_sweep_is_counted_and_priced(desk: Desk) -> None:
    sweep = desk.page.locator(".ci-sweep")
    search = sweep.get_by_role("searchbox", name="Vary")
    search.fill("sharpen")
    search.press("Enter")
    sweep.get_by_role("textbox", name="SharpenLevel").fill("0, 9")
    sweep.locator(".ci-scount").get_by_text("2 runs").wait_for()
    sweep.locator(".ci-sprice").get_by_text("CNY").wait_for(timeout=60_000)


def test_the_jobs_that_were_run_are_listed(desk: Desk) -> None:
    desk.page.locator(".ci-monitor").scroll_into_view_if_needed()
    rows = desk.page.locator(".ci-jspace .ci-jrow[data-state=Success]")
    rows.nth(1).wait_for(timeout=60_000)
    assert rows.count() == 2


def test_a_key_moves_the_divider(desk: Desk) -> None:
    desk.page.locator(".cv").scroll_into_view_if_needed()
    desk.page.wait_for_function("() => !document.querySelector('.cv .wp-busy')", timeout=60_000)
    divider = desk.page.locator(".cv").get_by_role("slider", name="Divider between source")
    was = divider.bounding_box()["x"]
    divider.press("Home")
    assert divider.get_attribute("aria-valuenow") == "0"
    assert divider.bounding_box()["x"] < was - 100


def test_keys_vote_to_the_end_and_the_result_is_shown(desk: Desk) -> None:
    page = desk.page
    page.locator(".vo").scroll_into_view_if_needed()
    for number in range(2):
        page.wait_for_function(ASKED, arg=number, timeout=60_000)
        assert page.locator(".vo-count").inner_text() == f"Question {number + 1} of 2"
        page.locator(".vo").press("1")
    page.get_by_text("is preferred to the other").first.wait_for(timeout=60_000)


@pytest.mark.parametrize("kind", ["vscode-dark", "vscode-light", "vscode-high-contrast", ""])
@pytest.mark.parametrize("view", [ci.EnhancePanel, ci.CompareView], ids=["base.css", "compare.css"])
def test_text_is_readable_in_an_editors_colors(browser: Any, view: Any, kind: str) -> None:
    page = browser.new_page()
    root = "cv" if view is ci.CompareView else "ci-root ci-panel"
    page.set_content(EDITOR.format(css=view._css, kind=kind, root=root))
    if kind in ("vscode-light", ""):
        page.add_style_tag(content="body { background: white; }")
    assert serious(page, "main") == []
    page.close()
