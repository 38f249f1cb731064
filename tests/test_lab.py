"""The lab: what a notebook types, on the embedded engine."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.lab.connect import BUCKET, REGION
from ci_notebook.model.errors import CredentialsError, NotFound, SignatureRefused, UnknownKey
from tests.support import write_sample

SHARPER = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))


@pytest.fixture(scope="module")
def clip(lab: ci.Lab, tmp_path_factory: pytest.TempPathFactory) -> ci.Clip:
    """Half a second of the sample, small, so that a job takes about one."""
    return lab.upload(write_sample(tmp_path_factory.mktemp("clip") / "small.mp4"))


@pytest.mark.slow
def test_a_setting_becomes_a_job_and_the_job_a_file(lab: ci.Lab, clip: ci.Clip, tmp_path: Path) -> None:
    job = lab.submit(clip, SHARPER).wait()
    assert job.state == "Success"
    assert job.download(tmp_path).stat().st_size == job.detail.operation.media_info.format.size  # type: ignore[union-attr]
    assert lab.job(job.id).state == "Success"
    assert job.id in [one.id for one in lab.jobs()]


@pytest.mark.slow
def test_the_six_runs_of_the_quickstart_succeed(lab: ci.Lab, clip: ci.Clip) -> None:
    runs = lab.run(clip, ci.grid(SHARPER, SharpenLevel=[0, 5, 10], Resolution=[None, "sdtohd"]))
    df = runs.to_frame()
    assert list(df["state"]) == ["Success"] * 6
    for resolution, rows in df.groupby(df["SuperResolution.Resolution"].isna()):
        assert set(rows["width"]) == {320 if resolution else 640}
        assert set(rows["height"]) == {180 if resolution else 360}
        assert rows.sort_values("MsSharpen.SharpenLevel")["sharpness"].is_monotonic_increasing


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(lab: ci.Lab, clip: ci.Clip) -> None:
    settings = ci.grid(SHARPER, SharpenLevel=[7])
    first = lab.run(clip, settings, scores=False)
    again = lab.run(clip, settings, scores=False)
    assert [run.job.job_id for run in first] == [run.job.job_id for run in again]  # type: ignore[union-attr]


@pytest.mark.slow
def test_pictures_are_embedded_and_captioned_by_the_setting(lab: ci.Lab, clip: ci.Clip) -> None:
    job = lab.submit(clip, SHARPER).wait()
    pictures = lab.look(clip, job, at_s=[0, 0.2])
    assert [one.caption for one in pictures] == [
        "small.mp4 at 0 s",
        "small.mp4 at 0.2 s",
        "SharpenLevel 5 at 0 s",
        "SharpenLevel 5 at 0.2 s",
    ]
    assert pictures._repr_html_().count("data:image/jpeg;base64,") == 4


@pytest.mark.slow
def test_the_result_of_a_failed_job_says_why(lab: ci.Lab, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    job = lab.submit(lab.upload(tmp_path / "text.mp4"), SHARPER)
    with pytest.raises(ci.JobFailed, match="ResourceNotSupported"):
        job.wait()
    assert "ResourceNotSupported" in lab.result_html(job)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (
            lambda lab: lab.submit("input/none.mp4", SHARPER),
            NotFound,
            "no object 'input/none.mp4'.*Upload it",
        ),
        (lambda lab: lab.job("j0"), NotFound, "no job with the id j0"),
        (lambda lab: lab.submit("a", SHARPER, user_data="a\nb"), ci.ParameterError, "UserData .* 1024 printable ASCII"),
        (lambda lab: lab.submit("a", SHARPER, watermark_template_id="abcd"), ci.ParameterError, "WatermarkTemplateId"),
        (lambda lab: lab.submit("a"), ci.ParameterError, "TemplateId or VideoEnhance"),
        (lambda lab: ci.connect("b-1250000000"), ci.ParameterError, "region"),
        (lambda lab: ci.connect("b-1250000000", region="ap-chongqing"), CredentialsError, "TENCENTCLOUD_SECRET_ID"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(lab: ci.Lab, ask: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ask(lab)  # type: ignore[operator]


@pytest.mark.slow
def test_the_same_lines_work_over_a_port_and_wrong_and_unknown_keys_are_distinguished(tmp_path: Path) -> None:
    keys = ci.Credentials("AKIDmine", "a-secret-of-mine")
    engine = Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys={"AKIDmine": "a-secret-of-mine"})
    with engine, Listener(engine) as listener:
        listener.start()

        def far(credentials: ci.Credentials) -> ci.Lab:
            return ci.connect(BUCKET, region=REGION, endpoint=listener.address, credentials=credentials, home=tmp_path)

        with far(keys) as lab:
            clip = lab.upload(ci.sample())
            assert lab.submit(clip, SHARPER).state == "Submitted"
        with far(ci.Credentials("AKIDother", "nobody-knows")) as lab, pytest.raises(UnknownKey) as unknown:
            lab.submit(clip, SHARPER)
        with far(ci.Credentials("AKIDmine", "nobody-knows")) as lab, pytest.raises(SignatureRefused) as refused:
            lab.submit(clip, SHARPER)
    assert "SecretKey" in str(refused.value)
    for error in (unknown.value, refused.value):
        assert "nobody-knows" not in f"{error!r}{error}"


def test_nothing_secret_shows_in_the_lab(lab: ci.Lab) -> None:
    secret = lab.client.sender.credentials.secret_key.reveal()
    assert len(secret) > 16
    assert secret not in repr(lab) + repr(lab.client) + repr(vars(lab)) + repr(vars(lab.client)) + repr(lab.engine)


def test_a_template_is_made_from_a_setting_listed_as_a_frame_and_taken_back_into_a_panel(lab: ci.Lab) -> None:
    made = lab.templates.create("soft skin", SHARPER)
    assert (made.name, made.setting) == ("soft_skin", SHARPER)
    df = ci.to_frame(lab.templates.list())
    assert list(df["template_name"]) == ["soft_skin"]
    assert list(df["MsSharpen.SharpenLevel"]) == [5]
    (again,) = lab.templates.get(str(made.template_id))
    panel = ci.EnhancePanel(lab, "input/a.mp4")
    panel.value = again.setting
    assert panel.value == SHARPER


@pytest.mark.slow
def test_jobs_are_watched_by_push_and_by_asking(lab: ci.Lab, clip: ci.Clip) -> None:
    with lab.callbacks() as receiver:
        jobs = [lab.submit(clip, SHARPER, call_back=receiver.url) for _ in range(2)]
        assert {job.id for job in receiver.watch(jobs, timeout_s=60) if job.is_over} == {job.id for job in jobs}
    assert [job.state for job in lab.watch(jobs, timeout_s=60) if job.is_over] == ["Success", "Success"]


@pytest.mark.slow
def test_a_queue_is_paused_and_a_message_queue_is_read(lab: ci.Lab, clip: ci.Clip) -> None:
    (queue,) = lab.queues.list()
    lab.queues.pause(queue)
    told = ci.CallBackMqConfig(mq_region="sh", mq_mode="Queue", mq_name="done")
    job = lab.submit(clip, SHARPER, call_back_type="TDMQ", call_back_mq_config=told)
    assert job.state == "Pause" or job.refresh().state == "Pause"
    lab.queues.resume(lab.queues.get(str(queue.queue_id)))
    job.wait(60)
    deadline = time.monotonic() + 20
    heard: list[ci.JobsDetail] = []
    while not heard and time.monotonic() < deadline:
        heard = lab.messages("done")
        time.sleep(0.05)
    assert [one.job_id for one in heard] == [job.id]
    assert lab.messages("done") == []


def test_facts_and_pictures_of_a_stored_video_come_by_either_call(lab: ci.Lab, clip: ci.Clip) -> None:
    client = lab.client
    info = client.media_info(clip.key)
    assert info == client.video_info(clip.key)
    assert info.stream is not None and info.stream.video[0].width == 320
    stored = client.store_snapshot(clip.key, "pictures/a.png", 0.2, width=160, format="png")
    assert stored.object == "pictures/a.png"
    assert client.read("pictures/a.png") == client.snapshot(clip.key, 0.2, width=160, format="png")
    assert client.snapshot(clip.key, 0.2, mode="keyframe") != client.snapshot(clip.key, 0.2)


@pytest.mark.slow
def test_a_digital_watermark_is_extracted_by_a_separate_job(lab: ci.Lab) -> None:
    hidden = ci.DigitalWatermark(message="lesson-3", type="Text", version="V1")
    marked = lab.submit(lab.upload(ci.sample()), ci.VideoEnhance(), digital_watermark=hidden).wait()
    assert marked.detail.operation.digital_watermark.state == "Success"  # type: ignore[union-attr]
    assert lab.extract_digital_watermark(marked).wait().hidden_text == "lesson-3"
    assert lab.extract_digital_watermark("input/city.mp4").wait().hidden_text == ""


@pytest.mark.slow
def test_runs_are_priced_budgeted_judged_reported_and_found_again(lab: ci.Lab, clip: ci.Clip, tmp_path: Path) -> None:
    sweep = ci.grid(None, SharpenLevel=[0, 6])
    assert lab.price(clip, sweep).total > 0
    with pytest.raises(ci.BudgetExceeded):
        lab.run(clip, sweep, budget=0.000001, force=True)
    runs = lab.run(clip, sweep, budget=1)
    answer = ci.verdict(runs, "SharpenLevel", 0, 6)
    assert answer.is_sure and "All 13 frames of" in answer.sentence, "a short clip is scored wholly, so it is known"
    page = runs.report(tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") >= 2
    assert "http://" not in page and "https://" not in page
    assert {run.key for run in runs} <= {run.key for run in lab.runs()}


@pytest.mark.parametrize("package", ["av", "imageio_ffmpeg"])
def test_an_engine_without_its_programs_says_so_at_once(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ci.EngineError, match=r"pip install 'ci-notebook\[local\]'"):
        ci.connect(home=tmp_path)
