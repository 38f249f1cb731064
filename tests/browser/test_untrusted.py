"""A notebook that came by mail: JupyterLab does not trust it, strips inline drawings, and keeps images."""

from __future__ import annotations

import nbformat

from ci_notebook.results.verdict.verdict import verdicts
from tests.results.sample_runs import made

DRAWN = """() => {
    const drawn = [...document.querySelectorAll('.jp-OutputArea img[alt^="Difference"]')];
    return drawn.length === 3 && drawn.every(one => one.complete && one.naturalWidth === 600);
}"""


def test_verdicts_keep_their_drawings_in_a_notebook_that_is_not_trusted(desk):
    found = verdicts(made(clips=("city", "sea", "park")), "SharpenLevel", 0, 3, 6, on="vmaf_neg")
    stranger = "<p>stripped: <svg width='10' height='10'><text>00.7833.49</text></svg></p>"
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("2")]
    for cell, html in zip(cells, (found._repr_html_(), stranger), strict=True):
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/html": html, "text/plain": "-"})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), desk.server.root / "stranger.ipynb")
    desk.open("stranger.ipynb", kernel=False)
    page = desk.page
    page.wait_for_function(DRAWN, timeout=30_000)
    desk.shot("untrusted-verdicts")
    outputs = page.locator(".jp-OutputArea-output")
    page.wait_for_function("() => document.body.innerText.includes('stripped:')")
    assert outputs.locator("svg").count() == 0, "the notebook is not trusted"
    assert "is worse than 0 by" in outputs.first.inner_text()
