"""The monitor in JupyterLab, in a browser."""

from __future__ import annotations

import re

import pytest

from tests.browser.accessible import serious

LAB = """\
import ci_notebook as ci
from tests.ledger_jobs import fill
lab = ci.connect(home="{home}")
clip = lab.upload(ci.sample())
setting = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))"""
# A lab whose jobs cost money, as far as its monitor knows.
COSTLY = """\
from ci_notebook.lab.monitor_jobs import LabJobs
more = {"cache": lab.cache_dir, "result_html": lab.result_html, "durations": lab.job_durations}
type(lab).job_desk = property(lambda lab: LabJobs(lab.client, costs_money=True, **more))"""
MONITOR = "monitor = ci.Monitor(lab)\nmonitor"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 560, "height": 900}


@pytest.fixture
def shown(desk, tmp_path):
    """Run a notebook that makes jobs and shows them; what makes them is given."""

    def show(*cells: str, name: str = "monitor.ipynb"):
        desk.path = desk.write(name, LAB.format(home=tmp_path / "lab"), *cells, MONITOR)
        desk.open(name)
        desk.run_all()
        desk.page.wait_for_selector(".ci-monitor", timeout=60_000)
        return desk

    return show


def rows(page, state=""):
    return page.locator(f".ci-jspace .ci-jrow{f'[data-state={state}]' if state else ''}")


def chip(page, text):
    return page.get_by_role("button", name=re.compile(f"^{text}"), pressed=None)


def test_jobs_are_seen_to_move_and_a_result_is_opened(shown):
    desk = shown()
    page = desk.page
    page.get_by_text("There are no jobs yet.").wait_for()
    desk.ask("[lab.submit(clip, setting) and 1 for _ in range(2)]")
    rows(page).first.wait_for(timeout=20_000)
    rows(page, "Success").nth(1).wait_for(timeout=60_000)
    assert rows(page, "Success").count() == 2
    rows(page).first.get_by_role("button", name="Open").click()
    page.locator(".ci-jmessage").get_by_text("The result is below").wait_for(timeout=60_000)
    page.locator(".jp-OutputArea figure img").last.wait_for()
    assert desk.ask("len(monitor.opened), all(path.stat().st_size > 1000 for path in monitor.opened.values())") == (
        1,
        True,
    )
    page.locator(".ci-jlive").get_by_text("updating").wait_for()
    desk.shot("monitor-0-done")


def test_a_waiting_job_is_cancelled_and_sent_again_once_however_often_it_is_clicked(shown):
    desk = shown(
        "(queue,) = lab.queues.list()\nqueue = lab.queues.pause(queue)\njob = lab.submit(clip, setting)", COSTLY
    )
    page = desk.page
    rows(page, "Pause").wait_for(timeout=20_000)
    rows(page).click()
    assert serious(page, ".ci-monitor") == []
    rows(page).get_by_role("button", name="Cancel").dblclick()
    rows(page, "Cancel").wait_for(timeout=20_000)
    page.locator(".ci-jdetail").get_by_role("button", name="Submit again").click()
    page.get_by_text("It costs about 0.0200 CNY").wait_for()
    assert desk.ask("len(list(lab.jobs()))") == 1, "what costs money is asked for twice"
    desk.shot("monitor-7-asks")
    page.get_by_role("button", name="Submit the job").dblclick()
    rows(page, "Pause").wait_for(timeout=20_000)
    assert desk.ask("[one.state for one in lab.jobs()]") == ["Pause", "Cancel"]
    # It keeps polling while it is visible; a refusal of the service is shown in the panel.
    assert desk.ask("lab.queues.resume(queue) and 1") == 1
    rows(page, "Success").wait_for(timeout=60_000)
    press = "{'do': 'cancel', 'ids': [monitor.jobs[0].job_id], 'press': 'late'}"
    message = f"{{'content': {{'data': {{'method': 'custom', 'content': {press}}}}}, 'buffers': []}}"
    desk.ask(f"monitor.comm.handle_msg({message})")
    page.locator(".ci-monitor > [role=alert]").filter(has_text="only a job in Submitted or Pause").wait_for()
    desk.shot("monitor-1-refused")


def test_a_thousand_jobs_are_scrolled_filtered_and_come_back_after_a_restart(shown):
    desk = shown("ids = [] if any(lab.jobs()) else fill(lab, clip, 1000)")
    page = desk.page
    chip(page, "All 1000").wait_for(timeout=30_000)
    assert rows(page).count() < 40, "only what is in view is there"
    page.set_viewport_size(WIDE)
    desk.shot("monitor-2-many")
    oldest = desk.ask("ids[0]")
    grid = page.get_by_role("grid", name="Jobs")
    assert grid.get_attribute("aria-rowcount") == "1001"
    grid.focus()
    page.keyboard.press("End")
    last = page.locator("[aria-rowindex='1001'][aria-selected=true]")
    last.wait_for()
    assert last.get_attribute("data-id") == oldest
    assert grid.get_attribute("aria-activedescendant") == last.get_attribute("id")

    page.keyboard.press("Home")
    chip(page, "Failed").click()
    page.wait_for_function("() => document.querySelector('.ci-jgrid').getAttribute('aria-rowcount') < 100")
    rows(page, "Failed").first.click()
    detail = page.locator(".ci-jdetail")
    detail.get_by_text("ResourceNotSupported").wait_for()
    assert detail.get_by_text("no <video> in it").is_visible()
    assert detail.get_by_text("The input is broken, or its format is not supported").is_visible()
    assert serious(page, ".ci-monitor") == []
    desk.shot("monitor-3-failed")
    page.get_by_role("searchbox", name="Filter").fill("contrast 30")
    page.wait_for_function("() => document.querySelector('.ci-jgrid').getAttribute('aria-rowcount') < 10")
    page.set_viewport_size(NARROW)
    page.get_by_role("searchbox", name="Filter").fill("")
    chip(page, "All").click()
    rows(page).first.wait_for()
    over = page.evaluate(
        "() => { const p = document.querySelector('.ci-monitor'); return p.scrollWidth - p.clientWidth; }"
    )
    assert over <= 0
    desk.shot("monitor-4-narrow")
    desk.theme("JupyterLab Dark")
    assert serious(page, ".ci-monitor") == []
    desk.shot("monitor-5-narrow-dark")
    page.set_viewport_size(WIDE)
    desk.shot("monitor-6-dark")
    desk.theme("JupyterLab Light")

    saved = "".join(str(output) for output in desk.save(desk.path).cells[-1].outputs)
    assert "1000 jobs" in saved and "no &lt;video&gt; in it" in saved
    desk.restart_kernel()
    desk.run_all()
    page.wait_for_function("() => document.querySelectorAll('.ci-monitor').length === 1", timeout=60_000)
    chip(page, "All 1000").wait_for(timeout=60_000)
    assert desk.ask("ids") == [], "nothing was sent again: the service listed them"
