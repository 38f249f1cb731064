"""The line about the clip in the head of the panels and of a comparison, in a browser."""

from __future__ import annotations

from pathlib import Path

from tests.browser.jupyter import Desk

LAB = """\
import ci_notebook as ci
lab = ci.connect(home="{home}")
clip, coffee = lab.upload(ci.sample()), lab.upload(ci.sample("coffee"))
job = lab.submit(clip, "Crisp detail").wait()"""
VIEWS = (
    "ci.EnhancePanel(lab, coffee.key)",
    "ci.SweepPanel(lab, [clip, coffee.key])",
    "ci.CompareView(lab, [clip, job])",
)
CITY = "640×360 · 25 fps · 3.0 s · H.264 8 bit · SDR · progressive · no sound"
COFFEE = "480×272 · 25 fps · 2.0 s · H.264 8 bit · SDR · progressive · no sound"


def test_each_head_says_what_the_clip_is(desk: Desk, tmp_path: Path) -> None:
    desk.path = desk.write("lines.ipynb", LAB.format(home=tmp_path / "lab"), *VIEWS)
    desk.open("lines.ipynb")
    desk.run_all()
    page = desk.page
    page.locator(".ci-panel .ci-clip-line").get_by_text(COFFEE).wait_for(timeout=60_000)
    for line in (CITY, COFFEE):
        page.locator(".ci-sweep .ci-sclips").get_by_text(line).wait_for(timeout=60_000)
    page.locator(".cv-facts").get_by_text(f"All: {CITY}").wait_for(timeout=60_000)
    page.locator(".cv-facts").scroll_into_view_if_needed()
    assert page.locator(".cv-readout").inner_text().startswith("(0 to 74) · ")
    desk.shot("lines")
