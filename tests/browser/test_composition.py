"""Views inside other widgets, in JupyterLab: their sizes, links between them, their results, and a lost kernel.

One page with one cell for all of it: each test fills the box of the cell with a container of its own. The last test
restarts the kernel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.accessible import serious
from tests.browser.jupyter import Desk, Server, page_at
from tests.browser.test_panel import number, slider, stage
from tests.frame_numbers import counting_clip

NAME = "composition.ipynb"
LAB = """\
import os, time
import ci_notebook as ci
import ipywidgets as w
from pathlib import Path
lab = ci.connect()
clip = lab.upload(Path("large.mp4"))
runs = lab.run(clip, ci.grid(None, SharpenLevel=[3, 9]), workers=1, scores=False)
a, b = ci.EnhancePanel(lab, clip), ci.EnhancePanel(lab, clip)
sweep, other_sweep = ci.SweepPanel(lab, clip), ci.SweepPanel(lab, clip)
monitor, other_monitor = ci.Monitor(lab), ci.Monitor(lab)
compare, other_compare = ci.CompareView(runs, at=10), ci.CompareView(runs, at=10)
vote = ci.VoteView(lab, runs, voter="Ann", moments=2)
box = w.VBox()"""
CONTAINERS = {
    "hbox": "w.HBox([a, b])",
    "vbox": "w.VBox([a, sweep, monitor])",
    "grid": "w.GridBox([compare, vote, sweep, monitor], layout=w.Layout(grid_template_columns='1fr 1fr'))",
    "tab": "w.Tab([a, sweep, monitor, compare, vote], titles=['One', 'Many', 'Jobs', 'Compare', 'Vote'])",
    "accordion": "w.Accordion([compare, a], titles=['Compare', 'Panel'], selected_index=0)",
    "app": "w.AppLayout(header=monitor, left_sidebar=sweep, center=compare, footer=vote, "
    "pane_widths=['300px', '1fr', 0])",
    "mixed": "w.HBox([w.Button(description='Go'), a])",
}
WIDTHS = (1280, 800, 360)
# The views that are seen: their boxes, and how far each is wider than itself.
VIEWS = """() => [...document.querySelectorAll('.ci-view')].filter(one => one.clientWidth).map(one => {
    const { left, right, top, bottom } = one.getBoundingClientRect();
    const name = one.querySelector('[role=group]').className, over = one.scrollWidth - one.clientWidth;
    return { name, left, right, top, bottom, over };
})"""
# The page and the notebook in it scroll only up and down.
SCROLLED = ".jp-WindowedPanel-outer, .jp-OutputArea-output"
SIDEWAYS = f"""() => [document.documentElement, ...document.querySelectorAll('{SCROLLED}')]
    .map(one => one.scrollWidth - one.clientWidth)"""
AT_REST = "() => !document.querySelector('.wp-busy')"
# How many pixels the picture of the pane that is seen has for each pixel of the page.
SHARPNESS = """selector => {
    const pane = [...document.querySelectorAll(selector + ' .wp-pane')].find(one => one.clientWidth);
    return pane.querySelector('canvas').width / Math.min(pane.clientWidth, 640);
}"""
GONE = ".ci-gone:not(:empty)"


@pytest.fixture(scope="module")
def desk(browser: Any, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    shots = Path(os.environ.get("CI_NOTEBOOK_SHOTS", tmp_path_factory.mktemp("shots")))
    counting_clip(server.root / "large.mp4", pictures=25, size="960x540")
    errors: list[str] = []
    with page_at(server, browser, shots) as desk:
        desk.page.on("pageerror", lambda error: errors.append(f"{error} {error.stack}"))
        desk.write(NAME, LAB, "box")
        desk.open(NAME)
        desk.command("notebook:run-all-cells")
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"
    assert [error for error in errors if "blob:" in error] == [], "our script, which runs from a blob, failed"


def fill(desk: Desk, *widgets: str) -> None:
    """Show other widgets in the box of the cell."""
    desk.page.set_viewport_size({"width": 1280, "height": 1600})
    desk.ask("box.set_trait('children', ())")
    desk.page.wait_for_function("() => !document.querySelector('.ci-view')")
    desk.ask(f"box.set_trait('children', ({', '.join(widgets)},))")
    desk.page.wait_for_function("() => document.querySelector('.ci-view')?.children.length > 1")


def is_apart(one: dict[str, float], other: dict[str, float]) -> bool:
    is_beside = one["right"] <= other["left"] + 0.5 or other["right"] <= one["left"] + 0.5
    return is_beside or one["bottom"] <= other["top"] + 0.5 or other["bottom"] <= one["top"] + 0.5


@pytest.mark.parametrize("container", CONTAINERS)
def test_views_in_a_container_have_room_and_do_not_overlap(desk: Desk, container: str) -> None:
    fill(desk, CONTAINERS[container])
    for width in WIDTHS:
        desk.page.set_viewport_size({"width": width, "height": 1600})
        desk.page.wait_for_timeout(700)  # a preview follows the size of its pane
        desk.page.wait_for_function(AT_REST, timeout=60_000)
        desk.shot(f"composition-{container}-{width}")
        views = desk.page.evaluate(VIEWS)
        assert views
        for at, view in enumerate(views):
            assert view["over"] <= 0, (width, view)
            assert view["right"] - view["left"] >= 200, (width, view)
            assert all(is_apart(view, other) for other in views[:at]), (width, views)
        assert max(desk.page.evaluate(SIDEWAYS)) <= 0, width


def test_two_panels_in_a_row_share_it(desk: Desk) -> None:
    fill(desk, CONTAINERS["hbox"])
    one, other = desk.page.evaluate(VIEWS)
    assert one["top"] == other["top"] and one["right"] < other["left"]
    assert abs((one["right"] - one["left"]) - (other["right"] - other["left"])) < 2
    assert serious(desk.page, ".jp-OutputArea") == []


def test_a_view_in_a_hidden_tab_is_drawn_when_it_is_shown(desk: Desk) -> None:
    fill(desk, CONTAINERS["tab"])
    page = desk.page
    for title, root in (("Many", ".ci-sweep"), ("Jobs", ".ci-monitor"), ("Compare", ".cv"), ("Vote", ".vo")):
        page.get_by_role("tab", name=title, exact=True).click()
        page.locator(root).wait_for()
        if root == ".ci-monitor":
            page.locator(".ci-jspace .ci-jrow").nth(1).wait_for(timeout=60_000)
        if root in (".cv", ".vo"):
            page.wait_for_function(f"() => ({SHARPNESS})('{root}') >= 0.99", timeout=60_000)
        page.wait_for_timeout(300)
        desk.shot(f"composition-tab-{title}")
        assert max(desk.page.evaluate(SIDEWAYS)) <= 0


def test_linked_panels_follow_each_other_in_the_kernel_and_in_the_page(desk: Desk) -> None:
    page = desk.page
    fill(desk, CONTAINERS["hbox"])
    for link in ("w.link", "w.jslink"):
        desk.ask("[setattr(one, 'value', ci.VideoEnhance()) for one in (a, b)]")
        desk.ask(f"globals().update(made={link}((a, 'value'), (b, 'value')))")
        stage(page, "MsSharpen").first.click()
        slider(page, "SharpenLevel").first.press("Home")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("""() => [...document.querySelectorAll('.ci-xml pre')].filter(
            one => one.textContent.includes('<SharpenLevel>4</SharpenLevel>')).length === 2""")
        assert desk.ask("[one.value.ms_sharpen.sharpen_level for one in (a, b)]") == [4, 4]
        number(page, "SharpenLevel").last.fill("7")
        page.wait_for_function("""() => [...document.querySelectorAll('.ci-xml pre')].filter(
            one => one.textContent.includes('<SharpenLevel>7</SharpenLevel>')).length === 2""")
        assert desk.ask("a.value == b.value")
        desk.shot(f"composition-{link.removeprefix('w.')}")
        desk.ask("made.unlink()")


def test_frame_selection_and_sweep_are_linked_in_the_page(desk: Desk) -> None:
    page = desk.page
    fill(desk, "w.HBox([compare, other_compare])")
    desk.ask("globals().update(made=w.jslink((compare, 'at'), (other_compare, 'at')))")
    page.wait_for_function(AT_REST, timeout=60_000)
    page.locator(".cv").first.get_by_role("button", name="Next frame").click()
    page.wait_for_function("() => [...document.querySelectorAll('.ci-view')].every(one => one.dataset.at === '11')")
    fill(desk, "w.HBox([monitor, other_monitor])")
    desk.ask("globals().update(made=w.jslink((monitor, 'selection'), (other_monitor, 'selection')))")
    page.locator(".ci-monitor").first.locator(".ci-jspace .ci-jrow input").first.check()
    page.locator(".ci-monitor").last.get_by_text("1 selected").wait_for()
    fill(desk, "w.HBox([sweep, other_sweep])")
    desk.ask("globals().update(made=w.jslink((sweep, 'value'), (other_sweep, 'value')))")
    search = page.get_by_role("searchbox", name="Vary").first
    search.fill("sharpen")
    search.press("Enter")
    page.locator(".ci-sweep").first.get_by_role("textbox", name="SharpenLevel").fill("0, 3, 9")
    page.locator(".ci-sweep").last.locator(".ci-scount").get_by_text("3 runs").wait_for()
    assert desk.ask("len(other_sweep.sweep), other_monitor.selection == monitor.selection, other_compare.at") == (
        3, True, 11,
    )  # fmt: skip


def test_a_function_follows_a_panel(desk: Desk) -> None:
    desk.ask("setattr(a, 'value', ci.VideoEnhance())")
    fill(desk, "a", "w.interactive_output(lambda setting: print('contrast', setting.color_enhance), {'setting': a})")
    stage(desk.page, "ColorEnhance").click()
    number(desk.page, "Contrast").fill("61")
    desk.page.get_by_text("contrast ColorEnhance(contrast=61)").wait_for()


def test_results_are_inside_the_view_and_survive_a_new_view(desk: Desk) -> None:
    page = desk.page
    fill(desk, CONTAINERS["hbox"])
    page.get_by_role("button", name="Submit").first.click()
    inside = page.locator(".ci-view").first.locator(".ci-results")
    inside.locator("img[alt*='After']").wait_for(timeout=90_000)
    assert page.locator(".ci-results:visible").count() == 1, "the other panel has no results"
    assert max(page.evaluate(SIDEWAYS)) <= 0
    inside.locator("img").last.scroll_into_view_if_needed()
    desk.shot("composition-results")
    fill(desk, "w.Accordion([a], titles=['One'], selected_index=0)")
    inside.locator("img[alt*='After']").wait_for()


def test_a_panel_in_an_output_widget_shows_its_results_once(desk: Desk) -> None:
    desk.ask("exec('out = w.Output()\\nwith out:\\n    display(a)')")
    fill(desk, "out")
    results = desk.page.locator(".jp-OutputArea img[alt*='After']:visible")
    results.first.wait_for()
    assert results.count() == 1


def test_jobs_are_compared_inside_the_monitor(desk: Desk) -> None:
    page = desk.page
    fill(desk, "w.Tab([monitor], titles=['Jobs'])")
    desk.ask("setattr(monitor, 'selection', [job.job_id for job in monitor.jobs if job.state == 'Success'][:2])")
    page.get_by_role("button", name="Compare").click()
    page.locator(".ci-monitor ~ * .cv").wait_for(timeout=60_000)
    page.wait_for_function(AT_REST, timeout=60_000)
    desk.shot("composition-monitor-compare")
    assert max(page.evaluate(SIDEWAYS)) <= 0


def test_a_busy_kernel_is_not_reported_and_a_restarted_one_is(desk: Desk) -> None:
    page = desk.page
    fill(desk, CONTAINERS["tab"])
    page.evaluate("""() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'time.sleep(8)'}); }""")
    page.wait_for_timeout(6000)
    assert page.locator(GONE).count() == 0
    assert desk.ask("1") == 1
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    page.locator(GONE).filter(has_text="Disconnected. Run the cell again.").first.wait_for()
    assert page.locator(GONE).count() == page.locator(".ci-view").count() >= 5, "each view says so"
    assert page.evaluate("() => [...document.querySelectorAll('.ci-view > [role=group]')].every(one => one.inert)")
    page.evaluate("() => document.querySelector('.ci-panel .ci-switch').focus()")
    assert page.evaluate("() => document.activeElement.className") != "ci-switch", "it takes no input"
    desk.shot("composition-disconnected")


def test_a_kernel_that_died_is_reported(desk: Desk) -> None:
    desk.command("notebook:run-all-cells")
    fill(desk, "a")
    assert desk.page.locator(GONE).count() == 0
    desk.page.evaluate("""() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'os.kill(os.getpid(), 9)'}); }""")
    desk.page.locator(GONE).filter(has_text="Disconnected. Run the cell again.").wait_for(timeout=60_000)
