"""Prices follow the published lists: whose minutes, which step, and the stages summed."""

from __future__ import annotations

import pytest

from ci_notebook.experiment.pricing.price import (
    INTERNATIONAL,
    MAINLAND,
    PriceList,
    Shape,
    checked_budget,
    price,
    refuse_over,
)
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.errors import BudgetExceeded, ParameterError
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.wire.xml import loads
from tests.results.jobs_xml import done

MINUTE = Shape(1280, 720, 25, 60)


def upscaled(version="Base", **more):
    return VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd", version=version), **more)


@pytest.mark.parametrize(
    ("version", "width", "height", "fps", "a_minute"),
    [
        ("Base", 1920, 1080, 25, 2.4), ("Base", 1080, 1920, 29.97, 2.4), ("Base", 1920, 1080, 30, 3.2),
        ("Base", 1922, 1080, 25, 4.8), ("Base", 3840, 2160, 60, 9.6),
        ("Enhance", 1280, 720, 25, 4), ("Enhance", 1280, 720, 30, 7.5), ("Enhance", 1920, 1080, 25, 6.5),
        ("Enhance", 2560, 1440, 50, 12), ("Enhance", 2562, 1440, 25, 15), ("Enhance", 3840, 2160, 30, 24),
    ],
)  # fmt: skip
def test_super_resolution_costs_by_the_output_s_minutes_size_and_rate(version, width, height, fps, a_minute):
    cost = price(upscaled(version), Shape(640, 360, fps, 600), Shape(width, height, fps, 30))
    assert cost.total == pytest.approx(a_minute / 2)


@pytest.mark.parametrize(("fps", "base", "enhanced"), [(30, 0.72, 0.95), (30.01, 0.72, 1.76), (29.97, 0.36, 0.95)])
def test_the_international_list_splits_its_two_editions_at_different_rates(fps, base, enhanced):
    output = Shape(1920, 1080, fps, 60)
    assert price(upscaled("Base"), MINUTE, output, prices=INTERNATIONAL).total == base
    assert price(upscaled("Enhance"), MINUTE, output, prices=INTERNATIONAL).total == enhanced


def test_colour_detail_and_hdr_cost_by_the_source_s_minutes_and_add_up():
    setting = VideoEnhance(color_enhance=ColorEnhance(), ms_sharpen=MsSharpen(), sdr_to_hdr=SDRtoHDR(hdr_mode="HLG"))
    cost = price(setting, Shape(640, 360, 25, 300), Shape(640, 360, 25, 10))
    assert [line.stage for line in cost.lines] == ["SDRtoHDR", "ColorEnhance", "MsSharpen"]
    assert cost.total == pytest.approx(3 * 5 * 0.4)


def test_a_stage_that_is_off_costs_nothing():
    assert price(VideoEnhance(), MINUTE, MINUTE).total == 0
    assert price(VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=False)), MINUTE, MINUTE).total == 0
    assert price(VideoEnhance(frame_enhance=FrameEnhance()), MINUTE, Shape(1280, 720, 50, 60)).total == 6


def test_jobs_without_a_price_are_reported():
    cost = price(VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True)), MINUTE, MINUTE, prices=INTERNATIONAL)
    assert not cost.is_complete
    assert repr(cost) == "<Price at least 0.0000 USD, international list of 2023-07-10>"
    assert "not listed" in cost._repr_html_()


def test_beyond_the_last_step_the_last_step_counts_and_the_line_says_so():
    cost = price(upscaled("Enhance"), MINUTE, Shape(4096, 2304, 25, 60))
    assert cost.total == 15
    assert "larger than the list" in cost.lines[0].why


def test_a_list_of_one_s_own_takes_the_place_of_ours():
    mine = PriceList("my contract", "CNY", "2026-11-01", "<contract>", {"MsSharpen": MAINLAND.items["ColorEnhance"]})
    cost = price(VideoEnhance(ms_sharpen=MsSharpen()), MINUTE, MINUTE, prices=mine)
    assert cost.total == 0.4
    assert "&lt;contract&gt;" in cost._repr_html_()


def test_over_the_budget_is_refused_with_the_sum():
    costs = [price(upscaled(), MINUTE, MINUTE)] * 3
    refuse_over(7.2000001, costs)
    refuse_over(None, costs)
    with pytest.raises(BudgetExceeded, match=r"3 jobs would cost 7\.20 CNY, over the budget of 7 CNY"):
        refuse_over(7, costs)


def test_shapes_come_from_complete_media_info():
    info = loads(JobsDetail, done(1).encode()).operation.media_info
    assert Shape.of(info) == Shape(1280, 720, 25.0, 13.000001)
    assert Shape.of(type(info)()) is None


def test_a_budget_is_a_number_or_a_text_that_is_one():
    assert checked_budget("20") == 20.0
    assert checked_budget(None) is None
    for budget in ("twenty", True, [20], float("nan")):
        with pytest.raises(ParameterError, match="is not an amount of money"):
            checked_budget(budget)
