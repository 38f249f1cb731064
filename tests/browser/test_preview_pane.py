"""The preview pane in JupyterLab, in a browser: edits are seen in the frames."""

from __future__ import annotations

import re

import pytest

# Picture number n is a grey of 16 + 4 n, so that a pixel says which one is shown.
CLIP = """\
import dataclasses, pathlib, tempfile
import ci_notebook as ci
from ci_notebook.media.ffmpeg import run
from ci_notebook.model.setting.watermark import Text, Watermark
lab = ci.connect()
path = pathlib.Path(tempfile.mkdtemp()) / "counted.mp4"
source = "color=0x808080:s=320x180:r=25:d=2,geq=lum='16+4*N':cb=128:cr=128"
tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
run(["-f", "lavfi", "-i", source, "-c:v", "libx264", "-crf", "4", "-pix_fmt", "yuv420p", *tags, path])
clip = lab.upload(path)"""
PANEL = "panel = ci.EnhancePanel(lab, clip)\npanel"
MARK = """\
words = Text(text="Mark", font_size=40, font_type="arial.ttf", font_color="0xFFE000", transparency=100)
panel.watermarks = [Watermark(type="Text", pos="BottomRight", loc_mode="Absolute", dx=40, dy=20, text=words)]"""
ELSEWHERE = """\
from ci_notebook.lab.previews import LabPreviews
lab.previews.close()
lab.previews = LabPreviews(lab.client, cache=lab.cache_dir, is_local=False)
clip = dataclasses.replace(lab.upload(ci.sample()), path=None)"""
# A pixel of one of the two pictures, at a share of its sides.
PIXEL = """([layer, x, y]) => {
    const canvas = document.querySelectorAll('.ci-preview .wp-layer')[layer].querySelector('canvas');
    const at = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
    return [...canvas.getContext('2d').getImageData(...at, 1, 1).data].slice(0, 3);
}"""
# Whether there is yellow within a few pixels of a place in the picture after.
YELLOWS = """([x, y, wanted]) => {
    const canvas = document.querySelectorAll('.ci-preview .wp-layer')[1].querySelector('canvas');
    const [wide, high] = [canvas.width, canvas.height];
    const { data } = canvas.getContext('2d').getImageData(x * wide - 20, y * high - 12, 40, 24);
    let yellow = false;
    for (let at = 0; at < data.length; at += 4) yellow ||= data[at] - data[at + 2] > 120;
    return yellow === wanted;
}"""
# The page's patience of 20 s, in a test's time.
IMPATIENT = """() => {
    const wait = window.setTimeout.bind(window);
    window.setTimeout = (action, ms, ...more) => wait(action, ms === 20000 ? 300 : ms, ...more);
}"""
BEFORE, AFTER = 0, 1


def pixel(desk, layer, x=0.5, y=0.5):
    return desk.page.evaluate(PIXEL, [layer, x, y])


def wait_for_pixel(desk, layer, true, at="0.5, 0.5"):
    desk.page.wait_for_function(f"() => {{ const [r, g, b] = ({PIXEL})([{layer}, {at}]); return {true}; }}")


def counted(grey):
    """Return the number of the picture, of a grey as RGB shows it."""
    return round(grey[1] * 219 / 255 / 4)


@pytest.fixture
def sight(desk):
    def opened(*cells):
        desk.path = desk.write("sight.ipynb", CLIP, *cells)
        desk.open("sight.ipynb")
        desk.run_all()
        desk.page.wait_for_selector(".ci-preview[data-shown]", timeout=60_000)
        return desk

    return opened


def test_the_preview_follows_a_slider_the_divider_and_the_time(sight):
    desk = sight(PANEL)
    page = desk.page
    assert counted(pixel(desk, BEFORE)) == counted(pixel(desk, AFTER)) == 25, "the middle of the clip"

    divider = page.get_by_role("slider", name="Divider between Before and After")
    divider.focus()
    page.keyboard.press("End")
    assert divider.get_attribute("aria-valuenow") == "100"
    page.keyboard.press("Shift+ArrowLeft")
    assert divider.get_attribute("aria-valuenow") == "90"

    time = page.get_by_role("slider", name="Time", exact=True)
    assert time.get_attribute("aria-valuetext") == "1.00 s, frame 26 of 50"
    time.focus()
    for key, number in (("ArrowRight", 26), ("ArrowRight", 27), ("ArrowLeft", 26), ("Home", 0), ("End", 49)):
        page.keyboard.press(key)
        wait_for_pixel(desk, AFTER, f"Math.round(g * 219 / 255 / 4) === {number}")
        wait_for_pixel(desk, BEFORE, f"Math.round(g * 219 / 255 / 4) === {number}")
        assert time.get_attribute("aria-valuetext").endswith(f"frame {number + 1} of 50")

    # A light frame: contrast turns around the mean of the clip, which is that of its middle frame.
    grey = pixel(desk, AFTER)

    page.get_by_role("switch", name=re.compile(r"\bColorEnhance\b")).click()
    page.get_by_role("slider", name="Contrast", exact=True).focus()
    for _ in range(5):
        page.keyboard.press("PageUp")
    wait_for_pixel(desk, AFTER, f"Math.abs(r - {grey[0]}) > 3")
    assert pixel(desk, BEFORE) == grey
    page.get_by_role("switch", name=re.compile(r"\bColorEnhance\b")).click()
    wait_for_pixel(desk, AFTER, f"r === {grey[0]}")
    desk.shot("sight-0-scrubbed")
    saved = desk.save(desk.path)
    assert "image/jpeg" not in str(saved.metadata), "no picture is kept in the widget's state"
    assert desk.off_loopback == []


def test_a_mark_is_dragged_on_the_picture(sight):
    desk = sight(PANEL, MARK)
    page = desk.page
    mark = page.get_by_role("button", name=re.compile("Watermark 1 at BottomRight, Dx 40 px, Dy 20 px"))
    mark.wait_for()
    mark.scroll_into_view_if_needed()
    box, pane = mark.bounding_box(), page.locator(".ci-preview .wp-pane").bounding_box()
    scale = pane["width"] / 320
    assert abs((pane["x"] + pane["width"] - box["x"] - box["width"]) / scale - 40) < 2
    desk.shot("sight-1-mark")
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 10 - 100 * scale, box["y"] + 10 - 50 * scale, steps=8)
    page.mouse.up()
    moved = page.get_by_role("button", name=re.compile("Dx 140 px, Dy 70 px"))
    moved.wait_for()
    assert not page.locator(".ci-preview .wp-layer").first.is_visible(), "it is moved on the picture that has it"
    # Seen there, too: its yellow is where the box is now, not where it was.
    now, pane = moved.bounding_box(), page.locator(".ci-preview .wp-pane").bounding_box()
    sides = [((now[one] + now[side] / 2 - pane[one]) / pane[side]) for one, side in (("x", "width"), ("y", "height"))]
    page.wait_for_function(YELLOWS, arg=[sides[0], sides[1], True])
    page.wait_for_function(YELLOWS, arg=[0.8, 0.85, False])
    page.wait_for_function("() => document.querySelector('.ci-xml pre').textContent.includes('<Dx>140</Dx>')")
    moved.focus()
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowUp"):
        page.keyboard.press(key)
    page.get_by_role("button", name=re.compile("Dx 139 px, Dy 79 px")).wait_for()
    page.wait_for_function("() => document.querySelector('.ci-xml pre').textContent.includes('<Dy>79</Dy>')")
    assert desk.ask("(panel.watermarks[0].dx, panel.watermarks[0].dy)") == (139, 79)
    desk.theme("JupyterLab Dark")
    desk.shot("sight-2-dragged-dark")


def test_on_the_cloud_it_is_labelled_an_approximation_and_errors_are_in_place(sight):
    desk = sight(ELSEWHERE, PANEL)
    page = desk.page
    page.locator(".ci-preview").get_by_text("approximation").wait_for()
    page.get_by_role("switch", name=re.compile(r"\bFrameEnhance\b")).click()
    page.locator(".ci-preview").get_by_text("A single frame cannot show FrameEnhance.FrameDoubling").wait_for()
    desk.ask("lab.previews.__dict__.update(_origin=lambda clip: 1 / 0)")
    page.get_by_role("slider", name="Time", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.locator(".ci-preview").get_by_role("alert").filter(has_text="ZeroDivisionError").wait_for()
    desk.ask("lab.previews.__dict__.pop('_origin') and None")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.ci-preview .ci-error').textContent === ''")
    page.set_viewport_size({"width": 480, "height": 1000})
    page.locator(".ci-preview").scroll_into_view_if_needed()
    desk.shot("sight-3-narrow")


def test_a_frame_is_drawn_however_long_the_kernel_was_busy_with_the_next_cell(desk):
    desk.write("busy.ipynb", CLIP, PANEL, "import time\ntime.sleep(4)\nis_done = True")
    desk.open("busy.ipynb")
    desk.page.evaluate(IMPATIENT)
    desk.run_all()
    desk.page.wait_for_selector(".ci-preview", timeout=60_000)
    desk.page.wait_for_timeout(1000)
    assert not desk.page.locator(".ci-preview[data-shown]").count(), "the kernel is busy"
    desk.page.wait_for_selector(".ci-preview[data-shown]", timeout=30_000)
    desk.page.wait_for_function("() => !document.querySelector('.ci-preview .wp-busy')")
    assert counted(pixel(desk, BEFORE)) == 25, "the middle of the clip"
