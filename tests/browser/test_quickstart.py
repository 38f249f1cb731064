"""The quickstart as a newcomer meets it: run, a slider dragged, Submit pressed once, saved, read without a kernel."""

from __future__ import annotations

import shutil

from ci_notebook.cli.lab import QUICKSTART, tutorials
from tests.browser.test_panel import drag, number, slider, wait_for_xml

LAST_CHART = "() => document.querySelectorAll('.jp-OutputArea figure img[alt*=\"vmaf_neg\"]').length > 0"
RESULT = "Job <code>"
JOBS = "len(list(lab.jobs()))"


def test_the_quickstart_runs_the_panel_submits_and_the_saved_notebook_needs_no_kernel(desk):
    path = desk.server.root / QUICKSTART
    shutil.copyfile(tutorials() / QUICKSTART, path)
    desk.page.set_viewport_size({"width": 1280, "height": 4200})  # JupyterLab draws only the cells that are in view
    desk.open(QUICKSTART)
    desk.command("notebook:clear-all-cell-outputs")
    desk.run_all()
    page = desk.page
    page.wait_for_selector(".ci-panel", timeout=60_000)
    page.wait_for_function(LAST_CHART, timeout=240_000)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

    drag(page, slider(page, "SharpenLevel"), 0.8)
    assert number(page, "SharpenLevel").input_value() == "8"
    wait_for_xml(page, "<SharpenLevel>8</SharpenLevel>")
    before = desk.ask(JOBS)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_selector(".jp-OutputArea figure img[alt*='After']", timeout=120_000)
    desk.shot("quickstart-1-done")

    outputs = [out for cell in desk.save(path).cells for out in cell.get("outputs", [])]
    traces = ["".join(out.get("data", {}).get("text/html", "")) for out in outputs]
    assert sum(trace.count(RESULT) for trace in traces) == 1, "one press, one job"
    assert desk.ask(JOBS) == before + 1

    desk.end_kernel()
    desk.open(QUICKSTART, kernel=False)
    page.wait_for_function(LAST_CHART, timeout=60_000)
    after = page.locator(".jp-OutputArea figure img[alt*='After']")
    after.scroll_into_view_if_needed()
    assert after.is_visible()
    desk.shot("quickstart-2-without-kernel")
