"""The panels where they are not in JupyterLab: as a page of Voila's, and in Notebook 7."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ci_notebook.media.samples import sample
from tests.browser.jupyter import Desk, Server, page_at, running_app, running_server
from tests.browser.test_panel import LAB, PANEL, html, number, stage, wait_for_xml
from tests.browser.test_take_away import PLAYS

AFTER = ".jupyter-widgets img[alt*='After']"
SWEPT = ".jupyter-widgets table:has-text('succeeded')"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def kernels_of(server: Server) -> list[psutil.Process]:
    """Return the kernels that a server has started."""
    folder = str(server.root.parent)
    return [
        one
        for one in psutil.process_iter(["cmdline", "environ"])
        if "ipykernel_launcher" in (one.info["cmdline"] or ())
        and (one.info["environ"] or {}).get("CI_NOTEBOOK_HOME", "").startswith(folder)
    ]


@pytest.fixture
def app(browser: Any, tmp_path: Path, shots: Path) -> Iterator[Desk]:
    with running_app(tmp_path, sample("portrait")) as server, page_at(server, browser, shots) as desk:
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"


@pytest.fixture
def notebook(browser: Any, tmp_path: Path, shots: Path) -> Iterator[Desk]:
    with running_server(tmp_path, "notebook") as server, page_at(server, browser, shots) as desk:
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"


def played_and_saved(page: Any, view: str, name: str) -> str:
    """Play and save one video of a view; return the name of the file that the browser saves."""
    shown = page.locator(view)
    shown.get_by_role("button", name=f"Play {name}").click()
    page.wait_for_function(PLAYS, arg=f"{view} video", timeout=60_000)
    with page.expect_download(timeout=60_000) as download:
        shown.get_by_role("button", name=f"Download {name}").click()
    assert Path(download.value.path()).stat().st_size > 10_000
    return str(download.value.suggested_filename)


def test_a_colleague_sets_submits_compares_and_sees_the_job_without_code(app: Desk) -> None:
    page = app.page
    page.goto(app.server.url + app.server.opens, wait_until="commit")
    page.wait_for_selector(".ci-panel", timeout=90_000)
    assert page.title() == "Video enhancement"
    assert page.get_by_role("heading", name="portrait.mp4", level=1).is_visible()
    app.shot("app-0-open")

    stage(page, "MsSharpen").click()
    number(page, "SharpenLevel").fill("5")
    wait_for_xml(page, "<SharpenLevel>5</SharpenLevel>")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_selector(AFTER, timeout=90_000)
    app.shot("app-1-done")
    assert played_and_saved(page, ".ci-panel", "portrait-SharpenLevel-5.mp4") == "portrait-SharpenLevel-5.mp4"
    app.shot("app-1-played")

    page.get_by_role("tab", name="Compare").click()
    page.locator(".wp-picture:visible").first.wait_for()
    app.shot("app-2-compare")
    assert played_and_saved(page, ".cv", "source") == "portrait.mp4"
    page.get_by_role("tab", name="Many settings").click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector(SWEPT, timeout=90_000)
    with page.expect_download(timeout=60_000) as download:
        page.locator(".ci-sweep .ta-row").last.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename.startswith("portrait-")
    app.shot("app-3-sweep")
    page.get_by_role("tab", name="Jobs").click()
    page.locator(".ci-monitor").get_by_text("Success").first.wait_for()
    app.shot("app-4-jobs")
    page.locator(".ci-monitor [role=row][data-id]").first.click()
    assert played_and_saved(page, ".ci-monitor", "portrait.mp4").startswith("portrait-")
    app.shot("app-4-played")

    page.set_viewport_size({"width": 480, "height": 1000})
    page.get_by_role("tab", name="One setting").click()
    assert page.evaluate(TOO_WIDE) <= 0
    app.shot("app-5-narrow")

    assert page.locator(".ci-gone:not(:empty)").count() == 0
    kernels_of(app.server)[0].kill()
    page.locator(".ci-gone:visible").filter(has_text="Disconnected. Reload the page.").wait_for(timeout=60_000)
    assert page.evaluate("() => document.querySelector('.ci-panel').inert")
    assert page.locator(AFTER).is_visible(), "results stay"
    app.shot("app-6-disconnected")


def test_the_panel_works_in_notebook_7(notebook: Desk) -> None:
    path = notebook.write("panel.ipynb", LAB, PANEL)
    notebook.open("panel.ipynb")
    notebook.run_all()
    page = notebook.page
    page.wait_for_selector(".ci-panel", timeout=60_000)
    stage(page, "MsSharpen").click()
    number(page, "SharpenLevel").fill("5")
    wait_for_xml(page, "<SharpenLevel>5</SharpenLevel>")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_selector(".jp-OutputArea figure img[alt*='After']", timeout=90_000)
    notebook.shot("notebook7-0-done")
    assert notebook.ask("panel.value.ms_sharpen.sharpen_level") == 5
    saved = notebook.save(path)
    assert any("<b>Success</b>" in html(output) for output in saved.cells[-1].outputs)
