"""The static result that stays in the notebook without the panel."""

from __future__ import annotations

import re
import types

from ci_notebook.model.api.jobs import JobsDetail, MediaResult, Operation, OutputFile
from ci_notebook.model.api.media_info import Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.widgets.enhance.result import facts, result_html

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
INFO = MediaInfo(
    format=Format(duration=3.0, bitrate=2366.7, size=887_512),
    stream=Stream(video=(VideoStream(width=640, height=360, fps=25.0, codec_name="h264"),)),
)


def job(state="Success", info=INFO, key="out/a<b>.mp4"):
    made = MediaResult(output_file=OutputFile(object_name=(key,)))
    operation = Operation(media_info=info, media_result=made)
    return types.SimpleNamespace(detail=JobsDetail(job_id="j1", state=state, operation=operation))


def test_the_facts_have_their_units():
    assert facts(job().detail) == {
        "Object": "out/a<b>.mp4",
        "Picture": "640 × 360 px",
        "Frame rate": "25 fps",
        "Codec": "h264",
        "Duration": "3.00 s",
        "Bit rate": "2367 kbps",
        "Size": "887.5 kB",
    }


def test_missing_facts_are_left_out():
    assert facts(JobsDetail(state="Success")) == {}
    assert facts(job(info=MediaInfo(format=Format(size=0))).detail) == {"Object": "out/a<b>.mp4", "Size": "0.0 kB"}


def test_a_result_holds_setting_facts_and_both_pictures():
    html = result_html(SETTING, job(), b"\xff\xd8before", b"\xff\xd8after")
    assert "MsSharpen.SharpenLevel" in html and "640 × 360 px" in html
    assert html.count("<figure") == html.count("<img alt=") == html.count("<figcaption") == 2


def test_a_result_loads_nothing_and_runs_nothing():
    html = result_html(SETTING, job(), b"\xff\xd8before", b"\xff\xd8after")
    assert "<script" not in html and "http" not in html
    sources = re.findall(r"src='([^']*)'", html)
    assert len(sources) == 2 and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "a<b>" not in html and "a&lt;b&gt;" in html


def test_a_result_without_pictures_is_still_a_result():
    assert "<figure" not in result_html(SETTING, job())
