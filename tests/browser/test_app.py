"""The panels where they are not in JupyterLab: as a page of Voila's, and in Notebook 7."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ci_notebook.media.samples import sample
from tests.browser.jupyter import Desk, Server, page_at, running_app, running_server
from tests.browser.test_panel import LAB, PANEL, html, number, stage, wait_for_xml
from tests.browser.test_take_away import PLAYS
from tests.support import until

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
    assert "token" not in page.url + page.content() + page.evaluate("() => document.referrer + document.cookie")
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


class _Stranger(http.server.BaseHTTPRequestHandler):
    """Another web page, on another port of this machine: of the same site, and of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>stranger</title><p>hello")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


ATTACK = """async url => {
    const said = [];
    for (const mode of ['no-cors', 'cors']) {
        await fetch(url, {mode, credentials: 'include'}).then(r => said.push(r.type), e => said.push('error'));
    }
    for (const tag of ['img', 'iframe', 'script']) {
        const one = document.createElement(tag);
        one.src = url + '?n=' + tag;
        document.body.append(one);
        await new Promise(done => { one.onload = one.onerror = done; });
    }
    const socket = new WebSocket(url.replace('http', 'ws') + 'api/kernels/KERNEL/channels');
    said.push(await new Promise(done => {
        socket.onopen = () => done('open');
        socket.onerror = () => done('closed');
    }));
    const form = document.createElement('form');
    form.action = url;
    document.body.append(form);
    form.submit();
    return said;
}"""


def test_another_page_in_the_same_browser_starts_no_kernel_and_reaches_none(app: Desk, stranger: str) -> None:
    page, url = app.page, app.server.url + "/"
    page.goto(app.server.url + app.server.opens, wait_until="commit")
    page.wait_for_selector(".ci-panel", timeout=90_000)
    (mine,) = kernels_of(app.server)
    kernel_id = page.evaluate("() => JSON.stringify([...performance.getEntriesByType('resource')].map(e => e.name))")
    found = re.search(r"/api/kernels/([0-9a-f-]{36})", kernel_id + page.content())
    other = page.context.new_page()
    other.goto(stranger)
    with other.expect_navigation(url=re.compile(re.escape(url))) as moved:
        said = other.evaluate(ATTACK.replace("KERNEL", found[1] if found else "0"), url)
    assert said in (["opaque", "error", "closed"], ["error", "error", "closed"])
    assert moved.value.status == 403
    assert "no requests from other pages" in other.content()
    app.page.screenshot(path=str(app.shots / "app-7-own.png"))
    other.screenshot(path=str(app.shots / "app-7-refused.png"))
    assert [one.pid for one in kernels_of(app.server)] == [mine.pid]


def test_a_closed_page_ends_its_kernel_and_too_many_pages_are_refused(
    browser: Any, tmp_path: Path, shots: Path
) -> None:
    options = ("--max-pages=1", "--closed-seconds=4")
    with running_app(tmp_path, sample(), *options) as server, page_at(server, browser, shots) as desk:
        desk.page.goto(server.url + server.opens, wait_until="commit")
        desk.page.wait_for_selector(".ci-panel", timeout=90_000)
        second = desk.page.context.new_page()
        answer = second.goto(server.url)
        assert answer.status == 503
        assert "The limit of 1 open page is reached. Close one, wait 4 seconds" in second.content()
        second.screenshot(path=str(shots / "app-8-too-many.png"))
        desk.page.reload(wait_until="commit")  # a page that reloads does not count twice
        desk.page.wait_for_selector(".ci-panel", timeout=90_000)
        desk.page.goto("about:blank")
        until(lambda: not kernels_of(server), 30)
