"""What a job changes or leaves out unasked is said before it, by each view and call, and in the job's message."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.engine.render.changes import changes
from ci_notebook.lab.clips.job_changes import NOTE, JobChanges
from ci_notebook.media.ffmpeg import run
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.media_info import AudioStream, MediaInfo, Stream, VideoStream
from ci_notebook.model.declaration.node import parts
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, TransConfig, Video
from ci_notebook.widgets.enhance.result import state_html
from ci_notebook.widgets.monitor.job_list import row_of
from ci_notebook.wire.xml import loads

FILM = "testsrc2=s=128x96:r=25:d=0.6"
TEXT = "1\n00:00:00,000 --> 00:00:00,500\nHello\n"
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={at}\nEND={at + 300}\ntitle={at}\n" for at in (0, 300)
)
SUBTITLES = "Subtitles are left out."
PQ = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"


def coded(kind: str, *, hdr_to_sdr: bool = False, sound: bool = True, **interval: float) -> ci.VideoEnhance:
    """Return a setting that encodes as H.264 in a container."""
    return ci.VideoEnhance(
        transcode=Transcode(
            container=Container(format=kind),  # type: ignore[arg-type]
            video=Video(codec="H.264"),
            audio=Audio() if sound else None,
            time_interval=TimeInterval(**interval) if interval else None,
            trans_config=TransConfig(is_hdr2_sdr=True) if hdr_to_sdr else None,
        )
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a small film of a kind, once."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "text.srt").write_text(TEXT)
    (folder / "meta.txt").write_text(CHAPTERS)
    vary = "select='not(eq(mod(n,5),2))',format=yuv420p"
    made: dict[str, tuple[str, list[object]]] = {
        "plain.mp4": (FILM, ["-pix_fmt", "yuv420p"]),
        "interlaced.ts": (
            f"{FILM.replace('25', '50')},interlace=scan=tff,format=yuv420p", ["-c:v", "mpeg2video", "-flags", "+ilme"]
        ),
        "subtitles.mkv": (FILM, ["-i", folder / "text.srt", "-pix_fmt", "yuv420p", "-c:s", "srt"]),
        "deep.mkv": (f"{FILM},format=yuv420p10le", ["-c:v", "ffv1"]),
        "deeper.mkv": (f"{FILM},format=yuv422p12le", ["-c:v", "ffv1"]),
        "hdr.mkv": (f"{FILM},format=yuv420p10le,{PQ}", ["-c:v", "ffv1"]),
        "uneven.mkv": (f"{FILM},{vary}", ["-fps_mode", "vfr"]),
        "chapters.mp4": (
            f"{FILM},format=yuv420p", ["-f", "ffmetadata", "-i", folder / "meta.txt", "-map_chapters", "1"]
        ),
        "wide.mp4": (f"{FILM},setsar=16/11,format=yuv420p", []),
        "clear.mkv": (f"{FILM},format=yuva420p", ["-c:v", "ffv1"]),
        "full.mp4": (f"{FILM},scale=out_range=pc,format=yuvj420p", ["-color_range", "pc"]),
        "odd.mkv": ("testsrc2=s=127x95:r=25:d=0.4,format=yuv444p", ["-c:v", "ffv1"]),
    }  # fmt: skip

    def make(name: str) -> Path:
        path = folder / name
        graph, more = made[name]
        if not path.exists():
            run(["-f", "lavfi", "-i", graph, *more, path])  # type: ignore[list-item]
        return path

    return make


CASES = [
    ("plain.mp4", coded("mp4"), ()),
    ("plain.mp4", ci.VideoEnhance(), ()),
    ("interlaced.ts", coded("mp4"), ("Interlaced frames are deinterlaced.",)),
    ("subtitles.mkv", coded("mkv"), (SUBTITLES,)),
    ("deep.mkv", coded("mp4"), ("yuv420p10le becomes yuv420p: 10 bits become 8.",)),
    ("deeper.mkv", coded("mp4"), ("yuv422p12le becomes yuv420p: 12 bits become 8.",)),
    ("hdr.mkv", coded("mp4", hdr_to_sdr=True), ("yuv420p10le becomes yuv420p: 10 bits become 8.", "HDR becomes SDR.")),
    ("uneven.mkv", coded("avi"), ("The variable frame rate becomes a constant one.",)),
    ("uneven.mkv", coded("mp4"), ()),
    (
        "chapters.mp4", coded("mp4", start=0.1, duration=0.3),
        ("Chapters are left out, because a part of the source is cut out.",),
    ),
    ("chapters.mp4", coded("mp4"), ()),
    ("wide.mp4", coded("mp4"), ("Pixels become square: 128x96 becomes 186x96.",)),
    ("clear.mkv", coded("mp4"), ("Transparency is left out.",)),
    ("full.mp4", coded("mp4"), ("Full range becomes limited range.",)),
    (
        "odd.mkv", coded("mp4"),
        (
            "127x95 becomes 128x96: sides have to be even.",
            "yuv444p becomes yuv420p: the color has fewer samples.",
        ),
    ),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "setting", "said"), CASES)
def test_the_sentences_before_a_job_are_those_of_its_message(
    lab: ci.Lab, film: Callable[[str], Path], name: str, setting: ci.VideoEnhance, said: tuple[str, ...]
) -> None:
    clip = lab.upload(film(name))
    assert lab.changes(clip, setting) == said == lab.changes(clip.key, setting)
    job = lab.submit(clip, setting).wait()
    assert job.detail.note == " ".join(said) and job.detail.code == "Success"


def test_a_mistake_is_refused_and_a_job_that_would_fail_says_so(lab: ci.Lab, film: Callable[[str], Path]) -> None:
    clip = lab.upload(film("plain.mp4"))
    with pytest.raises(ci.ParameterError, match=r"lab\.changes\(\) takes one setting"):
        lab.changes(clip, [ci.VideoEnhance()])  # type: ignore[arg-type]
    with pytest.raises(ci.EngineError, match="Crop must be"):
        lab.changes(clip, {"Video.Crop": "9999:9999:0:0"})


def test_on_the_cloud_they_follow_from_the_media_info_and_say_whose_they_are(
    lab: ci.Lab, film: Callable[[str], Path]
) -> None:
    cloud = JobChanges(lab.client, lab.clip_facts, cache=lab.cache_dir, is_local=False)
    clip = {name: lab.upload(film(name)) for name in ("subtitles.mkv", "interlaced.ts", "uneven.mkv", "plain.mp4")}
    assert cloud.of(clip["subtitles.mkv"], coded("mp4")) == (SUBTITLES, NOTE)
    assert cloud.of(clip["interlaced.ts"], coded("mp4")) == (), "only the file itself could tell"
    assert cloud.of(clip["uneven.mkv"], coded("avi")) == ()
    assert cloud.of(clip["plain.mp4"], coded("mp4")) == ()
    assert lab.job_changes.note == "" and "service does not document" in cloud.note


def test_on_the_cloud_they_need_neither_numpy_nor_pyav() -> None:
    code = """
import sys
for name in ("numpy", "av", "PIL", "imageio_ffmpeg", "onnxruntime"):
    sys.modules[name] = None
from ci_notebook.engine.render.changes import changes
from ci_notebook.model.api.media_info import MediaInfo, Stream, SubtitleStream, VideoStream
from ci_notebook.model.setting.enhance import VideoEnhance
video = VideoStream(width=640, height=360, pix_format="yuv420p10le")
print(*changes(VideoEnhance(), MediaInfo(stream=Stream(video=(video,), subtitle=(SubtitleStream(index=2),)))))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == f"yuv420p10le becomes yuv420p: 10 bits become 8. {SUBTITLES}"


def test_a_plan_names_the_clips_and_settings_and_says_each_sentence_once(
    lab: ci.Lab, film: Callable[[str], Path]
) -> None:
    clips = [lab.upload(film(name)) for name in ("plain.mp4", "subtitles.mkv")]
    plan = lab.plan(clips, ci.grid(coded("mp4"), SharpenLevel=[0, 3]))
    assert plan.change_lines == (f"subtitles.mkv: {SUBTITLES}",)
    assert list(plan.to_frame()["changes"].fillna("")) == ["", "", SUBTITLES, SUBTITLES]
    assert repr(plan).endswith(f"; subtitles.mkv: {SUBTITLES}>") and "\n" not in repr(plan)
    html = plan._repr_html_()
    assert html.count(SUBTITLES) == 3 and ">changes<" in html, "in the rows, and once in the caption"
    deep = lab.plan(lab.upload(film("deep.mkv")), ci.grid(coded("mp4"), **{"Video.Codec": ["H.264", "H.265"]}))  # type: ignore[arg-type]
    assert deep.change_lines == ("1 of 2 jobs: yuv420p10le becomes yuv420p: 10 bits become 8.",)
    quiet = lab.plan(clips[0], coded("mp4"))
    assert quiet.change_lines == () and "changes" not in quiet._repr_html_()
    assert list(quiet.to_frame()["changes"].isna()) == [True]


def test_the_plan_of_a_report_says_it(
    film: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", str(film("subtitles.mkv")), "--vary", "SharpenLevel=0,6", "--home", str(tmp_path), "--plan"]
    assert main(words) == 0
    assert f"\n- {SUBTITLES}\n" in capsys.readouterr().out


def test_the_panel_says_it_with_the_setting_and_nothing_when_there_is_nothing(
    lab: ci.Lab, film: Callable[[str], Path]
) -> None:
    panel = ci.EnhancePanel(lab, lab.upload(film("deep.mkv")), coded("mp4"))
    assert panel.settle(60)
    assert panel.job_changes == {"lines": ["yuv420p10le becomes yuv420p: 10 bits become 8."], "note": ""}
    panel.set("Video.Codec", "H.265")
    assert panel.settle(60) and panel.job_changes == {"lines": [], "note": ""}
    panel.set("Video.Codec", "H.264")
    assert panel.settle(60) and panel.job_changes["lines"]
    panel.close()


def test_a_panel_whose_lab_cannot_say_shows_nothing(lab: ci.Lab, film: Callable[[str], Path], monkeypatch) -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise OSError("no disk")

    monkeypatch.setattr(lab.job_changes, "sentences", broken)
    panel = ci.EnhancePanel(lab, lab.upload(film("deep.mkv")), coded("mp4"))
    assert panel.settle(60) and panel.job_changes == {"lines": [], "note": ""} and panel.price["text"]
    panel.close()


def test_the_sweep_panel_says_it_in_its_plan(lab: ci.Lab, film: Callable[[str], Path]) -> None:
    panel = ci.SweepPanel(lab, lab.upload(film("subtitles.mkv")), coded("mp4"))
    panel.set("SharpenLevel", [0, 3])
    assert panel.wait_for_price(60)
    assert panel.plan["changes"] == [SUBTITLES]
    panel.close()


@pytest.mark.slow
def test_the_message_is_shown_wherever_the_result_is(lab: ci.Lab, film: Callable[[str], Path], tmp_path: Path) -> None:
    clip = lab.upload(film("subtitles.mkv"))
    runs = lab.run(clip, ci.grid(coded("mp4"), SharpenLevel=[0, 3]), scores=False)
    (first, _) = runs
    job = lab.job(first.job.job_id)  # type: ignore[union-attr]
    assert repr(job).endswith(f"; {SUBTITLES}>")
    for html in (job._repr_html_(), first._repr_html_(), runs._repr_html_(), state_html(job.detail)):
        assert html.count(SUBTITLES) == 1
    row = row_of(job.detail)
    assert row["note"] == SUBTITLES and row["code"] == row["reason"] == "", "it is no error"
    page = Path(runs.report(tmp_path / "report.html")).read_text("utf-8")
    assert SUBTITLES in page


def test_only_a_successful_job_has_remarks() -> None:
    assert JobsDetail(state="Success", message="done").note == JobsDetail(state="Success").note == ""
    assert JobsDetail(state="Failed", message="x").note == "" != JobsDetail(state="Success", message="x").note
    reply = (
        b"<JobsDetail><Code>Success</Code><Message>Subtitles are left out.</Message><State>Success</State></JobsDetail>"
    )
    assert loads(JobsDetail, reply).note == SUBTITLES
    assert "note" not in {part.name for part in parts(JobsDetail)}, "it is no node of the wire"


def test_a_removed_sound_is_in_the_setting_and_a_missing_one_is_not() -> None:
    sound = (AudioStream(index=1, channel=6), AudioStream(index=2, channel=2))
    source = MediaInfo(stream=Stream(video=(VideoStream(width=64, height=64, pix_format="yuv420p"),), audio=sound))

    def said(audio: Audio | None) -> tuple[str, ...]:
        whole = Transcode(container=Container(format="mkv"), video=Video(codec="H.264"), audio=audio)
        return changes(ci.VideoEnhance(transcode=whole), source)

    assert said(Audio(remove=True)) == () and said(None) == ("Sound is left out.",)
    assert said(Audio(keep_two_tracks=True)) == ()
    mixed = ("Of 2 audio tracks not all are kept.", "6 channels of sound become 2.")
    assert said(Audio(codec="mp3")) == mixed and said(Audio(codec="mp3", channels=2)) == mixed[:1]
