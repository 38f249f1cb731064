"""The panel as a hand and an eye meet it: in JupyterLab, in a browser."""

from __future__ import annotations

import re

import pytest
from nbconvert import HTMLExporter

LAB = """\
import ci_notebook as ci
lab = ci.connect()
clip = lab.upload(ci.sample())"""
# What is switched on shows more switches.
ALL_ON = """() => {
    for (const one of document.querySelectorAll('.ci-panel .ci-add')) one.click();
    for (let off; (off = [...document.querySelectorAll('.ci-panel .ci-switch')].filter(one => !one.checked)).length;)
        off.forEach(one => one.click());
    for (const one of document.querySelectorAll('.ci-panel details')) one.open = true;
}"""
# Inputs and buttons of the panel that have neither a label that is seen nor, for a slider, one that names it.
NAMELESS = """() => [...document.querySelectorAll('.ci-panel :is(input, select, button, progress, textarea)')]
    .filter(one => !(one.getAttribute('aria-label') || one.textContent.trim()
        || [...(one.labels ?? [])].some(label => label.textContent.trim() && label.checkVisibility())
        || document.getElementById(one.getAttribute('aria-labelledby'))?.textContent.trim()))
    .map(one => one.outerHTML)"""
PANEL = "panel = ci.EnhancePanel(lab, clip)\npanel"


@pytest.fixture
def panel(desk):
    """A notebook with a panel, run and drawn."""
    desk.path = desk.write("panel.ipynb", LAB, PANEL)
    desk.open("panel.ipynb")
    desk.run_all()
    desk.page.wait_for_selector(".ci-panel", timeout=30_000)
    return desk


def html(output):
    return "".join(output.get("data", {}).get("text/html", ""))


def stage(page, name):
    return page.get_by_role("switch", name=re.compile(rf"\b{name}\b"))


def slider(page, name):
    return page.get_by_role("slider", name=name, exact=True)


def number(page, name):
    return page.get_by_role("spinbutton", name=name, exact=True)


def wait_for_xml(page, text):
    page.wait_for_function("text => document.querySelector('.ci-xml pre').textContent.includes(text)", arg=text)


def drag(page, handle, share):
    """Drag a slider's handle with the mouse to a share of its track."""
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 8, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 8 + (box["width"] - 16) * share, middle, steps=10)
    page.mouse.up()


def test_dragging_the_slider_moves_number_python_and_xml(panel):
    page = panel.page
    panel.shot("panel-0-empty")
    stage(page, "MsSharpen").click()
    drag(page, slider(page, "SharpenLevel"), 0.7)
    level = number(page, "SharpenLevel").input_value()
    assert level == "7"
    wait_for_xml(page, f"<SharpenLevel>{level}</SharpenLevel>")
    assert f"sharpen_level={level}" in page.locator(".ci-python pre").inner_text()
    panel.shot("panel-1-dragged")


def test_python_steps_and_arrow_keys_are_the_panels_own(panel):
    page = panel.page
    stage(page, "MsSharpen").focus()
    page.keyboard.press("Space")
    slider(page, "SharpenLevel").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    wait_for_xml(page, "<SharpenLevel>3</SharpenLevel>")
    page.keyboard.press("ArrowLeft")
    wait_for_xml(page, "<SharpenLevel>2</SharpenLevel>")
    assert number(page, "SharpenLevel").input_value() == "2"
    assert page.evaluate("() => document.activeElement.type") == "range", "JupyterLab did not take the arrow"
    # AUTO and left out are radios: arrows move between them.
    page.get_by_role("radio", name="value").focus()
    page.keyboard.press("ArrowLeft")
    wait_for_xml(page, "<SharpenLevel/>")
    page.keyboard.press("ArrowLeft")
    wait_for_xml(page, "<MsSharpen/>")


def test_a_value_that_is_not_taken_is_marked_at_its_control(panel):
    page = panel.page
    stage(page, "MsSharpen").click()
    box = number(page, "SharpenLevel")
    box.fill("5")
    wait_for_xml(page, "<SharpenLevel>5</SharpenLevel>")
    box.fill("11")
    row = page.locator("[data-path='MsSharpen.SharpenLevel']")
    row.get_by_role("alert").filter(has_text="0 to 10 or AUTO").wait_for()
    assert box.get_attribute("aria-invalid") == "true"
    assert box.input_value() == "11", "nothing is clamped"
    assert "<SharpenLevel>5</SharpenLevel>" in page.locator(".ci-xml pre").inner_text()
    panel.shot("panel-2-refused")
    page.get_by_role("button", name="Submit").click()
    page.locator(".ci-foot").get_by_role("alert").filter(has_text="Nothing was sent").wait_for()
    page.get_by_role("button", name="Submit", disabled=False).click()  # the same answer twice is still an answer
    page.get_by_role("button", name="Submit", disabled=False).wait_for()
    box.fill("4")
    wait_for_xml(page, "<SharpenLevel>4</SharpenLevel>")
    assert row.get_by_role("alert").count() == 0
    assert box.get_attribute("aria-invalid") is None


def test_every_control_has_a_name_and_every_name_is_seen(panel):
    page = panel.page
    page.evaluate(ALL_ON)
    assert page.get_by_role("switch", checked=False).count() == 0
    assert page.evaluate(NAMELESS) == []
    page.set_viewport_size({"width": 1280, "height": 2600})
    panel.shot("panel-3-all-on")
    panel.theme("JupyterLab Dark")
    panel.shot("panel-4-all-on-dark")


def test_double_click_makes_one_job_and_its_result_stays_without_a_kernel(panel):
    page = panel.page
    stage(page, "MsSharpen").click()
    number(page, "SharpenLevel").fill("5")
    before = panel.ask("len(list(lab.jobs()))")
    page.get_by_role("button", name="Submit").dblclick()
    page.get_by_role("progressbar", name="Progress of the job").wait_for()
    panel.shot("panel-5-running")
    page.locator(".ci-status[data-state=Success]").wait_for(timeout=60_000)
    assert panel.ask("len(list(lab.jobs()))") == before + 1
    job_id = panel.ask("panel.job.id")
    page.locator(".jp-OutputArea figure img").last.scroll_into_view_if_needed()
    panel.shot("panel-6-done")

    saved = panel.save(panel.path)
    (trace,) = (html(output) for output in saved.cells[-1].outputs if "figure" in html(output))
    assert trace.count("<b>Success</b>") == 1 and job_id in trace
    assert "http" not in trace and "<script" not in trace
    page_of_its_own, _ = HTMLExporter().from_notebook_node(saved)
    assert page_of_its_own.count("data:image/jpeg;base64,") == 2, "an export shows the pictures, too"

    panel.end_kernel()
    panel.open(panel.path.name)
    panel.end_kernel()  # opening a notebook starts a new one, which knows nothing of the panel
    page.get_by_text("No Kernel", exact=True).wait_for()
    outputs = page.locator(".jp-OutputArea")
    assert outputs.get_by_text("MsSharpen.SharpenLevel").is_visible()
    assert outputs.get_by_text(job_id, exact=True).is_visible()
    widths = page.evaluate(
        "() => [...document.querySelectorAll('.jp-OutputArea figure img')].map(one => one.naturalWidth)"
    )
    assert len(widths) == 2 and min(widths) > 100, "both pictures are in the notebook itself"
    panel.shot("panel-7-without-kernel")


def test_a_panel_with_a_key_comes_back_after_a_restart(desk):
    desk.write("keyed.ipynb", LAB, "panel = ci.EnhancePanel(lab, clip, key='mine')\npanel")
    desk.open("keyed.ipynb")
    desk.run_all()
    stage(desk.page, "ColorEnhance").click()
    number(desk.page, "Saturation").fill("120")
    wait_for_xml(desk.page, "<Saturation>120</Saturation>")
    desk.restart_kernel()
    desk.run_all()
    desk.page.wait_for_function("() => document.querySelectorAll('.ci-panel').length === 1", timeout=30_000)
    wait_for_xml(desk.page, "<Saturation>120</Saturation>")
    assert number(desk.page, "Saturation").input_value() == "120"
    assert desk.ask("panel.value.color_enhance.saturation") == 120


def test_a_narrow_page_puts_everything_below_each_other(panel):
    page = panel.page
    stage(page, "ColorEnhance").click()
    page.set_viewport_size({"width": 560, "height": 1000})
    wide = page.evaluate(
        "() => { const p = document.querySelector('.ci-panel'); return p.scrollWidth - p.clientWidth; }"
    )
    assert wide <= 0
    panel.shot("panel-8-narrow")
