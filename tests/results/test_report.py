"""A report is one small file that holds everything, loads nothing and runs nothing."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ci_notebook
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import ColorEnhance, VideoEnhance
from ci_notebook.results.report.html_report import BYTES, report
from ci_notebook.results.report.recipe import recipe
from ci_notebook.results.runs import Runs
from ci_notebook.results.verdict.verdict import verdict, verdicts
from tests.results.sample_runs import made

TWELVE = grid(None, SharpenLevel=[None, 0, 3, 6, 8, 10], Resolution=[None, "sdtohd"])


def noise(path: Path, at_s: float, width: int) -> bytes:
    """Return a picture that hardly shrinks: the largest that a snapshot may come to."""
    pixels = np.random.default_rng(len(str(path))).integers(0, 255, (width * 9 // 16, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def small(path: Path, at_s: float, width: int) -> bytes:
    """Return a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, width * 9 // 16), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    runs = Runs(replace(run, output=Path(f"{run.key}.mp4")) for run in made(TWELVE, ("city",)))
    path = tmp_path_factory.mktemp("report") / "report.html"
    runs.report(path, question="Is 6 <better> than 3?", snapshot=small, sources={"city": Path("city.mp4")})
    return path.read_text("utf-8")


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(page: str) -> list[tuple[str, dict[str, str]]]:
    reader = _Tags()
    reader.feed(page)
    assert reader.open == []
    return reader.found


@pytest.mark.slow
def test_it_loads_nothing_and_runs_nothing(page):
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", page)
    for tag, attributes in tags(page):
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
    assert "default-src 'none'" in page


@pytest.mark.slow
def test_every_image_has_an_alternative_text(page):
    pictures = [attributes for tag, attributes in tags(page) if tag == "img"]
    assert len(pictures) > 15
    assert all(len(one["alt"]) > 10 for one in pictures)


@pytest.mark.slow
def test_it_has_question_answer_settings_pictures_charts_runs_price_and_recipe(page):
    heads = re.findall(r"<h2>(.*?)</h2>", page)
    assert heads == [
        "Answer", "What was varied", "Before and after", "Charts", "Every run", "Price", "How to repeat it",
    ]  # fmt: skip
    assert "<h1>Is 6 &lt;better&gt; than 3?</h1>" in page
    assert "ci.grid(Resolution=[None, &#x27;sdtohd&#x27;], SharpenLevel=[None, 0, 3, 6, 8, 10])" in page
    assert "CNY for 12 runs by the price list" in page


@pytest.mark.slow
def test_before_and_after_are_turned_by_buttons_without_a_script(page):
    buttons = [attributes for tag, attributes in tags(page) if tag == "input"]
    labels = {attributes["for"] for tag, attributes in tags(page) if tag == "label"}
    assert len(buttons) == 13
    assert {one["id"] for one in buttons} == labels
    assert all(f"#{one['id']}:checked~.stage" in page for one in buttons)


@pytest.mark.slow
def test_it_stays_below_five_megabytes_with_any_images(tmp_path):
    runs = [replace(run, output=Path(f"{run.key}.mp4")) for run in made(TWELVE, tuple("abcde"))]
    taken = {clip: [(str(n), noise(Path(str(n)), 0, 960)) for n in range(6)] for clip in "abc"}
    for more in ({"snapshot": noise}, {"pictures": taken}):
        path = report(runs, tmp_path / "r.html", verdicts=[], **more)
        assert path.stat().st_size < BYTES
        assert re.search(
            "left out, because the file would be too large|The first 3 of 5 clips are shown", path.read_text()
        )


@pytest.mark.slow
def test_given_pictures_and_verdicts_are_shown_as_they_are(tmp_path):
    runs = made()
    found = verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg")
    shown = {"a <b>": [("before", small(Path(), 0, 64)), ("after", small(Path(), 0, 64))]}
    text = report(runs, tmp_path / "r.html", pictures=shown, verdicts=[found]).read_text("utf-8")
    assert found.sentence in text.replace("&#x27;", "'")
    assert "a &lt;b&gt;: before" in text
    assert "ci.verdict(runs, &quot;SharpenLevel&quot;, 0, 6, on=&quot;vmaf_neg&quot;)" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "runs",
    [
        [],
        made()[:1],
        [
            replace(run, job=JobsDetail(state="Failed", code="<x>"), scores={}, pictures={}, cost_cny=None)
            for run in made()
        ],
    ],
    ids=["none", "one", "failed"],
)
def test_few_or_failed_runs_make_a_page_too(runs, tmp_path):
    text = report(runs, tmp_path / "r.html").read_text("utf-8")
    assert "<h1>" in text
    assert "<x>" not in text
    assert tags(text)


@pytest.mark.slow
def test_the_same_runs_make_the_same_page(tmp_path):
    first, second = (report(made(), tmp_path / f"{n}.html").read_text("utf-8") for n in "12")
    assert first == second


@pytest.mark.parametrize(
    "settings",
    [
        grid(None, SharpenLevel=[None, 0, AUTO]),
        grid(VideoEnhance(color_enhance=ColorEnhance(contrast=60)), SharpenLevel=[0, 5], Resolution=[None, "sdtohd"]),
        grid(None, **{"Video.Codec": ["H.264", "H.265"], "Format": "mp4"}),
        [VideoEnhance(color_enhance=ColorEnhance(contrast=60)), *grid(None, SharpenLevel=[3, 5])],
    ],
    ids=["auto", "base", "dotted", "listed"],
)
def test_the_recipe_is_python_that_makes_the_settings(settings):
    runs = made(settings)
    lines, _ = recipe(runs, verdicts(runs, "SharpenLevel", on="psnr") if len(settings) == 3 else [])
    names = {name: getattr(ci_notebook, name) for name in ci_notebook.__all__}
    code = lines[lines.index("settings = ") : lines.index("runs = ")]
    scope = {"ci": ci_notebook, **names}
    exec(code, scope)  # noqa: S102 - what a reader would do with it
    assert set(scope["settings"]) == set(settings)
    compile(lines, "recipe", "exec")


@pytest.mark.slow
def test_the_alignment_before_scoring_is_shown_once_where_it_is_the_same_and_else_for_each_run(tmp_path):
    same = Alignment(fps=25.0, width=640, height=360)
    runs = [replace(run, alignment=same) for run in made(clips=("city",))]
    page = report(runs, tmp_path / "same.html", verdicts=[]).read_text("utf-8")
    assert f"The same for every scored run: {same}." in page
    shifted = replace(runs[0], alignment=Alignment(offset_frames=2, offset_s=0.08))
    page = report([shifted, *runs[1:]], tmp_path / "other.html", verdicts=[]).read_text("utf-8")
    assert "first 2 frames of the source skipped (0.08 s)" in page
    assert "Alignment before scoring" not in report(made(), tmp_path / "none.html", verdicts=[]).read_text("utf-8")


@pytest.mark.slow
def test_runs_without_a_known_price_are_counted_in_words(tmp_path):
    first, *rest = made()
    text = report([replace(first, cost_cny=None), *rest], tmp_path / "r.html").read_text("utf-8")
    assert "The price of 1 run is unknown and not included." in text
