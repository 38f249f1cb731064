"""The lines about what a job changes unasked, in a browser: before the job in both panels, after it in a Monitor."""

from __future__ import annotations

from pathlib import Path

from ci_notebook.media.ffmpeg import run
from tests.browser.jupyter import Desk

LAB = """\
import ci_notebook as ci
lab = ci.connect(home="{home}")
clip, plain = lab.upload("{film}"), lab.upload(ci.sample())
job = lab.submit(clip, {{"SharpenLevel": 1}}).wait()"""
VIEWS = ("panel = ci.EnhancePanel(lab, clip); panel", "ci.SweepPanel(lab, [clip, plain])", "ci.Monitor(lab)")
BITS = "yuv420p10le becomes yuv420p: 10 bits become 8."
TEXT = "Subtitles are left out."


def test_the_lines_follow_the_setting_and_are_hidden_without_any(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "text.srt").write_text("1\n00:00:00,000 --> 00:00:00,500\nHello\n")
    film = tmp_path / "film.mkv"
    moving = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1,format=yuv420p10le", "-i", tmp_path / "text.srt")
    run([*moving, "-c:v", "ffv1", "-c:s", "srt", film])
    desk.path = desk.write("changes.ipynb", LAB.format(home=tmp_path / "lab", film=film), *VIEWS)
    desk.open("changes.ipynb")
    desk.run_all()
    page = desk.page
    lines = page.locator(".ci-panel .ci-job-changes")
    lines.get_by_text(BITS).wait_for(timeout=60_000)
    assert lines.locator("li").all_text_contents() == [BITS, TEXT]
    lines.scroll_into_view_if_needed()
    desk.shot("panel")
    sweep = page.locator(".ci-sweep .ci-schanges")
    sweep.get_by_text(f"film.mkv: {TEXT}").wait_for(timeout=60_000)
    sweep.scroll_into_view_if_needed()
    desk.shot("sweep")
    page.locator(".ci-jspace .ci-jrow").first.click()
    message = page.locator(".ci-jdetail dt:text-is('Message') + dd")
    message.wait_for(timeout=60_000)
    assert message.inner_text() == f"{BITS} {TEXT}"
    message.scroll_into_view_if_needed()
    desk.shot("monitor")
    desk.ask('[panel.set("Container.Format", "mp4"), panel.set("Video.Codec", "H.265")]')
    page.wait_for_function("() => document.querySelectorAll('.ci-panel .ci-job-changes li').length === 1")
