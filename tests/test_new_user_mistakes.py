"""Calls as a new user types them: a clear one works, and a mistake gets our own error that says what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ci_notebook as ci

SHARP = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))
KEYS = ci.Credentials("AKIDnewuser", "newuserskey")
Mistake = Callable[[ci.Lab, ci.Clip], object]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ci.Lab]:
    with ci.connect(home=tmp_path_factory.mktemp("home")) as lab:
        yield lab


@pytest.fixture(scope="module")
def cloud(lab: ci.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ci.Lab]:
    """A lab that is not embedded, as on the cloud: its service is the engine of `lab`, over the same calls."""
    assert lab.engine is not None
    with ci.Lab(lab.client, home=tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of one second, small, so that a job takes about one."""
    from ci_notebook.media.ffmpeg import run

    path = tmp_path_factory.mktemp("videos") / "small.mp4"
    run(["-i", ci.sample(), "-t", "1", "-vf", "scale=320:180", path], total_s=1)
    return path


@pytest.fixture(scope="module")
def clip(lab: ci.Lab, video: Path) -> ci.Clip:
    return lab.upload(video)


# Clear calls work.


@pytest.mark.parametrize(
    "settings",
    [SHARP, [SHARP], "Smooth motion", "smooth motion", ["Smooth motion", {"SharpenLevel": 4}], {"SharpenLevel": 4}],
    ids=repr,
)
def test_run_plan_and_price_take_one_setting_or_several_in_any_form(
    lab: ci.Lab, clip: ci.Clip, settings: object
) -> None:
    count = len(settings) if isinstance(settings, list) else 1
    assert len(lab.plan(clip, settings)) == count  # type: ignore[arg-type]  # a parameter of the test
    assert len(lab.price(clip, settings).quotes) == count  # type: ignore[arg-type]


def test_run_takes_one_setting_and_the_key_of_an_object(lab: ci.Lab, clip: ci.Clip) -> None:
    by_clip = lab.run(clip, SHARP, scores=False)
    by_key = lab.run(clip.key, [SHARP], scores=False)
    assert by_clip[0].ok
    assert [run.job.job_id for run in by_clip] == [run.job.job_id for run in by_key]  # type: ignore[union-attr]


def test_submit_request_preview_and_xml_take_a_preset_or_a_dict(lab: ci.Lab, clip: ci.Clip) -> None:
    by_name, by_dict = lab.request(clip, "Smooth motion"), lab.request(clip, {"MsSharpen.SharpenLevel": 5})
    assert by_name.operation is not None and by_name.operation.video_enhance == ci.preset("Smooth motion")
    assert by_dict.operation is not None and by_dict.operation.video_enhance == SHARP
    assert lab.submit(clip, {"SharpenLevel": 5}).setting == SHARP
    assert lab.preview(clip, {"SharpenLevel": 5}) == lab.preview(clip, SHARP)
    assert lab.xml({"SharpenLevel": 5}) == lab.xml(SHARP)


def test_a_dict_may_switch_a_whole_stage(lab: ci.Lab) -> None:
    assert lab.xml({"MsSharpen": ci.MsSharpen(sharpen_level=5)}) == lab.xml(SHARP)


def test_one_watermark_needs_no_list(lab: ci.Lab, clip: ci.Clip) -> None:
    mark = ci.Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=8, dy=8, text=ci.Text(text="A"))
    assert lab.request(clip, SHARP, watermark=mark) == lab.request(clip, SHARP, watermark=[mark])


def test_a_local_file_can_be_previewed_and_opened_without_an_upload(lab: ci.Lab, clip: ci.Clip, video: Path) -> None:
    assert lab.preview(video, SHARP) == lab.preview(str(video), SHARP) == lab.preview(clip, SHARP)
    with lab.frames(str(video)) as frames:
        assert len(frames) == 25


def test_one_job_can_be_watched(lab: ci.Lab, clip: ci.Clip) -> None:
    job = lab.submit(clip, SHARP)
    assert [one.state for one in lab.watch(job)][-1] == "Success"


def test_a_key_that_is_also_the_name_of_a_local_file_means_the_object(
    lab: ci.Lab, clip: ci.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "small.mp4").write_bytes(b"another file")
    monkeypatch.chdir(tmp_path)
    assert lab.request(clip.key, SHARP) == lab.request(clip, SHARP)


# A local file is uploaded explicitly.


@pytest.mark.parametrize(
    "call",
    [
        lambda lab, path: lab.run(path, SHARP),
        lambda lab, path: lab.run([path], SHARP),
        lambda lab, path: lab.run(lab.upload(ci.sample()), SHARP, reference=path),
        lambda lab, path: lab.submit(path, SHARP),
        lambda lab, path: lab.request(path, SHARP),
        lambda lab, path: lab.look(path),
        lambda lab, path: lab.price(path, SHARP),
        lambda lab, path: lab.plan(path, SHARP),
        lambda lab, path: lab.spoil(path, shrink=2),
        lambda lab, path: lab.optimize(path, space={"SharpenLevel": [0, 3]}, on="psnr"),
        lambda lab, path: lab.extract_digital_watermark(path),
    ],
)
@pytest.mark.parametrize("kind", [Path, str])
@pytest.mark.parametrize("where", ["lab", "cloud"])
def test_a_local_file_as_a_clip_names_upload(
    call: Callable[[ci.Lab, object], object],
    kind: type,
    where: str,
    video: Path,
    request: pytest.FixtureRequest,
) -> None:
    lab = request.getfixturevalue(where)
    with pytest.raises(ci.ParameterError) as refused:
        call(lab, kind(video))
    assert f"clip = lab.upload({str(video)!r})" in str(refused.value)


# Mistakes get our own error, on the engine and on the cloud.

MISTAKES: list[tuple[Mistake, str]] = [
    # The order of the arguments.
    (lambda lab, clip: lab.run(SHARP, clip), r"The clip comes first, then the settings: lab\.run\(clip, settings\)"),
    (lambda lab, clip: lab.run([clip], clip), r"The clip comes first"),
    (lambda lab, clip: lab.run("Smooth motion", clip), r"The clip comes first"),
    (
        lambda lab, clip: lab.submit(SHARP, clip),
        r"The clip comes first, then the setting: lab\.submit\(clip, setting\)",
    ),
    (lambda lab, clip: lab.submit({"SharpenLevel": 5}, clip), r"The clip comes first"),
    (lambda lab, clip: lab.request(SHARP, clip), r"lab\.request\(clip, setting\)"),
    (lambda lab, clip: lab.preview(SHARP, clip), r"lab\.preview\(clip, setting\)"),
    (lambda lab, clip: lab.plan(ci.grid(None, SharpenLevel=[1]), clip), r"lab\.plan\(clip, settings\)"),
    (lambda lab, clip: lab.price(SHARP, clip), r"lab\.price\(clip, settings\)"),
    # One for several, several for one, none.
    (lambda lab, clip: lab.submit([clip, clip], SHARP), r"takes one clip \(got a list\)"),
    (lambda lab, clip: lab.submit(clip, [SHARP]), r"takes one setting .* lab\.run\(clips, settings\)"),
    (lambda lab, clip: lab.run([], SHARP), r"needs at least one clip"),
    (lambda lab, clip: lab.run([clip], SHARP, reference=[clip, clip]), r"one per clip \(clips: 1, references: 2\)"),
    # Clips that are none.
    (lambda lab, clip: lab.run(3, SHARP), r"takes the clips that lab\.upload\(\) returned \(got 3\)"),
    (lambda lab, clip: lab.run(Path("missing.mp4"), SHARP), r"There is no file 'missing\.mp4'"),
    (lambda lab, clip: lab.run("missing.mp4", SHARP), r"no object 'missing\.mp4'.*no such local file.*lab\.upload"),
    (lambda lab, clip: lab.run(lab.submit(clip, SHARP), SHARP), r"takes clips, not a Job"),
    (lambda lab, clip: lab.look(SHARP), r"The clip comes first"),
    (lambda lab, clip: lab.upload(clip), r"is uploaded already"),
    (lambda lab, clip: lab.upload(Path.cwd()), r"is a folder"),
    (lambda lab, clip: lab.job(lab.submit(clip, SHARP)), r"job_id .* as in job\.id"),
    # Settings.
    (lambda lab, clip: lab.run(clip, "Smoth motion"), r"No preset is called 'Smoth motion'\. Did you mean 'Smooth mot"),
    (lambda lab, clip: lab.submit(clip, "Punchy color"), r"Did you mean 'Punchy colour'"),
    (lambda lab, clip: lab.submit(clip, {"SharpenLevl": 5}), r"Did you mean SharpenLevel"),
    (lambda lab, clip: lab.submit(clip, {"SharpenLevel": 11}), r"MsSharpen\.SharpenLevel .*0 to 10"),
    (lambda lab, clip: lab.submit(clip, {"MsSharpen": {"SharpenLevel": 5}}), r"\{'MsSharpen\.SharpenLevel': …\}"),
    (lambda lab, clip: lab.submit(clip, {3: 5}), r"keys of a dict as a setting are names"),
    (lambda lab, clip: lab.run(clip, [3]), r"A setting must be a VideoEnhance, the name of a preset, or a dict"),
    (lambda lab, clip: lab.run(clip, None), r"A setting must be"),
    (lambda lab, clip: lab.xml(clip), r"The clip comes first|A setting must be"),
    # Numbers.
    (lambda lab, clip: lab.run(clip, SHARP, budget="20"), r"budget must be a number \(got '20'\)\. Write budget=20\."),
    (lambda lab, clip: lab.run(clip, SHARP, budget="20 CNY"), r"budget must be a number"),
    (lambda lab, clip: lab.run(clip, SHARP, budget=-1), r"budget .*at least 0"),
    (lambda lab, clip: lab.run(clip, SHARP, budget=float("nan")), r"budget .*at least 0"),
    (lambda lab, clip: lab.run(clip, SHARP, workers="4"), r"workers .*whole number"),
    (lambda lab, clip: lab.run(clip, SHARP, workers=0), r"workers .*at least 1"),
    (lambda lab, clip: lab.run(clip, SHARP, every=2.5), r"every .*whole number"),
    (lambda lab, clip: lab.run(clip, SHARP, on_progress=3), r"on_progress .*function"),
    (lambda lab, clip: lab.optimize(clip, space={"SharpenLevel": [0, 3]}, on="psnr", trials="5"), r"trials .*whole"),
    (lambda lab, clip: lab.optimize(clip, space={"SharpenLevel": [0, 3]}, on="psnr", budget="5"), r"Write budget=5\."),
    # Times.
    (lambda lab, clip: lab.look(clip, at_s=99), r"small\.mp4 is 1 s long and has no frame at 99 s"),
    (lambda lab, clip: lab.look(clip, at_s=[0, 99]), r"small\.mp4 is 1 s long"),
    (lambda lab, clip: lab.preview(clip, SHARP, at_s=99), r"small\.mp4 is 1 s long and has no frame at 99 s"),
    (lambda lab, clip: lab.look(clip, at_s=-1), r"at_s .*0 or more"),
    (lambda lab, clip: lab.look(clip, at_s="1"), r"at_s .*seconds"),
    (lambda lab, clip: lab.preview(clip, SHARP, at_s="1"), r"at_s .*seconds"),
    # Names.
    (lambda lab, clip: lab.jobs(states="Runing"), r"states .*Did you mean Running\?"),
    (lambda lab, clip: lab.optimize(clip, space={"SharpenLevel": [0, 3]}, on="vmaff"), r"vmaf.*vmaff|vmaff.*vmaf"),
    (lambda lab, clip: lab.optimize(clip, space={"SharpnLevel": [0, 3]}, on="psnr"), r"Did you mean SharpenLevel"),
    # Keywords.
    (lambda lab, clip: lab.submit(clip, SHARP, watermrk=()), r"submit\(\) has no keyword 'watermrk'.*'watermark'\?"),
    (lambda lab, clip: lab.request(clip, SHARP, outputkey="a"), r"request\(\) has no keyword .* 'output_key'\?"),
    (lambda lab, clip: lab.jobs(stats="Running"), r"jobs\(\) has no keyword 'stats'. Did you mean 'states'\?"),
    (lambda lab, clip: lab.spoil(clip, blur=3), r"spoil\(\) has no keyword 'blur'\. Its keywords are shrink, crf"),
    (lambda lab, clip: lab.run(clip, SHARP, buget=3), r"run\(\) has no keyword 'buget'. Did you mean 'budget'\?"),
    (lambda lab, clip: lab.runs().report("x.html", titel="a"), r"report\(\) has no keyword 'titel'"),
    (lambda lab, clip: ci.VoteView(lab, [], vter="Ann"), r"VoteView\(\) has no keyword 'vter'. Did you mean 'voter'\?"),
    (lambda lab, clip: lab.vote_desk([], sed=1), r"vote_desk\(\) has no keyword 'sed'. Did you mean 'seed'\?"),
]


@pytest.mark.parametrize("where", ["lab", "cloud"])
@pytest.mark.parametrize(("mistake", "words"), MISTAKES, ids=[words[:50] for _, words in MISTAKES])
def test_a_mistake_is_a_parameter_error_that_says_what_to_do(
    mistake: Mistake, words: str, where: str, clip: ci.Clip, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ci.ParameterError, match=words) as refused:
        mistake(request.getfixturevalue(where), clip)
    assert type(refused.value) is ci.ParameterError


def test_nothing_is_sent_after_a_mistake(lab: ci.Lab, clip: ci.Clip) -> None:
    before = [job.id for job in lab.jobs()]
    for call in (
        lambda: lab.submit(clip, {"SharpenLevel": 11}),
        lambda: lab.run(clip, [SHARP, 3]),  # type: ignore[list-item]
        lambda: lab.run(clip, {"SharpenLevel": 9}, budget="1"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ci.ParameterError):
            call()  # type: ignore[no-untyped-call]
    assert [job.id for job in lab.jobs()] == before


def test_messages_of_the_cloud_are_read_elsewhere(cloud: ci.Lab) -> None:
    with pytest.raises(ci.ParameterError, match="embedded engine only"):
        cloud.messages("queue")


# Odd values for connect().


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"bucket": 3}, r"bucket .*name-1250000000"),
        ({"bucket": "mybucket", "region": "ap-chongqing", "credentials": KEYS}, r"bucket .*'mybucket'"),
        ({"bucket": "b-1250000000"}, r"A bucket needs its region: ci\.connect\('b-1250000000', region="),
        ({"bucket": "b-1250000000", "region": "chongqing", "credentials": KEYS}, r"region .*ap-chongqing"),
        (
            {"bucket": "b-1250000000", "region": "ap-chongqing", "credentials": ("AKIDx", "secret")},
            r"ci\.Credentials\(",
        ),
        (
            {"bucket": "b-1250000000", "region": "ap-chongqing", "cache_bytes": 1},
            r"cache_bytes belongs to the embedded",
        ),
        ({"bucket": "b-1250000000", "region": "ap-chongqing", "workers": 3}, r"workers belongs to the embedded engine"),
        ({"endpoint": "http://127.0.0.1:9000"}, r"endpoint needs a bucket"),
        ({"credentials": KEYS}, r"credentials needs a bucket"),
        ({"endpoint": 9000, "bucket": "b-1250000000"}, r"endpoint .*address"),
        ({"workers": 0}, r"workers .*at least 1"),
        ({"workers": "2"}, r"workers .*whole number"),
        ({"executor": "dask"}, r"executor .*Executor"),
        ({"cache_bytes": "4GB"}, r"cache_bytes .*whole number of bytes"),
        ({"time_limit_s": -1}, r"time_limit_s .*more than 0"),
        ({"region": "mars"}, r"region .*ap-chongqing"),
        ({"home": 3}, r"home .*folder"),
        ({"worker": 3}, r"connect\(\) has no keyword 'worker'. Did you mean 'workers'\?"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_connect_refuses_odd_values(how: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(ci.ParameterError, match=words) as refused:
        ci.connect(**{"home": tmp_path, **how})  # type: ignore[arg-type]
    assert "secret" not in str(refused.value).replace("secret_id, secret_key", "")


def test_connect_names_a_home_that_is_a_file(video: Path) -> None:
    with pytest.raises(ci.ParameterError, match=r"small\.mp4' cannot be used .* CI_NOTEBOOK_HOME"):
        ci.connect(home=video)


# A closed lab.

CLOSED: dict[str, Mistake] = {
    "upload": lambda lab, clip: lab.upload(ci.sample()),
    "submit": lambda lab, clip: lab.submit(clip, SHARP),
    "request": lambda lab, clip: lab.request(clip, SHARP),
    "spoil": lambda lab, clip: lab.spoil(clip),
    "run": lambda lab, clip: lab.run(clip, SHARP),
    "plan": lambda lab, clip: lab.plan(clip, SHARP),
    "price": lambda lab, clip: lab.price(clip, SHARP),
    "optimize": lambda lab, clip: lab.optimize(clip, space={"SharpenLevel": [1]}, on="psnr"),
    "look": lambda lab, clip: lab.look(clip),
    "preview": lambda lab, clip: lab.preview(clip, SHARP),
    "frames": lambda lab, clip: lab.frames(clip),
    "job": lambda lab, clip: lab.job("j1"),
    "jobs": lambda lab, clip: lab.jobs(created_after=dt.datetime.now(dt.UTC)),
    "watch": lambda lab, clip: lab.watch(["j1"]),
    "callbacks": lambda lab, clip: lab.callbacks(),
    "messages": lambda lab, clip: lab.messages("queue"),
    "runs": lambda lab, clip: lab.runs(),
    "adopt": lambda lab, clip: lab.adopt("j1"),
    "votes": lambda lab, clip: lab.votes(),
    "templates": lambda lab, clip: lab.templates.list(),
    "queues": lambda lab, clip: lab.queues.list(),
    "with": lambda lab, clip: lab.__enter__(),
    "EnhancePanel": ci.EnhancePanel,
    "SweepPanel": ci.SweepPanel,
    "Monitor": lambda lab, clip: ci.Monitor(lab),
    "VoteView": lambda lab, clip: ci.VoteView(lab, []),
}


@pytest.fixture(scope="module", params=["never used", "used"])
def closed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ci.Lab:
    with ci.connect(home=tmp_path_factory.mktemp("closed")) as lab:
        if request.param == "used":
            lab.runs()
            lab.preview(lab.upload(ci.sample()), SHARP)
    return lab


@pytest.mark.parametrize("call", CLOSED)
def test_a_closed_lab_says_so(call: str, closed: ci.Lab, clip: ci.Clip) -> None:
    with pytest.raises(ci.ParameterError) as refused:
        CLOSED[call](closed, clip)
    assert str(refused.value) == "This lab is closed. Call ci.connect() again."


def test_a_closed_lab_can_be_shown_and_closed_again(closed: ci.Lab) -> None:
    assert closed.bucket in repr(closed)
    closed.close()
