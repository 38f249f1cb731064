"""Which jobs of others can become runs, from what they are read, and how the journal numbers them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ci_notebook.client.objects import StoredObject
from ci_notebook.experiment.adoption.foreign import NotAdopted, ServiceFacts, foreign_run, read_facts
from ci_notebook.experiment.adoption.given_jobs import read_jobs_given
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run_queue import run_key
from ci_notebook.experiment.run_record import Run, each_once
from ci_notebook.model.api.jobs import Input, JobsDetail, Md5Info, MediaResult, Operation, OutputFile, Response
from ci_notebook.model.api.templates import Template, TransTpl
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.model.setting.enhance import (
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    SwitchedColorEnhance,
    SwitchedMsSharpen,
    VideoEnhance,
    VideoProcess,
)
from ci_notebook.model.setting.transcode import Container, Transcode, Video
from ci_notebook.model.setting.watermark import DigitalWatermark
from ci_notebook.wire.xml import dumps

BUCKET, REGION = "lab-1250000000", "ap-chongqing"
LARGER = SuperResolution(resolution="sdtohd")
SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
SOURCE = StoredObject(
    key="input/a.mp4", size_bytes=9, md5="1" * 32, etag="1" * 32, last_modified="Mon, 01 Jun 2026 00:00:00 GMT"
)
OUTPUT = StoredObject(
    key="output/a.mp4", size_bytes=9, md5="2" * 32, etag="2" * 32, last_modified="Mon, 01 Jun 2026 00:02:00 GMT"
)


def job(job_id: str = "j1", **more: object) -> JobsDetail:
    """Return a finished job on input/a.mp4, from 8:01 to 8:02 in Beijing."""
    facts: dict[str, object] = {
        "code": "Success", "job_id": job_id, "state": "Success", "tag": "VideoEnhance",
        "creation_time": "2026-06-01T08:01:00+0800", "start_time": "2026-06-01T08:01:01+0800",
        "end_time": "2026-06-01T08:02:00+0800",
        "input": Input(bucket_id=BUCKET, region=REGION, object="input/a.mp4"),
        "operation": operation(video_enhance=SHARP),
    }  # fmt: skip
    return JobsDetail(**(facts | more))  # type: ignore[arg-type]


def operation(md5: str = "2" * 32, bucket: str = BUCKET, **more: object) -> Operation:
    digest = (Md5Info(object_name="output/a.mp4", md5=md5),) if md5 else ()
    output = OutputFile(bucket=bucket, region=REGION, object_name=("output/a.mp4",), md5_info=digest)
    return Operation(media_result=MediaResult(output_file=output), **more)  # type: ignore[arg-type]


def facts(*objects: StoredObject, templates: dict[str, Template | str] | None = None, **missing: str) -> ServiceFacts:
    stored: dict[str, StoredObject | str] = {"input/a.mp4": SOURCE, "output/a.mp4": OUTPUT}
    stored |= {one.key: one for one in objects} | missing
    return ServiceFacts(BUCKET, REGION, stored, templates or {})


def template(template_id: str = "t1", **more: object) -> Template:
    return Template(template_id=template_id, **({"tag": "VideoEnhance", "video_enhance": SHARP} | more))  # type: ignore[arg-type]


def test_a_finished_job_becomes_the_run_that_a_sweep_would_make() -> None:
    run, clip, note = foreign_run(job(), facts(), "service")
    assert (run.setting, run.clip, run.clip_key, run.clip_md5, run.state) == (
        SHARP, "a.mp4", "input/a.mp4", "1" * 32, "Success",
    )  # fmt: skip
    assert run.key == run_key(clip, SHARP, "service")
    assert note == ""


def test_the_spelling_of_a_number_makes_no_other_run() -> None:
    setting = VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(fps=25)))
    sent = job(operation=operation(video_enhance=setting))
    xml = dumps(sent).replace(b"<Fps>25<", b"<Fps>25.000000<")
    assert b"25.000000" in xml
    (read,) = read_jobs_given(xml).jobs
    assert isinstance(read, JobsDetail)
    assert foreign_run(read, facts(), "s")[0].key == foreign_run(sent, facts(), "s")[0].key


@pytest.mark.parametrize(
    ("one", "known", "reason"),
    [
        (job(tag="Transcode"), facts(), "Its tag is Transcode"),
        (job(input=Input(bucket_id="other-1", object="a")), facts(), r"source is in another bucket.*'other-1'"),
        (job(input=Input(region="eu-frankfurt", object="a")), facts(), "region='eu-frankfurt'"),
        (job(operation=operation(bucket="other-1", video_enhance=SHARP)), facts(), "output is in another bucket"),
        (job(input=None), facts(), "names no source"),
        (job(operation=operation()), facts(), "names no setting"),
        (job(operation=None), facts(), "names no setting"),
        (job(), facts(**{"input/a.mp4": "is not in the bucket any more"}), "source input/a.mp4 is not in the bucket"),
        (job(), facts(**{"output/a.mp4": "is not in the bucket any more"}), "output output/a.mp4 is not in the buck"),
        (job(operation=Operation(video_enhance=SHARP)), facts(), "names no output"),
        (
            job(operation=operation(template_id="t1")),
            facts(templates={"t1": "does not exist any more, so its setting is not known"}),
            "template t1 does not exist any more",
        ),
        (
            job(operation=operation(template_id="t1")),
            facts(templates={"t1": template(update_time="2026-06-02T08:00:00+0800")}),
            "template t1 was changed after the job",
        ),
        (
            job(operation=operation(template_id="t1")),
            facts(templates={"t1": template(video_enhance=None)}),
            "template t1 is not for video enhancement",
        ),
        (
            job(),
            facts(StoredObject(key="input/a.mp4", size_bytes=1, last_modified="Mon, 01 Jun 2026 00:03:00 GMT")),
            r"source input/a.mp4 was stored again after the job began.*ci\.score",
        ),
        (job(), facts(StoredObject(key="output/a.mp4", size_bytes=1, md5="3" * 32)), "output output/a.mp4 was replac"),
        (
            job(operation=operation(md5="", video_enhance=SHARP)),
            facts(StoredObject(key="output/a.mp4", size_bytes=1, last_modified="Mon, 01 Jun 2026 00:09:00 GMT")),
            "was replaced after the job",
        ),
    ],
)
def test_a_job_that_cannot_become_a_run_says_why(one: JobsDetail, known: ServiceFacts, reason: str) -> None:
    with pytest.raises(NotAdopted, match=reason):
        foreign_run(one, known, "service")


def test_a_template_overrides_the_setting_as_in_the_service() -> None:
    other = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=1))
    one = job(operation=operation(template_id="t1", video_enhance=other))
    run, clip, _ = foreign_run(one, facts(templates={"t1": template()}), "service")
    assert run.setting == SHARP and run.template_id == "t1"
    assert run.key == run_key(clip, template(), "service"), "lab.run with the template or its setting finds it"


def test_the_template_of_an_encoding_is_the_encoding_of_the_setting() -> None:
    encoding = template(
        "t2", tag="Transcode", video_enhance=None, trans_tpl=TransTpl(container=Container(format="mp4"))
    )
    one = job(operation=operation(template_id="t1", transcode_template_id="t2"))
    run, _, _ = foreign_run(one, facts(templates={"t1": template(), "t2": encoding}), "service")
    assert run.setting == VideoEnhance(
        ms_sharpen=SHARP.ms_sharpen, transcode=Transcode(container=Container(format="mp4"))
    )
    assert run.template_id == "", "no single template holds this setting"


@pytest.mark.parametrize(
    ("tag", "stage", "setting"),
    [
        ("SuperResolution", {"super_resolution": LARGER}, VideoEnhance(super_resolution=LARGER)),
        ("SDRtoHDR", {"sdr_to_hdr": SDRtoHDR(hdr_mode="HLG")}, VideoEnhance(sdr_to_hdr=SDRtoHDR(hdr_mode="HLG"))),
        (
            "VideoProcess",
            {"video_process": VideoProcess(
                color_enhance=SwitchedColorEnhance(contrast=9),
                ms_sharpen=SwitchedMsSharpen(enable=True, sharpen_level=5),
            )},
            SHARP,
        ),
    ],
)  # fmt: skip
def test_a_job_of_a_single_stage_becomes_a_run_of_its_own(tag: str, stage: dict[str, object], setting: object) -> None:
    mp4 = Transcode(container=Container(format="mp4"))
    encoding = template("t2", tag="Transcode", video_enhance=None, trans_tpl=TransTpl(container=mp4.container))
    inline = job(tag=tag, operation=operation(transcode=mp4, **stage))
    by_template = job(tag=tag, operation=operation(transcode_template_id="t2", **stage))
    for one in (inline, by_template):
        run, clip, note = foreign_run(one, facts(templates={"t2": encoding}), "service")
        assert run.setting == dataclasses.replace(setting, transcode=mp4)  # type: ignore[type-var]
        assert run.key != run_key(clip, run.setting, "service") and tag in note


def test_the_template_of_a_single_stage_is_its_setting() -> None:
    stored = template(tag="SuperResolution", video_enhance=None, super_resolution=LARGER)
    one = job(tag="SuperResolution", operation=operation(template_id="t1", transcode=Transcode(video=Video(crf=20.0))))
    run, _, _ = foreign_run(one, facts(templates={"t1": stored}), "service")
    assert run.setting == VideoEnhance(super_resolution=LARGER, transcode=Transcode(video=Video(crf=20.0)))
    assert run.template_id == "", "lab.run takes templates of VideoEnhance"


def test_a_watermarked_job_is_another_run_than_its_setting_and_a_note_says_so() -> None:
    mark = DigitalWatermark(message="hello")
    run, clip, note = foreign_run(job(operation=operation(video_enhance=SHARP, digital_watermark=mark)), facts(), "s")
    assert run.key != run_key(clip, SHARP, "s") and "watermarks" in note


def test_the_service_is_asked_once_about_each_object_and_template() -> None:
    asked: list[str] = []

    def head(key: str) -> StoredObject:
        asked.append(key)
        if key == "input/b.mp4":
            raise NotFound("NoSuchKey", "gone")
        return StoredObject(key=key, size_bytes=1)

    def get(*ids: str) -> list[Template]:
        asked.extend(ids)
        if "t9" in ids:
            raise NotFound("TemplateNotFound", "gone")
        return [template(one) for one in ids]

    jobs = [job(f"j{number}", operation=operation(template_id=f"t{number % 10}")) for number in range(30)]
    jobs.append(job("j30", input=Input(object="input/b.mp4")))
    known = read_facts(jobs, bucket=BUCKET, region=REGION, head=head, get_templates=get)
    assert [asked.count(key) for key in ("input/a.mp4", "input/b.mp4", "output/a.mp4")] == [1, 1, 1]
    assert known.objects["input/b.mp4"] == "is not in the bucket any more"
    missing = [one for one, found in known.templates.items() if isinstance(found, str)]
    assert missing == ["t9"] and len(known.templates) == 10


# What a caller names


def test_jobs_are_read_from_texts_bytes_files_folders_and_patterns(tmp_path: Path) -> None:
    three = [job(f"j{number}") for number in range(3)]
    reply = dumps(Response(jobs_detail=tuple(three)))
    (tmp_path / "a.xml").write_bytes(reply)
    (tmp_path / "b.json").write_text(json.dumps({"JobsDetail": [{"JobId": "j9", "State": "Failed"}]}))
    (tmp_path / ".hidden.xml").write_text("<broken")
    for given in (reply, reply.decode(), tmp_path / "a.xml", str(tmp_path / "a.xml"), str(tmp_path / "*.xml"), three):
        assert read_jobs_given(given).jobs == three
    assert [one.job_id for one in read_jobs_given(tmp_path).jobs] == ["j0", "j1", "j2", "j9"]
    assert read_jobs_given({"JobsDetail": [{"JobId": "j9"}]}).jobs == [JobsDetail(job_id="j9")]
    assert read_jobs_given(iter(["j1", three[0], reply])).jobs == ["j1", three[0], *three]


def test_a_text_whose_declaration_names_another_encoding_is_read_as_pasted() -> None:
    text = "<?xml version='1.0' encoding='GBK'?><JobsDetail><JobId>j1</JobId><Message>片</Message></JobsDetail>"
    (one,) = read_jobs_given(text).jobs
    assert isinstance(one, JobsDetail) and one.message == "片"


def test_an_unreadable_file_among_others_is_named_and_alone_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text("<Response><JobsDetail>")
    (tmp_path / "good.xml").write_bytes(dumps(job()))
    given = read_jobs_given(tmp_path)
    assert given.jobs == [job()] and list(given.unreadable) == ["bad.xml"]
    with pytest.raises(ParameterError, match=r"No job can be read from bad\.xml"):
        read_jobs_given(tmp_path / "bad.xml")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "Jobs are given as"),
        ([None], "Jobs are given as"),
        ("missing/file.xml", "There is no file or folder"),
        (Path("missing"), "There is no file or folder"),
        ("missing*.xml", "No file matches"),
        ("not a job", "neither the id of a job nor the path"),
        ("", "neither the id of a job nor the path"),
        ("a\0b", "Jobs are given as|neither the id"),
        ("<html></html>", "No job can be read from the text"),
        ("{}", "No job can be read from the text"),
        (b"\xff\xfe\x00", "No job can be read from the bytes"),
    ],
)
def test_what_is_no_job_is_refused_in_plain_words(given: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read_jobs_given(given)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="contains no"):
        read_jobs_given(tmp_path)


# The journal


def run_of(job_id: str, state: str = "Success", key: str = "k") -> Run:
    one = job(job_id, state=state)
    return Run(key=key, clip="a.mp4", clip_key="input/a.mp4", clip_md5="1" * 32, setting=SHARP, job=one)


def test_a_job_is_recorded_once_and_found_by_its_id(journal: Journal) -> None:
    first = journal.adopt([run_of("j1"), run_of("j2")], service="s")
    again = journal.adopt([run_of("j2"), run_of("j1")], service="s")
    assert [one.run.attempt for one in first] == [1, 0]
    assert [one.run.job.job_id for one in again if one.run.job] == ["j2", "j1"]
    assert len(list(journal.entries())) == 1, "two jobs of one setting on one clip are two attempts at one run"
    found = journal.find(JobsDetail(job_id="j2"))
    assert found is not None and found.run.attempt == 0 and found.phase == "sent"


@pytest.mark.parametrize("states", [("Failed", "Success"), ("Success", "Failed"), ("Cancel", "Success"),
                                    ("Failed", "Cancel", "Success", "Failed")])  # fmt: skip
def test_a_failed_job_never_hides_a_success(journal: Journal, states: tuple[str, ...]) -> None:
    for number, state in enumerate(states):
        journal.adopt([run_of(f"j{number}", state)], service="s")
    latest = journal.latest("k")
    assert latest is not None and latest.run.state == "Success"


def test_a_failed_job_hides_no_failure_of_which_more_is_known(journal: Journal) -> None:
    journal.adopt([run_of("j1", "Failed"), run_of("j2", "Cancel")], service="s")
    latest = journal.latest("k")
    assert latest is not None and latest.run.state == "Failed" and latest.phase == "over"


# Runs, each once


def test_records_of_one_job_are_one_run_and_the_last_one_stays() -> None:
    old, new = run_of("j1"), run_of("j1")
    object.__setattr__(new, "cost_cny", 1.0)
    other = run_of("j2")
    assert each_once([old, other, new]) == [new, other]


def test_deliberate_repeats_are_different_runs() -> None:
    first, repeat = run_of("j1"), run_of("j2")
    object.__setattr__(repeat, "attempt", 2)
    assert each_once([first, repeat, first]) == [first, repeat]


def test_a_run_recorded_before_and_after_its_job_was_known_is_one() -> None:
    before = Run(key="k", clip="a.mp4", clip_key="input/a.mp4", clip_md5="", setting=SHARP)
    after = run_of("j1")
    assert each_once([before, after]) == [after]
    assert each_once([after, before]) == [after]
    assert each_once([before, run_of("j2", key="other")]) == [before, run_of("j2", key="other")]
