"""The compare view in JupyterLab, in a browser: frames carry their numbers, and the numbers are read back.

One page for all of it, for a page and its jobs are what costs; each test begins at picture 20 of the wipe.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from nbconvert import HTMLExporter

from tests.browser.accessible import serious
from tests.browser.jupyter import page_at
from tests.frame_numbers import counting_clip

LAB = """\
import ci_notebook as ci
from pathlib import Path
lab = ci.connect()
clip = lab.upload(Path("count.mp4"))
runs = lab.run(clip, ci.grid(None, SharpenLevel=[3, 9]), workers=1)"""
VIEW = "view = ci.CompareView(runs, at=20)\nview"
PICTURES = 50
# The numbers that the pictures carry (see tests/frame_numbers.py): of every one that is drawn, hidden or not.
NUMBERS = """() => [...document.querySelectorAll('.cv .wp-layer > canvas:first-child')].map(canvas => {
    const row = canvas.getContext('2d').getImageData(0, Math.floor(canvas.height / 4), canvas.width, 1).data;
    let number = 0;
    for (let bit = 0; bit < 8; bit++)
        if (row[4 * Math.floor((bit + 0.5) * canvas.width / 8) + 1] > 127) number += 2 ** bit;
    return number;
})"""
ALL_SHOW = f"""([wanted, many]) => {{
    const seen = ({NUMBERS})();
    return seen.length === many && seen.every(one => one === wanted);
}}"""
# What a loop shows, picture by picture as it is drawn.
WATCH = f"""() => new Promise(done => {{
    const seen = [], end = performance.now() + 1500;
    const look = () => {{
        seen.push(({NUMBERS})());
        if (performance.now() < end) requestAnimationFrame(look); else done(seen);
    }};
    look();
}})"""
BRIGHTNESS = """() => {
    const canvas = document.querySelector('.cv .wp-layer > canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.reduce((sum, one, at) => at % 4 === 3 ? sum : sum + one, 0) / (data.length * 0.75);
}"""


def wait_for_number(page, number, many=3):
    page.wait_for_function(ALL_SHOW, arg=[number, many], timeout=60_000)


def button(page, name):
    return page.locator(".cv").get_by_role("button", name=name)


def mode(page, name):
    page.locator(".cv-segments").get_by_text(name, exact=True).click()


def at_rest(page):
    page.wait_for_function("() => !document.querySelector('.cv .wp-busy')")


@pytest.fixture(scope="module")
def desk(browser, server, tmp_path_factory):
    """A notebook with a source, two runs, and a view of them."""
    shots = Path(os.environ.get("CI_NOTEBOOK_SHOTS", tmp_path_factory.mktemp("shots")))
    counting_clip(server.root / "count.mp4", pictures=PICTURES)
    with page_at(server, browser, shots) as desk:
        desk.path = desk.write("compare.ipynb", LAB, VIEW)
        desk.page.set_viewport_size({"width": 1280, "height": 1400})
        desk.open("compare.ipynb")
        desk.run_all()
        desk.page.wait_for_selector(".cv", timeout=180_000)
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"


@pytest.fixture
def view(desk):
    desk.ask("[setattr(view, name, value) for name, value in dict(mode='wipe', gain=8).items()]")
    desk.page.locator(".cv-stage[data-mode=wipe]").wait_for()
    box = desk.page.get_by_role("spinbutton", name="Frame number")
    box.fill("20")
    box.press("Enter")
    wait_for_number(desk.page, 20)
    desk.page.locator(".wp-pane").first.focus()
    desk.page.keyboard.press("0")
    return desk


def test_every_key_steps_all_pictures_alike(view):
    page = view.page
    mode(page, "Side by side")
    wait_for_number(page, 20)
    page.locator(".wp-pane").first.focus()
    number = 20
    for key, by in ((".", 1), (".", 1), (",", -1), ("ArrowRight", 1), ("ArrowLeft", -1), ("Shift+ArrowRight", 10),
                    ("PageUp", -10), ("PageDown", 10), (">", 10), ("<", -10)):  # fmt: skip
        number += by
        page.keyboard.press(key)
        wait_for_number(page, number)
    page.keyboard.press("End")
    wait_for_number(page, PICTURES - 1)
    page.keyboard.press(".")
    page.keyboard.press("Home")
    wait_for_number(page, 0)
    button(page, "+10: Ten frames forward").click()
    button(page, "+1: Next frame").click()
    wait_for_number(page, 11)
    page.get_by_role("slider", name="Frame", exact=True).press("ArrowRight")
    wait_for_number(page, 12)
    box = page.get_by_role("spinbutton", name="Frame number")
    box.fill("33")
    box.press("Enter")
    wait_for_number(page, 33)
    page.wait_for_timeout(400)
    assert view.ask("view.at") == 33
    view.shot("compare-2-side")


def test_holding_a_key_ends_on_the_last_frame(view):
    page = view.page
    for _ in range(25):
        page.keyboard.press(".", delay=0)
    wait_for_number(page, 45)
    assert page.locator(".cv-number").input_value() == "45"


def test_a_number_that_no_picture_has_is_refused(view):
    page = view.page
    box = page.get_by_role("spinbutton", name="Frame number")
    box.fill("99")
    box.press("Enter")
    page.locator(".cv-error").filter(has_text="The frame number must be 0 to 49").wait_for()
    assert page.evaluate(NUMBERS) == [20, 20, 20]
    box.fill("7")
    box.press("Enter")
    wait_for_number(page, 7)
    assert page.locator(".cv-error").inner_text() == ""


def test_dividers_move_by_keys_and_by_mouse(view):
    page = view.page
    first, second = page.get_by_role("slider", name=re.compile("Divider between")).all()
    assert first.get_attribute("aria-label") == "Divider between source and SharpenLevel 3"
    assert (first.get_attribute("aria-valuenow"), second.get_attribute("aria-valuenow")) == ("33", "67")
    first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert first.get_attribute("aria-valuenow") == "22"
    page.keyboard.press("End")
    assert first.get_attribute("aria-valuenow") == "67", "no divider passes the next"
    page.keyboard.press("Home")
    assert first.get_attribute("aria-valuenow") == "0"
    assert "0px 100% 0px" in page.locator(".wp-layer").first.evaluate("one => getComputedStyle(one).clipPath")
    assert page.evaluate(NUMBERS) == [20, 20, 20], "the arrows were the divider's own"
    box, grip = page.locator(".wp-pane").bounding_box(), second.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(grip["x"] + grip["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, y, steps=5)
    page.mouse.up()
    assert second.get_attribute("aria-valuenow") == "40"


def test_all_panes_zoom_and_move_as_one_down_to_the_pixel(view):
    page = view.page
    mode(page, "Side by side")
    wait_for_number(page, 20)
    panes = page.locator(".wp-pane")
    panes.nth(1).focus()
    for _ in range(8):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    left = "panes => panes.map(one => one.querySelector('canvas').style.left + one.querySelector('canvas').style.width)"
    assert len(set(panes.evaluate_all(left))) == 1
    assert page.locator(".wp-picture.wp-sharp").count() >= 3
    assert page.evaluate(NUMBERS) == [20, 20, 20], "zoomed in, the arrow moves the picture"
    box = panes.first.bounding_box()
    before = panes.evaluate_all(left)
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 80, steps=3)
    page.mouse.up()
    after = panes.evaluate_all(left)
    assert after != before and len(set(after)) == 1
    view.shot("compare-3-zoomed")
    button(page, "1:1").click()
    assert page.locator(".cv-zoom-text").inner_text() == "100 %"
    button(page, "Fit").click()


def test_two_fingers_zoom(view):
    page = view.page
    box = page.locator(".wp-pane").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def touch(kind, *far):
        points = [{"x": x + by, "y": y, "id": at} for by, at in zip(far, (1, 2), strict=False)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -60)
    touch("touchStart", -60, 60)
    for by in range(70, 190, 20):
        touch("touchMove", -by, by)
    touch("touchEnd")
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    page.wait_for_function("() => document.querySelector('.wp-pane').classList.contains('wp-zoomed')")
    assert page.evaluate(NUMBERS) == [20, 20, 20]


def test_the_difference_says_how_far_it_is_amplified(view):
    page = view.page
    mode(page, "Difference")
    page.wait_for_function("() => document.querySelectorAll('.cv .wp-pane').length === 2")
    page.locator(".wp-name").first.filter(has_text=re.compile(r"SharpenLevel 3 − source · mean \d+\.\d\d")).wait_for()
    assert "amplified × 8" in page.locator(".cv").inner_text()
    by_eight = page.evaluate(BRIGHTNESS)
    page.get_by_role("combobox", name="Amplification").select_option("32")
    page.wait_for_function(f"before => ({BRIGHTNESS})() > before * 1.5", arg=by_eight)
    assert "difference of 8 of 255 or more (amplified × 32)" in page.locator(".cv").inner_text()
    view.shot("compare-4-difference")


def test_flicker_starts_by_hand_under_reduced_motion(view):
    page = view.page
    page.emulate_media(reduced_motion="reduce")
    mode(page, "Flicker")
    page.locator(".cv-status").filter(has_text="reduced motion").wait_for()
    shown = "() => [...document.querySelectorAll('.wp-layer')].findIndex(one => !one.hidden)"
    assert page.evaluate(shown) == 0
    page.wait_for_timeout(1200)
    assert page.evaluate(shown) == 0
    page.locator(".wp-pane").focus()
    page.keyboard.press("f")
    assert page.evaluate(shown) == 1
    button(page, "Swap").click()
    assert page.evaluate(shown) == 2
    page.emulate_media(reduced_motion="no-preference")
    mode(page, "Wipe")
    mode(page, "Flicker")
    page.wait_for_function(f"() => ({shown})() === 1", timeout=5_000)


def test_the_loupe_shows_the_pixels_of_the_files(view):
    page = view.page
    page.locator(".wp-pane").focus()
    page.keyboard.press("l")
    loupe = page.locator(".cv-loupe")
    loupe.focus()
    values = loupe.locator(".cv-value")
    page.wait_for_function("() => [...document.querySelectorAll('.cv-value')].every(one => one.textContent)")
    x, y = map(int, re.findall(r"\d+", loupe.get_by_text(re.compile(r"x \d+, y \d+")).first.inner_text()))
    for key in ("ArrowDown", "ArrowDown", "Shift+ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    x, y = max(0, x - 11), min(179, y + 2)
    loupe.get_by_text(f"x {x}, y {y}").first.wait_for()
    for place, text in enumerate(values.all_text_contents()):
        told = view.ask(f"lab.frames([clip, *runs][{place}])[20][{y}, {x}].tolist()")
        assert [int(one) for one in re.findall(r"\d+", text)] == told
    assert page.evaluate(NUMBERS) == [20, 20, 20], "the arrows were the loupe's own"
    button(page, "Scopes").click()
    page.get_by_role("img", name=re.compile(r"Histogram of SharpenLevel 9.* mean luma \d+ of 255")).wait_for()
    page.get_by_role("img", name=re.compile(r"Waveform of source")).wait_for()
    view.shot("compare-5-loupe-scopes")
    button(page, "Scopes").click()
    button(page, "Loupe").click()


def test_a_click_on_the_score_and_the_worst_pictures_jump(view):
    page = view.page
    plot = page.get_by_role("slider", name="Score over time")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.505, box["y"] + 30)
    wait_for_number(page, 25)
    plot.press("ArrowRight")
    wait_for_number(page, 26)  # the next scored frame: all of a short clip are scored
    worst = page.locator(".cv-worst button")
    number = int(re.search(r"Frame (\d+)", worst.first.get_attribute("aria-label")).group(1))
    worst.first.click()
    wait_for_number(page, number)
    page.keyboard.press("n")
    second = int(re.search(r"Frame (\d+)", worst.nth(1).get_attribute("aria-label")).group(1))
    wait_for_number(page, second)
    page.get_by_role("combobox", name="Score").select_option("psnr")
    page.locator(".cv-worst button[aria-label*=psnr]").first.wait_for()


def test_a_loop_plays_in_step_from_memory_at_its_rate(view):
    page = view.page
    said = page.evaluate_handle("""() => {
        const texts = [], status = document.querySelector('.cv-status');
        const note = new MutationObserver(() => texts.push(status.textContent));
        note.observe(status, { childList: true, characterData: true, subtree: true });
        return texts;
    }""")
    page.locator(".wp-pane").focus()
    page.keyboard.press("i")
    page.keyboard.press("Shift+ArrowRight")
    wait_for_number(page, 30)
    page.keyboard.press("o")
    page.keyboard.press("Space")
    page.wait_for_function("texts => texts.some(one => one.startsWith('Playing'))", arg=said, timeout=60_000)
    seen = page.evaluate(WATCH)
    page.keyboard.press("Space")
    texts = said.json_value()
    assert any(re.match(r"Buffering \d+ of 11 frames", one) for one in texts)
    assert all(len(set(numbers)) == 1 for numbers in seen), "no pane is ever a picture ahead"
    shown = {numbers[0] for numbers in seen}
    assert shown <= set(range(20, 31)) and len(shown) > 3, "a busy machine may drop some, and never leaves the loop"
    rate = float(re.match(r"Playing ([\d.]+) of 25", next(one for one in texts if one.startswith("Playing"))).group(1))
    print(f"a loop at 25 pictures a second was played at {rate}")


def test_another_choice_of_videos_keeps_the_place(view):
    page = view.page
    button(page, "Remove SharpenLevel 3").click()
    wait_for_number(page, 20, many=2)
    page.get_by_role("combobox", name="Video 2").select_option("SharpenLevel 3")
    page.get_by_role("slider", name="Divider between source and SharpenLevel 3").wait_for()
    wait_for_number(page, 20, many=2)
    button(page, "Add a video").click()
    wait_for_number(page, 20)
    assert view.ask("view.shown") == [0, 1, 2]


def test_axe_finds_nothing_serious_in_light_and_dark_and_a_narrow_page_fits(view):
    page = view.page
    for theme, short in (("JupyterLab Light", "light"), ("JupyterLab Dark", "dark")):
        view.theme(theme)
        for name in ("Difference", "Side by side"):
            mode(page, name)
            at_rest(page)
        assert serious(page, ".cv") == []
        mode(page, "Wipe")
        view.shot(f"compare-6-{short}")
        page.set_viewport_size({"width": 480, "height": 1400})
        page.wait_for_timeout(300)
        wide = page.locator(".cv").evaluate("one => [one.scrollWidth, one.clientWidth]")
        assert wide[0] <= wide[1] + 1
        view.shot(f"compare-7-{short}-narrow")
        page.set_viewport_size({"width": 1280, "height": 1400})
    view.theme("JupyterLab Light")


def test_kept_pictures_stay_after_a_restart_and_without_a_kernel(view):
    page = view.page
    page.locator(".wp-pane").focus()
    page.keyboard.press("k")
    page.locator(".cv-status").filter(has_text="Frame 20 is kept").wait_for()
    saved = view.save(view.path)
    (html,) = (
        out["data"]["text/html"] for out in saved.cells[-1].outputs if "figure" in str(out["data"].get("text/html"))
    )
    assert html.count("<figure") == 6, "once when it was first shown, and once by the key"
    assert "alt='SharpenLevel 9, frame 20, vmaf_v1" in html
    state = saved.metadata.get("widgets", {})
    assert len(str(state)) < 20_000, "nothing heavy is saved"
    exported, _ = HTMLExporter().from_notebook_node(saved)
    assert exported.count("SharpenLevel 9, frame 20") >= 2

    view.restart_kernel()
    view.run_all()
    page.wait_for_selector(".cv", timeout=180_000)
    wait_for_number(page, 20)
    view.save(view.path)
    view.end_kernel()
    view.open("compare.ipynb", kernel=False)
    kept = page.locator(".jp-OutputArea figure img[alt*='SharpenLevel 9, frame 20']")
    kept.first.scroll_into_view_if_needed()
    assert kept.first.is_visible()
    view.shot("compare-8-without-kernel")
