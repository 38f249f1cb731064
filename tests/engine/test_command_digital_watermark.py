"""A hidden text in a job: read back from the job's own output, invisible to the eye, and honest when lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.engine.render.digital_watermark import embedding
from ci_notebook.engine.render.digital_watermark.pattern import amplitude, extract
from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.engine.render.super_resolution.network import available
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring.score import compare
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import JobsDetail, Operation, Response
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import SDRtoHDR, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, Video
from ci_notebook.model.setting.watermark import DigitalWatermark
from ci_notebook.wire.xml import loads
from tests.engine_fixtures import BUCKET, MP4, REGION, Caller

MESSAGE = "版权所有 ci_2026"
MARK = DigitalWatermark(message=MESSAGE, type="Text", version="V1")
NODE = f"<Message>{MESSAGE}</Message><Type>Text</Type><Version>V1</Version>"


def marked(folder: Path, *, mark: DigitalWatermark | None = MARK, video: Video | None = None, length_s: float = 1.0,
           kind: str = "mp4", **stages: object) -> Rendered:  # fmt: skip
    transcode = Transcode(
        container=Container(format=kind), video=video or Video(crf=20.0), audio=Audio(),  # type: ignore[arg-type]
        time_interval=TimeInterval(duration=length_s),
    )  # fmt: skip
    setting = VideoEnhance(transcode=transcode, **stages)  # type: ignore[arg-type]
    return render(Operation(video_enhance=setting, digital_watermark=mark), sample(), folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("video", "stages"),
    [
        (Video(crf=25.0), {}),
        (Video(codec="H.265", crf=28.0), {}),
        (Video(crf=23.0, pixfmt="yuvj420p"), {}),
        (Video(crf=23.0, pixfmt="yuv444p"), {}),
        (Video(crf=23.0, width=480), {}),
        (Video(codec="H.265", crf=25.0), {"sdr_to_hdr": SDRtoHDR(hdr_mode="HDR10")}),
        (Video(codec="H.265", crf=25.0), {"sdr_to_hdr": SDRtoHDR(hdr_mode="HLG")}),
    ],
    ids=["crf 25", "H.265", "full range", "4:4:4", "smaller", "HDR10", "HLG"],
)
def test_a_digital_watermark_is_extracted_and_keeps_light_and_color(
    video: Video, stages: dict[str, object], tmp_path: Path
) -> None:
    made, plain = (
        marked(tmp_path / "marked", video=video, **stages),
        marked(tmp_path / "plain", mark=None, video=video, **stages),
    )
    assert (
        made.digital_watermark is not None
        and made.digital_watermark.margin_db is not None
        and plain.digital_watermark is None
    )
    assert made.digital_watermark.margin_db > 1
    assert "with a margin of" in str(made.digital_watermark)
    assert extract(made.files[0]).message == MESSAGE
    colours = [picture(one.files[0], 0.5).reshape(-1, 3).mean(axis=0) for one in (made, plain)]
    assert np.abs(colours[0] - colours[1]).max() < 0.6
    assert compare(made.files[0], plain.files[0]).pooled["ssim"] > 0.94


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="onnxruntime is not installed (the extra `enhance`)")
def test_a_digital_watermark_is_embedded_after_the_network_too(tmp_path: Path) -> None:
    big = SuperResolution(resolution="sdtohd", version="Enhance")
    made = marked(tmp_path, length_s=0.4, super_resolution=big, video=Video(crf=22.0, preset="veryfast"))
    assert extract(made.files[0]).message == MESSAGE


@pytest.mark.slow
def test_a_lost_digital_watermark_is_embedded_stronger_once_and_then_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    real = embedding.pattern
    monkeypatch.setattr(embedding, "pattern", lambda *a, **k: tried.append(k["amplitude"]) or real(*a, **k))
    hopeless = {"video": Video(crf=51.0), "length_s": 0.1}
    with pytest.raises(
        ParameterError, match=r"DigitalWatermark\.Message .* could not be read back .*IgnoreError"
    ) as caught:
        marked(tmp_path, **hopeless)  # type: ignore[arg-type]
    assert caught.value.code == "ResourceNotSupported"
    assert list(tmp_path.iterdir()) == []
    full = amplitude(640, 360, MESSAGE)
    assert tried == [pytest.approx(full), pytest.approx(embedding.STRONGER * full)]
    lost = marked(tmp_path, mark=dataclasses.replace(MARK, ignore_error=True), **hopeless)  # type: ignore[arg-type]
    assert lost.digital_watermark is not None and lost.digital_watermark.margin_db is None and lost.files[0].exists()


def test_sound_alone_cannot_carry_a_digital_watermark(tmp_path: Path) -> None:
    silent = VideoEnhance(transcode=Transcode(container=Container(format="mp3"), audio=Audio()))
    with pytest.raises(ParameterError, match="nothing is left to enhance or mark"):
        render(Operation(video_enhance=silent, digital_watermark=MARK), sample(), tmp_path)


def body(tag: str, key: str, operation: str) -> bytes:
    return (
        f"<Request><Tag>{tag}</Tag><Input><Object>{key}</Object></Input><Operation>{operation}</Operation></Request>"
    ).encode()


def output(key: str) -> str:
    return f"<Output><Region>{REGION}</Region><Bucket>{BUCKET}</Bucket><Object>{key}</Object></Output>"


def ended(call: Caller, sent: bytes) -> JobsDetail:
    answer = call("POST", "/jobs", body=sent)
    assert answer.status_code == 200, answer.text
    return call.ended(loads(Response, answer.content).jobs_detail[0].job_id)


@pytest.mark.slow
def test_a_digital_watermark_is_embedded_by_one_job_and_extracted_by_another(call_in_process: Caller) -> None:
    call = call_in_process
    call.put("in.mp4", sample().read_bytes())
    stretch = "<TimeInterval><Duration>1</Duration></TimeInterval>"
    setting = f"<VideoEnhance>{MP4.replace('</Transcode>', stretch + '</Transcode>')}</VideoEnhance>"
    hiding = f"{setting}<DigitalWatermark>{NODE}<IgnoreError>false</IgnoreError></DigitalWatermark>{output('m.mp4')}"
    job = ended(call, body("VideoEnhance", "in.mp4", hiding))
    assert job.operation is not None and job.operation.digital_watermark is not None
    assert (job.state, job.operation.digital_watermark.state) == ("Success", "Success"), job.message
    assert "with a margin of" in str(job.message)
    reading = "<ExtractDigitalWatermark><Type>Text</Type><Version>V1</Version></ExtractDigitalWatermark>"
    for key, message, said in (("m.mp4", MESSAGE, "done"), ("in.mp4", "", "no digital watermark was found")):
        job = ended(call, body("ExtractDigitalWatermark", key, reading))
        assert job.operation is not None and job.operation.extract_digital_watermark is not None
        assert (job.state, job.message) == ("Success", said)
        assert (job.operation.extract_digital_watermark.message or "") == message


@pytest.mark.slow
def test_a_job_of_a_digital_watermark_alone_succeeds(call_in_process: Caller, make_clip: Callable[..., Path]) -> None:
    call_in_process.put("in.mp4", make_clip(size="640x360").read_bytes())
    hiding = f"<DigitalWatermark>{NODE}</DigitalWatermark>{output('m.mp4')}"
    job = ended(call_in_process, body("DigitalWatermark", "in.mp4", hiding))
    assert (job.state, job.output_keys) == ("Success", ("m.mp4",)), job.message
    assert job.operation is not None and job.operation.digital_watermark is not None
    assert job.operation.digital_watermark.state == "Success"
