"""The enhance panel in JupyterLab, in a browser."""

from __future__ import annotations

import re

import pytest
from nbconvert import HTMLExporter

from tests.browser.accessible import serious

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
    .filter(one => one.checkVisibility() && !(one.getAttribute('aria-label') || one.textContent.trim()
        || [...(one.labels ?? [])].some(label => label.textContent.trim() && label.checkVisibility())
        || document.getElementById(one.getAttribute('aria-labelledby'))?.textContent.trim()))
    .map(one => one.outerHTML)"""
TOO_WIDE = "() => { const p = document.querySelector('.ci-panel'); return p.scrollWidth - p.clientWidth; }"
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
    page.get_by_role("button", name="Show the first problem").click()
    assert box.evaluate("one => one.closest('.ci-row').contains(document.activeElement)")
    page.get_by_role("button", name="Submit").click()
    page.locator(".ci-foot").get_by_role("alert").filter(has_text="Nothing was sent").wait_for()
    page.get_by_role("button", name="Submit", disabled=False).click()  # the same answer twice is still an answer
    page.get_by_role("button", name="Submit", disabled=False).wait_for()
    box.fill("4")
    wait_for_xml(page, "<SharpenLevel>4</SharpenLevel>")
    assert row.get_by_role("alert").count() == 0
    assert box.get_attribute("aria-invalid") is None


def test_every_control_has_a_name_that_is_seen_and_axe_finds_nothing_serious_in_light_and_dark(panel):
    page = panel.page
    assert serious(page, ".ci-panel") == []
    page.evaluate(ALL_ON)
    assert page.get_by_role("switch", checked=False).count() == 0
    assert page.evaluate(NAMELESS) == []
    tool(page, "Start from").click()
    page.set_viewport_size({"width": 1280, "height": 2600})
    assert serious(page, ".ci-panel") == []
    panel.shot("panel-3-all-on")
    panel.theme("JupyterLab Dark")
    assert serious(page, ".ci-panel") == []
    panel.shot("panel-4-all-on-dark")
    tool(page, "Start from").click()
    page.set_viewport_size({"width": 480, "height": 3200})
    assert page.evaluate(TOO_WIDE) <= 0
    panel.shot("panel-13-narrow-dark")


def tool(page, name):
    return page.locator(".ci-bar").get_by_role("button", name=name)


def told(page, text):
    page.locator(".ci-message").get_by_text(text).wait_for()


def test_a_preset_is_chosen_undone_by_keys_and_its_problems_fixed(panel):
    page = panel.page
    tool(page, "Start from").click()
    page.get_by_text("There are no templates yet.").wait_for()
    panel.shot("panel-9-start-from")
    page.get_by_role("button", name="Smooth motion").click()
    told(page, "Set to the preset Smooth motion.")
    wait_for_xml(page, "<FrameDoubling>true</FrameDoubling>")
    page.locator(".ci-price").get_by_text("Price on the cloud").wait_for()
    stage(page, "SDRtoHDR").click()  # comes with what it needs, and with advice
    wait_for_xml(page, "<HdrMode>HDR10</HdrMode>")
    row = page.locator("[data-path='SDRtoHDR.HdrMode']")
    row.get_by_text("HDR needs H.265").wait_for()
    panel.shot("panel-10-advice")
    row.get_by_role("button", name="Codec H.265").click()
    wait_for_xml(page, "<Pixfmt>yuv420p10le</Pixfmt>")
    assert row.get_by_role("button").count() == 0
    page.keyboard.press("Control+z")
    page.wait_for_function("() => !document.querySelector('.ci-xml pre').textContent.includes('Pixfmt')")
    page.keyboard.press("Control+Shift+Z")
    wait_for_xml(page, "<Pixfmt>yuv420p10le</Pixfmt>")
    tool(page, "Changes").click()
    assert page.get_by_role("rowheader", name="Transcode.Video.Codec").is_visible()
    panel.shot("panel-11-changes")
    page.get_by_role("button", name="Reset FrameEnhance.FrameDoubling").click()
    page.wait_for_function("() => !document.querySelector('.ci-xml pre').textContent.includes('FrameEnhance')")
    page.get_by_role("button", name="Reset all").click()
    wait_for_xml(page, "<VideoEnhance/>")
    assert panel.ask("panel.value == ci.VideoEnhance()")

    tool(page, "Start from").click()
    page.get_by_role("textbox", name="Name of the new template").fill("mine")
    page.get_by_role("button", name="Save as template").click()
    told(page, "Saved as the template mine.")
    page.get_by_role("button", name="mine").click()
    told(page, "Set to the template mine.")


PASTED = """<Request><Tag>VideoEnhance</Tag><Input><Object>a.mp4</Object></Input><Operation>
<VideoEnhance><MsSharpen><SharpenLevel>4</SharpenLevel></MsSharpen></VideoEnhance>
<Watermark><Type>Text</Type><Pos>TopRight</Pos><LocMode>Absolute</LocMode><Dx>16</Dx><Dy>16</Dy>
<Text><Text>demo</Text><FontSize>30</FontSize><FontType>simhei.ttf</FontType><FontColor>0xFF0000</FontColor>
<Transparency>50</Transparency></Text></Watermark></Operation></Request>"""
CELLS = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(one => one.model.sharedModel.getSource())"


def test_paste_marks_copies_and_a_new_cell(panel):
    page = panel.page
    tool(page, "Paste").click()
    page.evaluate("text => navigator.clipboard.writeText(text)", PASTED)
    page.get_by_label("XML of a request").press("Control+v")
    page.get_by_role("button", name="Apply").click()
    told(page, "Ignored: Tag, Input.Object.")
    wait_for_xml(page, "<FontColor>0xFF0000</FontColor>")
    assert "lab.submit(" in page.locator(".ci-python pre").inner_text()
    page.get_by_role("button", name="Add Watermark").click()
    page.wait_for_function("() => document.querySelector('.ci-xml pre').textContent.split('<Watermark>').length === 3")
    page.get_by_role("button", name="Remove Watermark 1").click()
    wait_for_xml(page, "<Text>Your text</Text>")
    assert panel.ask("[mark.text.text for mark in panel.watermarks]") == ["Your text"]
    page.locator("[data-path='Watermark.1.Type']").get_by_role("combobox").select_option("Image")
    image = page.locator("[data-path='Watermark.1.Image']")
    image.get_by_role("alert").filter(has_text="Url is missing").wait_for()
    page.set_viewport_size({"width": 1280, "height": 1500})
    panel.shot("panel-12-marks")
    page.keyboard.press("Control+z")  # the choice and what it switched are one step
    page.wait_for_function("() => document.querySelector('.ci-stale').hidden")
    in_haste = "['z', 'z'].forEach(key => document.querySelector('.ci-panel').dispatchEvent(new KeyboardEvent("
    for shift, marks in (("false", ["demo"]), ("true", ["Your text"])):
        page.evaluate(f"() => {in_haste}'keydown', {{key, ctrlKey: true, shiftKey: {shift}}})))")
        page.wait_for_timeout(300)
        assert panel.ask("[mark.text.text for mark in panel.watermarks]") == marks, "two steps in one breath are two"

    page.get_by_role("button", name="Copy curl").click()
    page.get_by_text("The command is not signed and contains no key").wait_for()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert "curl -X POST" in copied and "$CI_AUTHORIZATION" in copied and "q-sign" not in copied
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
    page.get_by_role("button", name="Copy request XML").click()
    area = page.get_by_role("textbox", name="The text to copy")
    area.wait_for()
    assert "<Request>" in area.input_value()
    assert page.evaluate("() => document.activeElement.selectionEnd") > 100, "it is selected"
    page.get_by_role("button", name="New cell").click()
    page.get_by_text("Added a new cell.").wait_for()
    cells = page.evaluate(CELLS)
    assert len(cells) == 3 and cells[2].startswith("lab.submit(")


def test_double_click_makes_one_job_and_its_result_stays_without_a_kernel(panel):
    page = panel.page
    stage(page, "MsSharpen").click()
    number(page, "SharpenLevel").fill("5")
    before = panel.ask("len(list(lab.jobs()))")
    page.get_by_role("button", name="Submit").dblclick()
    page.get_by_role("progressbar", name="Progress of the job").wait_for()
    assert page.evaluate("() => document.activeElement.textContent") == "Submit", "the panel keeps the keys"
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
    page.set_viewport_size({"width": 480, "height": 1000})
    assert page.evaluate(TOO_WIDE) <= 0
    panel.shot("panel-8-narrow")


def test_a_stored_template_is_submitted_by_its_id_until_the_setting_changes(desk):
    template = "lab.templates.create('crisp_detail', ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5)))"
    desk.path = desk.write("by_template.ipynb", f"{LAB}\n{template}", PANEL)
    desk.open("by_template.ipynb")
    desk.run_all()
    page = desk.page
    page.wait_for_selector(".ci-panel", timeout=30_000)
    offer = page.get_by_role("checkbox", name=re.compile("Submit by TemplateId: crisp_detail"))
    assert not offer.is_visible(), "no template was chosen yet"
    page.get_by_role("button", name="Start from").click()
    page.get_by_role("button", name=re.compile("crisp_detail")).click()
    offer.wait_for()
    assert not offer.is_checked()
    offer.check()
    wait_for_xml(page, "<TemplateId>")
    assert "<VideoEnhance>" not in page.locator(".ci-xml pre").text_content()
    assert "template_id=" in page.locator(".ci-python pre").text_content()
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_function("() => document.querySelector('.ci-status').dataset.state === 'Success'", timeout=60_000)
    page.set_viewport_size({"width": 1280, "height": 1500})
    desk.shot("panel-14-by-template")
    number(page, "SharpenLevel").fill("6")
    number(page, "SharpenLevel").press("Enter")
    wait_for_xml(page, "<SharpenLevel>6</SharpenLevel>")
    offer.wait_for(state="hidden")
