"""`lab.adopt`: jobs that somebody else sent become runs, without a second payment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import ci_notebook as ci
from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import SlowJobs
from ci_notebook.experiment.run import Interrupted
from ci_notebook.model.api.jobs import JobsDetail, Operation, Response
from ci_notebook.model.api.requests import enhance_request, repeat_request
from ci_notebook.model.setting.enhance import SwitchedMsSharpen, VideoProcess
from ci_notebook.wire.xml import dumps
from tests.support import until, write_clip, write_sample

BUCKET, REGION = "lab-1250000000", "ap-chongqing"
KEYS = Credentials("AKIDadopt", "secret-adopt")


class LoggedTransport(WSGITransport):
    """The transport of a client, which keeps the method and path of each request."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.app)
        self.log: list[str] = []

    def handle_request(self, request):  # type: ignore[no-untyped-def]
        self.log.append(f"{request.method} {request.url.path}")
        return super().handle_request(request)

    @property
    def jobs_sent(self) -> list[str]:
        return [line for line in self.log if line.startswith("POST")]


def sharp(level: int) -> ci.VideoEnhance:
    return ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=level))


class Colleague:
    """A second client on the same bucket, without a lab and a journal."""

    def __init__(self, engine: Engine) -> None:
        self.client = Client(
            BUCKET, region=REGION, credentials=KEYS, transport=WSGITransport(engine.app), scheme="http"
        )

    def send(self, key: str, setting: ci.VideoEnhance | None, **more: object) -> str:
        request = enhance_request(key, setting, bucket=BUCKET, region=REGION, **more)  # type: ignore[arg-type]
        return self.client.submit(request).job_id or ""

    def finished(self, *ids: str) -> list[JobsDetail]:
        until(lambda: all(job.is_over for job in self.client.job(*ids)), timeout_s=300)
        return self.client.job(*ids)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    keys = {KEYS.secret_id.reveal(): KEYS.secret_key}
    with Engine(tmp_path_factory.mktemp("engine"), bucket=BUCKET, region=REGION, keys=keys, workers=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def colleague(engine: Engine) -> Colleague:
    return Colleague(engine)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("clip") / "small.mp4", seconds=0.4, size="192x108")


@pytest.fixture(scope="module")
def source(colleague: Colleague, video: Path) -> str:
    return colleague.client.upload(video, "films/small.mp4").key


@pytest.fixture(scope="module")
def foreign(colleague: Colleague, source: str) -> list[JobsDetail]:
    return colleague.finished(*(colleague.send(source, sharp(level)) for level in (0, 4, 8)))


@pytest.fixture
def make_lab(engine: Engine, tmp_path: Path) -> Iterator[Callable[..., ci.Lab]]:
    labs = []

    def make(name: str = "home") -> ci.Lab:
        transport = LoggedTransport(engine)
        client = Client(BUCKET, region=REGION, credentials=KEYS, transport=transport, scheme="http")
        lab = ci.Lab(client, home=tmp_path / name)
        lab.log = transport  # type: ignore[attr-defined]
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(make_lab: Callable[..., ci.Lab]) -> ci.Lab:
    return make_lab()


def sent(lab: ci.Lab) -> list[str]:
    return lab.log.jobs_sent  # type: ignore[attr-defined, no-any-return]


@pytest.mark.slow
def test_foreign_jobs_become_scored_and_priced_runs_and_nothing_is_sent(lab: ci.Lab, foreign: list[JobsDetail]) -> None:
    runs = lab.adopt(foreign)
    df = runs.to_frame()
    assert list(df["state"]) == ["Success"] * 3 and list(df["MsSharpen.SharpenLevel"]) == [0, 4, 8]
    assert df[["vmaf_neg", "psnr", "sharpness", "cost_cny"]].notna().all().all()
    assert df["cost_cny"].iloc[0] == pytest.approx(0.4 * 0.4 / 60)
    assert runs == lab.runs() and not runs.skipped
    assert all(run.alignment is not None and run.output is not None for run in runs)
    assert sent(lab) == []


@pytest.mark.slow
@pytest.mark.parametrize("every", [None, 1])
def test_scores_are_bit_equal_to_those_of_a_run_of_our_own(
    make_lab: Callable[..., ci.Lab], foreign: list[JobsDetail], source: str, every: int | None
) -> None:
    adopted = make_lab().adopt(foreign, every=every)
    own = make_lab("own").run(source, [sharp(level) for level in (0, 4, 8)], every=every)
    for one, other in zip(adopted, own, strict=True):
        assert one.job != other.job, "another job, which the engine renders to an equal file"
        assert dict(one.scores) == dict(other.scores) and dict(one.pictures) == dict(other.pictures)
        assert (one.every, one.alignment, one.cost_cny) == (other.every, other.alignment, other.cost_cny)
        assert one.key == other.key


@pytest.mark.slow
def test_a_sweep_finds_adopted_runs_and_adopting_twice_asks_nothing(
    lab: ci.Lab, foreign: list[JobsDetail], source: str
) -> None:
    runs = lab.adopt(foreign)
    lab.log.log.clear()  # type: ignore[attr-defined]
    assert lab.adopt(foreign) == runs
    assert lab.adopt([one.job_id or "" for one in reversed(foreign)] * 2) == ci.Runs(reversed(runs))
    assert lab.log.log == [], "all is in the journal"  # type: ignore[attr-defined]
    own = lab.run(source, [sharp(0), sharp(4), sharp(8)])
    assert [run.job for run in own] == [run.job for run in runs] and sent(lab) == []
    assert len(runs + own) == len(own + runs) == len(lab.runs()) == 3


@pytest.mark.slow
def test_overlapping_runs_are_counted_once_and_repeats_stay(
    lab: ci.Lab, foreign: list[JobsDetail], source: str
) -> None:
    own = lab.run(source, [sharp(0), sharp(6)])
    adopted = lab.adopt(foreign)
    together = own + adopted
    assert len(together) == 5, "level 0 was rendered twice: by us and by the colleague"
    assert len(together + own + adopted[:2]) == 5
    assert len(lab.runs()) == 4, "the journal lists one attempt at each run"
    (level0,) = lab.runs().where(SharpenLevel=0)
    assert level0.job == own[0].job, "an adopted job does not replace a result of our own"
    repeat = lab.run(source, sharp(0), force=True)
    assert len(own + repeat) == 3 and len(lab.runs()) == 4


@pytest.mark.slow
def test_replies_callbacks_files_and_ids_are_the_same_runs(
    lab: ci.Lab, foreign: list[JobsDetail], tmp_path: Path
) -> None:
    reply = dumps(Response(jobs_detail=tuple(foreign)))
    (tmp_path / "all.xml").write_bytes(reply)
    first = lab.adopt(reply)
    callback = dumps(Response(event_name="TaskFinish", jobs_detail=(foreign[0],)))
    jobs = [lab.job(one.job_id or "") for one in foreign]
    for given in (foreign, jobs, tmp_path / "all.xml", [callback, *foreign, reply.decode()], iter(jobs)):
        assert lab.adopt(given) == first  # type: ignore[arg-type]


@pytest.mark.slow
def test_templates_are_resolved_and_found_by_both_spellings(lab: ci.Lab, colleague: Colleague, source: str) -> None:
    template = colleague.client.templates.create("crisp", sharp(7))
    (job,) = colleague.finished(colleague.send(source, None, template_id=template.template_id))
    assert job.operation is not None and job.operation.video_enhance is None
    (run,) = lab.adopt(job)
    assert run.ok and run.setting == sharp(7) and run.template_id == template.template_id
    assert lab.run(source, template)[0].job == lab.run(source, sharp(7))[0].job == job
    assert sent(lab) == []
    assert lab.video_files.names([run]) == ["small-SharpenLevel-7.mp4"], "the job itself does not know its setting"


@pytest.mark.slow
def test_what_cannot_become_a_run_is_named_and_the_rest_is_adopted(
    lab: ci.Lab, colleague: Colleague, video: Path, foreign: list[JobsDetail], tmp_path: Path
) -> None:
    client = colleague.client
    client.upload(video, "films/gone.mp4")
    (tmp_path / "text.mp4").write_text("no video at all")
    client.upload(tmp_path / "text.mp4", "films/text.mp4")
    template = client.templates.create("short-lived", sharp(2))
    gone, text, no_output, no_template = colleague.finished(
        colleague.send("films/gone.mp4", sharp(1)), colleague.send("films/text.mp4", sharp(1)),
        colleague.send("films/small.mp4", sharp(1)),
        colleague.send("films/small.mp4", None, template_id=template.template_id),
    )  # fmt: skip
    client.delete("films/gone.mp4")
    client.delete(no_output.output_keys[0])
    client.templates.delete(str(template.template_id))
    runs = lab.adopt([gone, *foreign, text, no_output, no_template, "j0unknown"])
    assert [run.state for run in runs] == ["Success"] * 3 + ["Failed"]
    assert len(runs.failed) == 1 and "ResourceNotSupported" in runs._repr_html_()
    reasons = [runs.skipped[one] for one in (gone.job_id or "", no_output.job_id or "", no_template.job_id or "")]
    assert ["source films/gone.mp4 is not in the bucket" in reasons[0], "output output/" in reasons[1],
            "does not exist any more" in reasons[2]] == [True] * 3  # fmt: skip
    assert "does not know it" in runs.skipped["j0unknown"] and len(runs.skipped) == 4
    assert "4 jobs were not adopted" in repr(runs) and "\n" not in repr(runs)
    html = runs._repr_html_()
    assert "Not adopted" in html and all(one in html for one in runs.skipped)
    assert (runs[:2].skipped, runs.failed.skipped) == ({}, {}) and (runs + runs).skipped == runs.skipped
    assert sent(lab) == []


@pytest.mark.slow
def test_a_watermarked_job_is_adopted_with_a_note_and_a_sweep_does_not_take_it(
    lab: ci.Lab, colleague: Colleague, source: str
) -> None:
    mark = ci.Watermark(type="Text", loc_mode="Absolute", dx=4, dy=4, pos="TopLeft",
                        text=ci.Text(text="hi", font_size=20, font_type="simfang.ttf", font_color="0xFFFFFF",
                                     transparency=100))  # fmt: skip
    (job,) = colleague.finished(colleague.send(source, sharp(3), watermark=(mark,)))
    runs = lab.adopt(job)
    assert runs[0].ok and "watermarks" in runs.notes[str(job.job_id)]
    assert lab.run(source, sharp(3))[0].job != runs[0].job


@pytest.mark.slow
def test_jobs_of_single_stages_are_listed_shown_adopted_and_repeated(
    lab: ci.Lab, colleague: Colleague, source: str
) -> None:
    mp4 = ci.Transcode(container=ci.Container(format="mp4"), video=ci.Video(codec="H.264"))
    plain = enhance_request(source, bucket=BUCKET, region=REGION)
    process = VideoProcess(ms_sharpen=SwitchedMsSharpen(enable=True, sharpen_level=7))
    operation = replace(plain.operation or Operation(), video_process=process, transcode=mp4)
    request = replace(plain, tag="VideoProcess", operation=operation)
    (detail,) = colleague.finished(colleague.client.submit(request).job_id or "")
    (job,) = lab.jobs(tag="VideoProcess", states="Success")
    assert job.id == detail.job_id
    assert job.setting == ci.VideoEnhance(transcode=mp4, ms_sharpen=ci.MsSharpen(sharpen_level=7))
    assert "<VideoProcess><MsSharpen><Enable>true</Enable>" in job.xml
    runs = lab.adopt(job)
    assert runs[0].ok and "VideoProcess" in runs.notes[job.id]
    df = runs.to_frame()
    assert df.loc[0, ["tag", "MsSharpen.SharpenLevel"]].tolist() == ["VideoProcess", 7]
    assert df.loc[0, "vmaf_neg"] > 0 and df.loc[0, "cost_cny"] > 0
    again = colleague.client.submit(repeat_request(job.detail, user_data="again"))
    (second,) = colleague.finished(again.job_id or "")
    assert (second.state, second.tag) == ("Success", "VideoProcess")


@pytest.mark.slow
def test_a_running_job_is_named_or_waited_for(lab: ci.Lab, colleague: Colleague, source: str, engine: Engine) -> None:
    engine.faults.add("run_job", SlowJobs(start_s=1.5))
    job_id = colleague.send(source, sharp(9))
    (early,) = colleague.client.job(job_id)
    runs = lab.adopt(early)
    assert len(runs) == 0 and "Adopt it again when it has ended" in runs.skipped[job_id]
    assert len(lab.runs()) == 0
    (run,) = lab.adopt(early, wait=True)
    assert run.ok and run.scores
    assert lab.adopt(early)[0] == run, "a stale reply is read again"


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_half_done_and_the_same_call_resumes(lab: ci.Lab, foreign: list[JobsDetail]) -> None:
    def interrupt(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="Run the same call again"):
        lab.adopt(foreign, on_progress=interrupt)
    assert {entry.phase for entry in lab.journal.entries()} <= {"sent", "over"}
    cancel = threading.Event()
    cancel.set()
    lab.adopt(foreign, cancel=cancel)
    runs = lab.adopt(foreign)
    assert all(run.ok and run.scores for run in runs) and sent(lab) == []


@pytest.mark.slow
def test_scores_against_a_true_reference(lab: ci.Lab, colleague: Colleague, video: Path) -> None:
    original = lab.upload(video)
    worse = lab.spoil(original, crf=42)
    (job,) = colleague.finished(colleague.send(worse.key, sharp(4)))
    by_source = lab.adopt(job)[0]
    by_original = lab.adopt(job, reference=original)[0]
    assert (by_source.score_against, by_original.score_against) == ("source", "reference")
    assert by_original.reference_md5 == original.md5 and by_source.scores != by_original.scores
    assert lab.adopt(job, reference={worse: original})[0] == by_original
    assert lab.adopt(job, reference={worse.key: original.key})[0] == by_original


@pytest.mark.slow
def test_a_run_of_our_own_is_found_and_not_written_again(lab: ci.Lab, source: str) -> None:
    own = lab.run(source, [sharp(0), sharp(4)])
    assert lab.adopt(lab.jobs(input_object=source, created_after=None)).where(SharpenLevel=4)[0].key == own[1].key
    assert lab.adopt([run.job for run in own if run.job]) == own


@pytest.mark.slow
def test_a_source_that_was_replaced_after_the_job_is_not_scored(
    lab: ci.Lab, colleague: Colleague, video: Path, tmp_path: Path
) -> None:
    colleague.client.upload(video, "films/changes.mp4")
    (job,) = colleague.finished(colleague.send("films/changes.mp4", sharp(1)))
    time.sleep(3.1)  # object times are whole seconds, and two seconds are granted to the clocks
    colleague.client.upload(write_clip(tmp_path / "other.mp4", size="192x108", seconds=0.4), "films/changes.mp4")
    runs = lab.adopt(job)
    assert len(runs) == 0 and "was stored again after the job began" in runs.skipped[str(job.job_id)]


FUNCTIONS: dict[str, Callable[[ci.Lab, ci.Runs, Path], object]] = {
    "to_frame": lambda lab, runs, path: ci.to_frame(runs),
    "differing": lambda lab, runs, path: ci.differing(ci.to_frame(runs)),
    "verdict": lambda lab, runs, path: ci.verdict(runs, "SharpenLevel", 0, 8, on="vmaf_neg"),
    "verdicts": lambda lab, runs, path: ci.verdicts(runs, "SharpenLevel", on="vmaf_neg"),
    "all_verdicts": lambda lab, runs, path: ci.all_verdicts(runs, on="vmaf_neg"),
    "compute_response": lambda lab, runs, path: ci.compute_response(runs, "SharpenLevel", "vmaf"),
    "plot_response": lambda lab, runs, path: ci.plot_response(runs, x="SharpenLevel", y="vmaf"),
    "plot_pareto": lambda lab, runs, path: ci.plot_pareto(runs, "vmaf"),
    "plot_parallel": lambda lab, runs, path: ci.plot_parallel(runs),
    "plot_importance": lambda lab, runs, path: ci.plot_importance(runs, "vmaf_neg"),
    "plot_timeline": lambda lab, runs, path: ci.plot_timeline(runs),
    "plot_trace": lambda lab, runs, path: ci.plot_trace(runs, "vmaf"),
    "plot_needle": lambda lab, runs, path: ci.plot_needle(runs, "SharpenLevel"),
    "plot_gain": lambda lab, runs, path: ci.plot_gain(runs),
    "CompareView": lambda lab, runs, path: ci.CompareView(runs).close(),
    "VoteView": lambda lab, runs, path: ci.VoteView(lab, runs, voter="Ann").close(),
    "look": lambda lab, runs, path: lab.look(runs, at_s=0.1),
    "frames": lambda lab, runs, path: lab.frames(runs[0]).close(),
    "open_video": lambda lab, runs, path: runs.open_video(runs[0]).close(),
    "report": lambda lab, runs, path: runs.report(path / "report.html"),
    "save": lambda lab, runs, path: ci.read_runs(runs.save(path / "runs.csv")),
    "where": lambda lab, runs, path: runs.where("two.mp4", SharpenLevel=[0, 8]),
}


@pytest.fixture(scope="module")
def adopted(engine: Engine, colleague: Colleague, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    key = colleague.client.upload(write_sample(tmp_path_factory.mktemp("clip") / "two.mp4", seconds=2), "two.mp4").key
    jobs = colleague.finished(*(colleague.send(key, sharp(level)) for level in (0, 4, 8)))
    client = Client(BUCKET, region=REGION, credentials=KEYS, transport=WSGITransport(engine.app), scheme="http")
    with ci.Lab(client, home=tmp_path_factory.mktemp("adopted")) as lab:
        yield lab, lab.adopt(jobs, every=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_that_takes_runs_takes_adopted_ones(
    name: str, adopted: tuple[ci.Lab, ci.Runs], tmp_path: Path
) -> None:
    lab, runs = adopted
    result = FUNCTIONS[name](lab, runs, tmp_path)
    if name == "report":
        assert Path(str(result)).read_text("utf-8").count("data:image/jpeg;base64,") >= 4, "frames before and after"
    if name == "save":
        assert len(runs + result) == 3  # type: ignore[operator]
    if isinstance(result, pd.DataFrame):
        assert len(result) > 0


@pytest.mark.slow
def test_a_search_counts_adopted_runs_as_trials(lab: ci.Lab, foreign: list[JobsDetail], source: str) -> None:
    pytest.importorskip("optuna")
    lab.adopt(foreign)
    found = lab.optimize(source, space={"SharpenLevel": [0, 4, 8]}, on="vmaf_neg", trials=3)
    assert len(found.trials) == 3 and sent(lab) == []


@pytest.mark.slow
def test_a_hundred_foreign_jobs_are_adopted_without_a_post_and_again_at_once(
    make_lab: Callable[..., ci.Lab], colleague: Colleague, engine: Engine, tmp_path: Path
) -> None:
    keys = []
    for number in range(5):
        path = write_clip(tmp_path / f"{number}.mp4", seconds=0.3, size=f"{96 + 16 * number}x96")
        keys.append(colleague.client.upload(path, f"batch/{number}.mp4").key)
    settings = [
        ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=level), color_enhance=color)
        for level in range(10)
        for color in (None, ci.ColorEnhance(contrast=40))
    ]
    ids = [colleague.send(key, setting) for key in keys for setting in settings]
    jobs = colleague.finished(*ids)
    (tmp_path / "xml").mkdir()
    for number in range(10):
        part = Response(jobs_detail=tuple(jobs[10 * number : 10 * number + 10]))
        (tmp_path / "xml" / f"{number}.xml").write_bytes(dumps(part))
    lab, events = make_lab(), []
    runs = lab.adopt(tmp_path / "xml", on_progress=events.append)
    assert len(runs) == 100 and all(run.ok for run in runs) and not runs.skipped
    assert [run.job.job_id for run in runs if run.job] == ids
    df = runs.to_frame()
    assert df[["vmaf", "vmaf_neg", "psnr", "delta_e", "cost_cny", "align_offset_frames"]].notna().all().all()
    assert df["clip"].nunique() == 5
    assert sent(lab) == [] and len(lab.runs()) == 100
    assert events[-1].share == 1 and events[-1].total == 100
    lab.log.log.clear()  # type: ignore[attr-defined]
    began = time.monotonic()
    assert lab.adopt(ids) == runs
    assert time.monotonic() - began < 5 and lab.log.log == []  # type: ignore[attr-defined]
    assert lab.run(keys[0], settings) == runs[:20] and sent(lab) == []


@pytest.mark.parametrize("given", [3, "missing.xml", "", "not a job"])
def test_mistakes_are_refused_in_plain_words(lab: ci.Lab, given: object) -> None:
    with pytest.raises(ci.ParameterError):
        lab.adopt(given)  # type: ignore[arg-type]
    with pytest.raises(ci.ParameterError, match="reference must be a clip"):
        lab.adopt([], reference=3)  # type: ignore[arg-type]
    with pytest.raises(ci.ParameterError, match="every"):
        lab.adopt([], every=0)
    with pytest.raises(ci.ParameterError, match=r"adopt\(\) has no keyword"):
        lab.adopt([], refernce=None)  # type: ignore[call-arg]
    assert repr(lab.adopt([])) == "<Runs: 0 of 0 succeeded>"
