"""The sweep panel in JupyterLab, in a browser."""

from __future__ import annotations

import pytest

from tests.browser.accessible import serious
from tests.browser.test_monitor import NARROW

LAB = """\
import ci_notebook as ci
lab = ci.connect(home="{home}")
clips = [lab.upload(ci.sample()), lab.upload(ci.sample("coffee"))]"""
PANEL = "panel = ci.SweepPanel(lab, clips)\npanel"


@pytest.fixture
def panel(desk, tmp_path):
    """A notebook with a sweep's panel, run and drawn."""
    desk.path = desk.write("sweep.ipynb", LAB.format(home=tmp_path / "lab"), PANEL)
    desk.open("sweep.ipynb")
    desk.run_all()
    desk.page.wait_for_selector(".ci-sweep", timeout=60_000)
    return desk


def choose(page, word):
    page.get_by_role("searchbox", name="Vary").fill(word)
    page.keyboard.press("Enter")


def wait_for_code(page, text):
    page.wait_for_function("text => document.querySelector('.ci-python pre').textContent.includes(text)", arg=text)


def test_four_levels_are_chosen_priced_run_and_shown(panel):
    page = panel.page
    panel.shot("sweep-0-empty")
    choose(page, "sharpen")
    values = page.get_by_role("textbox", name="SharpenLevel")
    assert values.evaluate("one => one === document.activeElement"), "what was chosen can be typed at once"
    values.fill("0, 3, 6, 9")
    wait_for_code(page, "SharpenLevel=[0, 3, 6, 9]")
    page.get_by_role("checkbox").nth(1).uncheck()
    page.locator(".ci-scount").get_by_text("4 runs").wait_for()
    wait_for_code(page, "lab.run([clips[0]], sweep)")
    page.locator(".ci-sprice").get_by_text("CNY").wait_for(timeout=20_000)
    assert page.locator(".ci-stable tbody tr").count() == 4
    assert serious(page, ".ci-sweep") == []

    values.fill("0, 3, 11")
    row = page.locator("[data-path='MsSharpen.SharpenLevel']")
    row.get_by_role("alert").filter(has_text="0 to 10 or AUTO").wait_for()
    assert values.get_attribute("aria-invalid") == "true"
    assert "[0, 3, 6, 9]" in page.locator(".ci-python pre").inner_text()
    panel.shot("sweep-1-refused")

    values.fill("0, 9")
    wait_for_code(page, "SharpenLevel=[0, 9]")
    page.get_by_role("button", name="Run", exact=True).dblclick()
    page.get_by_role("progressbar", name="Progress of the sweep").wait_for()
    panel.shot("sweep-2-running")
    page.locator(".ci-sweep .ci-status").get_by_text("Done", exact=True).wait_for(timeout=120_000)
    assert panel.ask(
        "len(list(lab.jobs())), len(panel.runs), panel.runs.to_frame()['MsSharpen.SharpenLevel'].tolist()"
    ) == (2, 2, [0, 9])
    page.locator(".jp-OutputArea figure img").last.wait_for(timeout=20_000)
    page.locator(".ci-ssum").get_by_text("2 of them are in the journal").wait_for(timeout=20_000)
    page.set_viewport_size({"width": 1280, "height": 1500})
    panel.shot("sweep-3-done")
    saved = "".join(str(output) for output in panel.save(panel.path).cells[-1].outputs)
    assert "2 of 2 succeeded" in saved and "<figure" in saved


def test_words_are_pressed_keys_are_its_own_and_it_fits_a_narrow_page(panel):
    page = panel.page
    choose(page, "resolution")
    choose(page, "frame doubling")
    choose(page, "saturation")
    assert page.locator(".ci-svaried").count() == 3
    page.get_by_role("button", name="hdto4k for Resolution").click()
    page.get_by_role("button", name="left out for Resolution").click()
    assert page.get_by_role("textbox", name="Resolution").input_value() == "sdtohd, left out"
    wait_for_code(page, "Resolution=['sdtohd', None]")
    page.get_by_label("Design").select_option("random")
    page.get_by_label("Runs per clip").fill("5")
    page.get_by_role("textbox", name="Saturation").fill("50..200")
    wait_for_code(page, "Saturation=(50, 200)")
    page.locator(".ci-scount").get_by_text("10 runs").wait_for()
    page.get_by_role("button", name="Stop varying FrameDoubling").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.ci-svaried').length === 2")
    page.locator(".ci-sprice").get_by_text("CNY").wait_for(timeout=20_000)
    page.set_viewport_size({"width": 1280, "height": 1300})
    panel.shot("sweep-4-random")
    panel.theme("JupyterLab Dark")
    assert serious(page, ".ci-sweep") == []
    panel.shot("sweep-5-dark")
    page.set_viewport_size({**NARROW, "width": 500, "height": 1700})
    over = page.evaluate(
        "() => { const p = document.querySelector('.ci-sweep'); return p.scrollWidth - p.clientWidth; }"
    )
    assert over <= 0
    panel.shot("sweep-6-narrow-dark")
    page.get_by_role("textbox", name="Resolution").focus()
    cells = page.locator(".jp-CodeCell").count()
    page.keyboard.type("dd")
    assert page.locator(".jp-CodeCell").count() == cells, "JupyterLab took no key for its own"
