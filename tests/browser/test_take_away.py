"""Results are played and saved on the page: in panel, monitor, compare view and `ci.play`."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.accessible import serious
from tests.browser.jupyter import Desk, page_at
from tests.support import write_clip

LAB = """\
import ci_notebook as ci
from pathlib import Path
lab = ci.connect()
clip = lab.upload(ci.sample("portrait"))
panel = ci.EnhancePanel(lab, clip, {"SharpenLevel": 5})
panel"""
RUNS = """\
runs = lab.run(clip, ci.grid(None, SharpenLevel=[3, 9]), scores=False)
view = ci.CompareView(runs)
view"""
MONITOR = "monitor = ci.Monitor(lab)\nmonitor"
PLAY = "played = ci.play(runs, ci.sample('portrait'), height=240)\nplayed"
PLAYED = ".ci-play[aria-label^='Play SharpenLevel 3']"
PROXY = "copied = ci.play('odd.avi')\ncopied"
# Frames are decoded, and the time moves.
PLAYS = """selector => {
    const videos = [...document.querySelectorAll(selector)];
    return videos.length > 0 && videos.every(one => one.readyState >= 2 && one.currentTime > 0.2 && one.videoWidth > 0);
}"""
SHOWS = """selector => {
    const videos = [...document.querySelectorAll(selector)];
    return videos.length > 0 && videos.every(one => one.readyState >= 2 && one.videoWidth > 0);
}"""


@pytest.fixture(scope="module")
def desk(browser: Any, server: Any, tmp_path_factory: pytest.TempPathFactory):
    shots = Path(os.environ.get("CI_NOTEBOOK_SHOTS", tmp_path_factory.mktemp("shots")))
    with page_at(server, browser, shots) as desk:
        write_clip(server.root / "odd.avi", "-c:v", "libx264", "-pix_fmt", "yuv420p", seconds=1)
        desk.path = desk.write("take.ipynb", LAB, RUNS, MONITOR, PLAY, PROXY)
        desk.page.set_viewport_size({"width": 1280, "height": 1100})
        desk.open("take.ipynb")
        desk.run_all()
        desk.page.wait_for_selector(".ci-play[aria-label='Play odd.avi']", timeout=180_000)
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"


def saved(page: Any, button: Any) -> tuple[str, bytes]:
    """Press a button; return name and content of the file that the browser saves."""
    with page.expect_download(timeout=60_000) as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def bytes_of(desk: Desk, expression: str) -> tuple[int, str]:
    code = f"(lambda data: (len(data), __import__('hashlib').md5(data).hexdigest()))({expression})"
    return tuple(desk.ask(code))


def output(run: int) -> str:
    return f"lab.job(runs[{run}].job.job_id).download('run{run}.mp4').read_bytes()"


def facts(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.md5(data).hexdigest()


def test_ci_play_shows_videos_side_by_side_and_plays_all_at_once(desk: Desk) -> None:
    page = desk.page
    player = page.locator(PLAYED)
    player.scroll_into_view_if_needed()
    page.wait_for_function(SHOWS, arg=f"{PLAYED} video", timeout=60_000)
    assert player.locator("video").count() == 3
    # Not the inner text: JupyterLab does not lay out what is far outside the page.
    assert player.locator("figcaption b").all_text_contents() == ["SharpenLevel 3", "SharpenLevel 9", "portrait.mp4"]
    tops = player.locator("video").evaluate_all("all => all.map(one => Math.round(one.getBoundingClientRect().top))")
    assert len(set(tops)) == 1, "side by side"
    player.get_by_role("button", name="Mute").click()
    player.get_by_role("button", name="Play all").click()
    page.wait_for_function(PLAYS, arg=f"{PLAYED} video", timeout=30_000)
    assert player.locator("video").evaluate_all("all => all.every(one => one.muted)")
    desk.shot("take-0-play")
    assert serious(page, PLAYED) == []
    name, data = saved(page, player.get_by_role("button", name="Download SharpenLevel 9"))
    assert name == "portrait-SharpenLevel-9.mp4"
    assert facts(data) == bytes_of(desk, output(1))


def test_the_result_of_a_panel_is_played_and_saved(desk: Desk) -> None:
    page = desk.page
    panel = page.locator(".ci-panel")
    panel.get_by_role("button", name="Submit").click()
    play = panel.get_by_role("button", name="Play portrait-SharpenLevel-5.mp4")
    play.wait_for(timeout=60_000)
    play.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(PLAYS, arg=".ci-panel video", timeout=60_000)
    panel.locator("video").scroll_into_view_if_needed()
    desk.shot("take-1-panel")
    name, data = saved(page, panel.get_by_role("button", name="Download portrait-SharpenLevel-5.mp4"))
    assert name == "portrait-SharpenLevel-5.mp4"
    assert facts(data) == bytes_of(desk, "panel.job.download('panel.mp4').read_bytes()")
    assert serious(page, ".ci-panel .ta") == []
    panel.get_by_role("button", name="Close the player").click()
    assert panel.locator("video").count() == 0


def test_every_side_of_a_comparison_is_played_and_saved(desk: Desk) -> None:
    page = desk.page
    view = page.locator(".cv")
    view.get_by_role("button", name="Play side by side").click()
    page.wait_for_function(PLAYS, arg=".cv video", timeout=60_000)
    assert view.locator("video").count() == 3
    view.locator("video").first.scroll_into_view_if_needed()
    desk.shot("take-2-compare")
    for name, expression in (
        ("source", "ci.sample('portrait').read_bytes()"),
        ("SharpenLevel 3", output(0)),
    ):
        _, data = saved(page, view.get_by_role("button", name=f"Download {name}", exact=True))
        assert facts(data) == bytes_of(desk, expression)


def test_a_job_of_the_monitor_is_played_and_saved(desk: Desk) -> None:
    page = desk.page
    monitor = page.locator(".ci-monitor")
    job_id = desk.ask("runs[1].job.job_id")  # the lab may have older jobs, of other clips
    monitor.locator(f"[role=row][data-id='{job_id}']").click()
    monitor.get_by_role("button", name="Play portrait.mp4").click()
    page.wait_for_function(PLAYS, arg=".ci-monitor video", timeout=60_000)
    monitor.locator("video").scroll_into_view_if_needed()
    desk.shot("take-3-monitor")
    row = monitor.locator("[aria-selected=true]").get_attribute("data-id")
    name, data = saved(page, monitor.get_by_role("button", name="Download portrait.mp4"))
    assert facts(data) == bytes_of(desk, f"lab.job({row!r}).download('monitor.mp4').read_bytes()")
    assert name.startswith("portrait-SharpenLevel-")


def test_what_the_browser_cannot_play_is_shown_as_a_copy_and_saved_as_it_is(desk: Desk) -> None:
    page = desk.page
    player = page.locator(".ci-play[aria-label='Play odd.avi']")
    player.get_by_text("Browsers do not play AVI files. Proxy: 8-bit H.264 copy").wait_for(timeout=60_000)
    player.locator("video").evaluate("one => { one.muted = true; one.play(); }")
    page.wait_for_function(PLAYS, arg=".ci-play[aria-label='Play odd.avi'] video", timeout=30_000)
    name, data = saved(page, player.get_by_role("button", name="Download odd.avi"))
    assert (name, data) == ("odd.avi", (desk.server.root / "odd.avi").read_bytes())
    desk.shot("take-4-proxy")


def test_the_page_is_narrow_and_dark(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size({"width": 520, "height": 1000})
    player = page.locator(PLAYED)
    player.locator("video").first.scroll_into_view_if_needed()
    lefts = player.locator("video").evaluate_all("all => all.map(one => Math.round(one.getBoundingClientRect().left))")
    assert len(set(lefts)) == 1, "below each other"
    desk.theme("JupyterLab Dark")
    assert serious(page, PLAYED) == []
    desk.shot("take-5-narrow-dark")


def test_a_saved_notebook_keeps_a_frame_of_each_video(desk: Desk) -> None:
    saved_cell = "".join(str(output) for output in desk.save(desk.path).cells[3].outputs)
    assert saved_cell.count("<figure") == 3
    assert "SharpenLevel 9" in saved_cell
    state = json.dumps(desk.save(desk.path).metadata.get("widgets", {}))
    assert "ftyp" not in state, "no video is in the state of the widgets"
