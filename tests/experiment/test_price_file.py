"""A list of one's own stands in for the published ones; what is wrong in it is named."""

from __future__ import annotations

import inspect
import textwrap

import pytest

from ci_notebook.experiment.pricing import price_file
from ci_notebook.experiment.pricing.price import Shape, price
from ci_notebook.experiment.pricing.price_file import read_prices
from ci_notebook.experiment.pricing.quote import estimate
from ci_notebook.experiment.sweep import explicit, grid, templates
from ci_notebook.model.api.media_info import Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, SuperResolution, VideoEnhance

MINUTE = MediaInfo(
    stream=Stream(video=(VideoStream(width=640, height=360, fps=25.0, duration=60.0),)), format=Format(duration=60.0)
)


@pytest.fixture
def listed(tmp_path):
    def listed(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return listed


def test_the_example_of_the_module_is_read(listed):
    own = read_prices(listed(textwrap.dedent(inspect.getdoc(price_file).partition("\n\n")[2].rpartition("\n\n")[0])))
    assert (own.name, own.currency, own.date) == ("our contract", "CNY", "2026-11-01")
    small, large = Shape(640, 360, 25, 60), Shape(3840, 2160, 50, 60)
    sharp = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    double = VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd"))
    assert price(sharp, small, small, prices=own).total == pytest.approx(0.3)
    assert price(double, small, large, prices=own).total == pytest.approx(8.0)
    assert "our contract list" in repr(price(sharp, small, small, prices=own))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("currency", "TOML"),
        ("[items]\nMsSharpen = 1", "currency"),
        ('currency = "CNY"', r"own.toml needs a table \[items\]"),
        ('currency = "CNY"\n[items]\nSharpen = 1', "MsSharpen"),
        ('currency = "CNY"\n[items]\nMsSharpen = -1', "a price per minute"),
        ('currency = "CNY"\n[items]\nMsSharpen = {minutes = "both", steps = [{slow = 1}]}', "input or output"),
        ('currency = "CNY"\n[items]\nMsSharpen = {steps = []}', "at least one step"),
        ('currency = "CNY"\n[items]\nMsSharpen = {steps = [{fast = 1}]}', "slow, fast and pixels"),
        (
            'currency = "CNY"\n[items]\nMsSharpen = {steps = [{slow = 1}, {slow = 2, pixels = 9}]}',
            "pixels must grow from step to step",
        ),
    ],
)
def test_mistakes_in_a_price_list_are_named(listed, text, named):
    with pytest.raises(ParameterError, match=named):
        read_prices(listed(text))


def test_an_estimate_gives_each_job_and_the_sum():
    sweep = grid(None, SharpenLevel=[5], Resolution=[None, "sdtohd"])
    cost = estimate([("a", MINUTE, setting) for setting in sweep])
    assert repr(cost) == "<Estimate of 3.2000 CNY for 2 jobs, mainland list>"
    assert [quote.price.total for quote in cost.quotes] == pytest.approx([0.4, 2.8])
    assert (cost.quotes[1].output.width, cost.quotes[1].output.height) == (1280, 720)
    assert dict(cost.stages) == pytest.approx({"SuperResolution.Base": 2.4, "MsSharpen": 0.8})
    shown = cost._repr_html_()
    assert "SuperResolution.Resolution" in shown and "1280×720" in shown
    assert "SharpenLevel" not in shown.partition("</thead>")[0]  # the same in all


def test_an_estimate_reads_the_setting_of_a_template():
    with pytest.raises(ParameterError, match="content of the template 't1' is unknown"):
        estimate([("a", MINUTE, setting) for setting in explicit(templates("t1"))])
    with pytest.raises(ParameterError, match="size, frame rate or length of 'a' is unknown"):
        estimate([("a", MediaInfo(), VideoEnhance())])
