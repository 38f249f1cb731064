"""SDRtoHDR for a clip that is HDR already is refused at the control and before a job is sent."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.client.objects import Clip
from ci_notebook.media.ffmpeg import run
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel

WANTED = ci.VideoEnhance(sdr_to_hdr=ci.SDRtoHDR(hdr_mode="HDR10"))
SENTENCE = r"is HDR already \(HLG\), and SDRtoHDR converts SDR. Leave SDRtoHDR out."
PATH = "SDRtoHDR.HdrMode"


@pytest.fixture(scope="module")
def clip(embedded_lab: ci.Lab, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A clip of HLG."""
    path: Path = tmp_path_factory.mktemp("clips") / "hlg.mp4"
    tags = "setparams=color_trc=arib-std-b67:color_primaries=bt2020:colorspace=bt2020nc:range=tv"
    coding = ["-c:v", "libx264", "-preset", "ultrafast"]
    run(["-f", "lavfi", "-i", "color=gray:s=128x96:d=0.2", "-vf", f"{tags},format=yuv420p10le", *coding, path])
    return embedded_lab.upload(path)


def test_the_panel_marks_the_control_and_offers_to_leave_it_out(embedded_lab: ci.Lab, clip: Clip) -> None:
    panel = EnhancePanel(embedded_lab, clip, WANTED)
    assert re.search(SENTENCE, panel.problems[PATH])
    assert panel.remedies[PATH] == "leave SDRtoHDR out"
    panel.submit()
    assert panel.wait(10)
    assert panel.job is None
    assert panel.status["error"].startswith("Nothing was sent.")
    panel.set(PATH, None)
    assert panel.problems == {}
    with pytest.raises(ci.ParameterError, match=SENTENCE):
        panel.value = WANTED
    assert panel.value == ci.VideoEnhance()
    panel.close()


def test_the_panel_of_a_key_marks_it_as_soon_as_the_service_has_answered(embedded_lab: ci.Lab, clip: Clip) -> None:
    panel = EnhancePanel(embedded_lab, clip.key, WANTED)
    assert panel.settle(30)
    assert PATH in panel.problems
    panel.close()


def test_the_panel_of_an_sdr_clip_takes_it(embedded_lab: ci.Lab) -> None:
    panel = EnhancePanel(embedded_lab, embedded_lab.upload(ci.sample()), WANTED)
    assert panel.settle(30)
    assert panel.problems == {}
    panel.close()


def test_nothing_is_sent_for_an_hdr_clip(embedded_lab: ci.Lab, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_lab.client, "submit", lambda *_: pytest.fail("a job was sent"))
    bare = dataclasses.replace(clip, summary=None)
    for one in (clip, bare, clip.key):
        with pytest.raises(ci.ParameterError, match=SENTENCE):
            embedded_lab.submit(one, WANTED)
        with pytest.raises(ci.ParameterError, match=SENTENCE):
            embedded_lab.run(one, [ci.VideoEnhance(), WANTED])
