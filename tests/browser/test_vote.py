"""Voting in JupyterLab, in a browser: by keys to the end, blind, and resumed after a restart of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from tests.browser.accessible import serious
from tests.browser.jupyter import page_at

LAB = """\
import ci_notebook as ci
from pathlib import Path
lab = ci.connect()
clip = lab.upload(Path("short.mp4"))
runs = lab.run(clip, ci.grid(None, SharpenLevel=[0, 4, 10]))"""
VIEW = "view = ci.VoteView(lab, runs, voter='Ann', repeats=0.34)\nview"
TOTAL = 4
SHOWN = "number => document.querySelector('.vo')?.parentElement.dataset.number === String(number)"
# The names of the pictures in each of the panes that are seen.
SEEN = """() => [...document.querySelectorAll('.vo .wp-pane')].filter(pane => pane.checkVisibility())
    .map(pane => [...pane.querySelectorAll('.wp-layer')].filter(layer => !layer.hidden)
        .map(layer => layer.getAttribute('aria-label')))"""


def wait_for_question(page, number):
    page.wait_for_function(SHOWN, arg=number, timeout=20_000)


@pytest.fixture(scope="module")
def desk(browser, server, tmp_path_factory):
    shots = Path(os.environ.get("CI_NOTEBOOK_SHOTS", tmp_path_factory.mktemp("shots")))
    run(["-i", sample(), "-t", "0.6", "-vf", "scale=480:270", server.root / "short.mp4"], total_s=0.6)
    with page_at(server, browser, shots) as desk:
        desk.path = desk.write("vote.ipynb", LAB, VIEW)
        desk.page.set_viewport_size({"width": 1280, "height": 1100})
        desk.open("vote.ipynb")
        desk.run_all()
        desk.page.wait_for_selector(".vo", timeout=90_000)
        wait_for_question(desk.page, 0)
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"


def test_it_looks_well_and_axe_finds_nothing_serious(desk):
    page = desk.page
    page.locator(".vo").scroll_into_view_if_needed()
    assert page.evaluate(SEEN) == [["Left"], ["Right"]]
    desk.shot("vote-1-light")
    assert serious(page, ".vo") == []
    page.set_viewport_size({"width": 480, "height": 1000})
    page.locator(".vo-modes").get_by_text("Flip").click()
    page.wait_for_timeout(300)
    desk.shot("vote-2-narrow")
    wide = page.evaluate(
        "() => { const v = document.querySelector('.vo'); return v.scrollWidth <= v.clientWidth + 1; }"
    )
    assert wide, "nothing sticks out of a narrow page"
    page.set_viewport_size({"width": 1280, "height": 1100})
    desk.theme("JupyterLab Dark")
    page.locator(".vo-modes").get_by_text("Wipe").click()
    page.wait_for_timeout(300)
    desk.shot("vote-3-dark")
    assert serious(page, ".vo") == []
    desk.theme("JupyterLab Light")
    page.locator(".vo-modes").get_by_text("Side by side").click()


def test_space_flips_between_both_in_one_place(desk):
    page = desk.page
    page.locator(".vo").focus()
    page.keyboard.press("Space")
    assert page.evaluate(SEEN) == [["Left"]]
    page.keyboard.press("Space")
    assert page.evaluate(SEEN) == [["Right"]]
    page.keyboard.press("Space")
    assert page.evaluate(SEEN) == [["Left"]]
    page.locator(".vo-modes").get_by_text("Side by side").click()


def test_keys_vote_to_the_end_a_restart_resumes_and_the_ranking_stays_as_an_output(desk):
    page = desk.page
    page.locator(".vo").focus()
    page.keyboard.press("1")
    wait_for_question(page, 1)
    page.keyboard.press("Backspace")
    wait_for_question(page, 0)
    page.locator(".vo").focus()
    page.keyboard.press("ArrowRight")
    wait_for_question(page, 1)
    assert [vote["answer"] for vote in votes(desk)] == ["right"]
    page.keyboard.press("0")
    wait_for_question(page, 2)
    assert "SharpenLevel" not in page.locator(".vo").inner_text()

    desk.restart_kernel()
    desk.run_all()
    page.wait_for_selector(".vo", timeout=90_000)
    wait_for_question(page, 2)
    assert page.locator(".vo-count").inner_text() == f"Question 3 of {TOTAL}"
    assert page.locator(".vo-voter").input_value() == "Ann"
    page.locator(".vo").focus()
    page.keyboard.press("2")
    wait_for_question(page, 3)
    page.get_by_role("button", name="← Left is better").click()
    page.get_by_text("Thank you, that was the last question.").wait_for()
    page.get_by_text("is preferred to the others in").first.wait_for()
    page.get_by_text("is preferred to the others in").first.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    desk.shot("vote-4-ranking")
    assert len(votes(desk)) == TOTAL
    kept = "".join(
        str(output.get("data", {}).get("text/html", "")) for output in desk.save(desk.path).cells[-1].outputs
    )
    assert "is preferred to the others in" in kept and "data:image/png;base64," in kept


def test_another_voter_starts_over_under_another_name(desk):
    page = desk.page
    page.locator(".vo-voter").fill("Bob")
    page.locator(".vo-voter").press("Enter")
    page.get_by_text(f"Question 1 of {TOTAL}").wait_for()
    wait_for_question(page, 0)
    page.get_by_text("The ranking appears here after the last vote.").wait_for()
    page.get_by_role("button", name="↓ No difference").click()
    wait_for_question(page, 1)
    assert [vote["voter"] for vote in votes(desk)][-1] == "Bob"


def votes(desk):
    return desk.ask("[dict(voter=v.voter, answer=v.answer, took=v.took_s) for v in lab.votes()]")
