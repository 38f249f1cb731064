"""One table of odd files, and every consumer of a video: each sees the same frames, upright and in true colors.

A new consumer is a function more in `CONSUMERS`; a new file is an entry more in `ODD_FILES`. The suite tries a share of
all pairs; `python -m pytest -m sweep` tries the others, too (about ten minutes).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ci_notebook as ci
from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run as run_ffmpeg
from ci_notebook.media.frame_sampling import key_frames, sample_frames
from ci_notebook.media.frames import Frames
from ci_notebook.media.probe import first_video, media_info, shown_size
from ci_notebook.media.scoring.alignment import align
from ci_notebook.media.scoring.frame_pairs import WHOLE
from ci_notebook.media.scoring.score import by_itself, compare
from ci_notebook.media.snapshot import picture
from ci_notebook.media.spoil import spoil
from ci_notebook.media.streams.stretch import retimed
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import CIError
from ci_notebook.model.setting.enhance import FrameEnhance, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, Video
from tests.media.coded_clips import number_of, patch_error
from tests.media.odd_files import ODD_FILES, REFUSED, OddFile
from tests.media.odd_recipes import slow

CLOSE_S = 0.0021  # MKV and FLV count in ms
CODING = Video(codec="H.264", crf=8.0, preset="veryfast")
JPEG_ERROR = 4.0  # of 255
Pixels = NDArray[np.uint8]


def setting(*, doubled: bool = False, interval: TimeInterval | None = None) -> VideoEnhance:
    """Return a setting that changes no frame."""
    transcode = Transcode(
        container=Container(format="mp4"), video=CODING, audio=Audio(codec="aac"), time_interval=interval
    )
    return VideoEnhance(transcode=transcode, frame_enhance=FrameEnhance(frame_doubling=True) if doubled else None)


@dataclass
class Case:
    """One odd file on its way through everything; what costs time is made once, when it is first asked for."""

    odd: OddFile
    path: Path
    lab: ci.Lab
    folder: Path
    outputs: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def clip(self) -> ci.Clip:
        return self.lab.upload(self.path)

    @cached_property
    def runs(self) -> ci.Runs:
        return self.lab.run(self.clip, [setting()], every=1)

    @property
    def output(self) -> Path:
        assert [run.error or run.job.message for run in self.runs if not run.ok] == []  # type: ignore[union-attr]
        output = self.runs[0].output
        assert output is not None
        return output

    def rendered(self, name: str, given: VideoEnhance) -> Path:
        return render(Operation(video_enhance=given), self.path, self.folder / name).files[0]

    @cached_property
    def source_frames(self) -> tuple[tuple[int | None, ...], tuple[float, ...]]:
        """The numbers that the frames say, and their times; of a damaged file as the frames themselves show."""
        return numbers_and_times(self.path) if self.odd.is_vague else (self.odd.numbers, self.odd.times)


def numbers_and_times(path: Path) -> tuple[tuple[int | None, ...], tuple[float, ...]]:
    with Frames(path) as frames:
        count = range(len(frames))
        return tuple(number_of(frames[n]) for n in count), tuple(frames.time_of(n) for n in count)


def assert_frames(path: Path, numbers: Sequence[int | None], times: Sequence[float]) -> None:
    found, shown = numbers_and_times(path)
    assert found == tuple(numbers)
    assert shown == pytest.approx(list(times), abs=CLOSE_S)


def assert_shows(case: Case, shown: Pixels, number: int | None, *, more: float = 0.0) -> None:
    """Assert that pixels are the coded frame of that number, upright and in its colors."""
    assert number_of(shown) == number
    if not case.odd.is_vague:
        assert patch_error(shown, case.odd.primaries) <= case.odd.color_error + more


def decoded(jpeg: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def some_of(numbers: Sequence[object]) -> list[int]:
    """Return a few places in an order that makes a reader go back and forth."""
    count = len(numbers)
    return list(dict.fromkeys([count - 1, count // 4, count // 2, 0, count // 3]))


def tone_begins(path: Path, track: int = 0) -> float | None:
    """Return when sound above silence begins, in s after the begin of the file; None without any."""
    with av.open(str(path)) as container:
        begin = min(float(s.start_time * s.time_base) for s in container.streams if s.start_time is not None)
        for frame in container.decode(audio=track) if container.streams.audio else ():
            loud = np.flatnonzero(np.abs(frame.to_ndarray().reshape(frame.layout.nb_channels, -1)[0]) > 0.1)
            if len(loud):
                return float(frame.time - begin + loud[0] / frame.sample_rate)
    return None


def uploading(case: Case) -> None:
    wide, high = case.odd.shown
    line = case.lab.describe(case.clip)
    assert f"{wide}×{high}" in line
    assert ("no sound" in line) == (case.odd.sound_s is None)


def facts(case: Case) -> None:
    info = media_info(case.path)
    video, size = first_video(info), shown_size(info)
    assert (size.width, size.height) == case.odd.shown
    assert (video.width, video.height) == case.odd.stored
    if not case.odd.is_vague:
        assert video.num_frames == len(case.odd.numbers)
        assert video.duration == pytest.approx(case.odd.length_s, abs=0.05)


def frames_by_number(case: Case) -> None:
    numbers, times = case.source_frames
    assert_frames(case.path, numbers, times)
    assert None not in numbers
    assert list(numbers) == sorted(numbers)  # type: ignore[type-var]
    assert case.odd.is_vague or len(set(numbers)) == len(numbers)
    with case.lab.frames(case.clip) as frames:
        assert frames.size == case.odd.shown
        for number in some_of(numbers):
            frames.rest()  # so that each is found from a closed file
            assert_shows(case, frames[number], numbers[number])


def sampling(case: Case) -> None:
    numbers, _ = case.source_frames
    most = min(5, len(numbers))
    assert len(list(sample_frames(case.path, most))) == most
    first = next(key_frames(case.path))
    assert (first.width, first.height) == case.odd.stored


def snapshots(case: Case) -> None:
    numbers, times = case.source_frames
    for number in some_of(numbers)[1:4]:
        assert_shows(case, picture(case.path, times[number] + 0.004), numbers[number])


def previews(case: Case) -> None:
    numbers, times = case.source_frames
    for number in some_of(numbers)[1:4]:
        jpeg = case.lab.preview(case.clip, {}, at_s=times[number] + 0.004, width_px=0)
        assert_shows(case, decoded(jpeg), numbers[number], more=JPEG_ERROR)


def looks(case: Case) -> None:
    assert "data:image/" in case.lab.look(case.clip)._repr_html_()


def jobs(case: Case) -> None:
    numbers, times = case.source_frames
    assert_frames(case.output, numbers, times)
    with Frames(case.output) as frames:
        wide, high = case.odd.shown
        assert frames.size == pytest.approx((wide, high), abs=1)
        assert_shows(case, frames[len(frames) // 2], numbers[len(frames) // 2], more=2)
    begins = tone_begins(case.output)
    assert (begins is None) == (case.odd.sound_s is None)
    if begins is not None:
        assert begins == pytest.approx(case.odd.sound_s, abs=0.03)


def jobs_that_double(case: Case) -> None:
    numbers, times = case.source_frames
    doubled, shown = numbers_and_times(case.rendered("doubled", setting(doubled=True)))
    assert doubled[::2] == tuple(numbers)
    assert len(doubled) == 2 * len(numbers)
    assert shown[::2] == pytest.approx(list(times), abs=CLOSE_S)


def cuts(case: Case) -> None:
    numbers, times = case.source_frames
    if len(numbers) < 5:
        return
    start, length = round(case.odd.late_s + times[len(times) // 2 + 1], 3), 0.3
    if not case.odd.has_one_clock:
        with pytest.raises(CIError, match="clock starts anew"):
            case.rendered("cut", setting(interval=TimeInterval(start=start, duration=length)))
        return
    cut = case.rendered("cut", setting(interval=TimeInterval(start=start, duration=length)))
    inside = [n for n, at in zip(numbers, times, strict=True) if -6e-4 <= at + case.odd.late_s - start < length]
    assert numbers_and_times(cut)[0] == tuple(inside)
    scores = compare(cut, case.path, every=1, start_s=start, length_s=length)
    assert (len(scores.pictures["vmaf"]), scores.offset) == (len(inside), 0)
    assert scores.pooled["vmaf"] > 90


def scores_of_runs(case: Case) -> None:
    numbers, _ = case.source_frames
    run = case.runs[0]
    assert run.ok, run.error
    assert len(run.pictures["vmaf"]) == len(numbers)
    assert run.alignment is not None
    assert run.alignment.offset_frames == 0
    assert run.scores["vmaf"] > 90
    assert run.scores["delta_e"] < 1.5


def scores_of_files(case: Case) -> None:
    pair = align(case.output, case.path)
    assert (pair.place, pair.offset) == (WHOLE, 0)
    measured = by_itself(case.path)["colourfulness"]
    assert case.runs[0].scores["colourfulness"] == pytest.approx(measured, rel=0.05, abs=0.5)


def spoiling(case: Case) -> None:
    numbers, times = case.source_frames
    path = spoil(case.path, case.folder / "spoiled.mp4", shrink=2)
    assert_frames(path, numbers, times)
    with Frames(path) as frames:
        assert frames.size[0] / frames.size[1] == pytest.approx(case.odd.shown[0] / case.odd.shown[1], rel=0.03)
        assert_shows(case, frames[0], numbers[0], more=4)


def comparing(case: Case) -> None:
    numbers, _ = case.source_frames
    view = ci.CompareView(case.runs)
    assert view.timeline["count"] == len(numbers)
    view.close()
    middle = len(numbers) // 2
    with Frames(case.path) as source, Frames(case.output) as output:
        _, mean, _ = source.difference(middle, output, middle)
    assert mean < (20 if case.odd.is_vague else 3)  # FFmpeg's threads conceal damage in more than one way


CONSUMERS: dict[str, Callable[[Case], None]] = {
    one.__name__: one
    for one in (
        uploading, facts, frames_by_number, sampling, snapshots, previews, looks, jobs, jobs_that_double, cuts,
        scores_of_runs, scores_of_files, spoiling, comparing,
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def case_of(lab: ci.Lab, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """Return an odd file on its way, made once."""
    cases: dict[str, Case] = {}

    def of(name: str) -> Case:
        if name not in cases:
            folder = tmp_path_factory.mktemp("odd")
            path = ODD_FILES[name].recipe(folder)
            own = path.rename(path.with_name(f"{name.replace(' ', '-').replace(':', '')}{path.suffix}"))
            cases[name] = Case(ODD_FILES[name], own, lab, folder)
        return cases[name]

    return of


SHARE = 24


def pairs() -> Iterator[object]:
    """Yield every consumer with every file. The suite tries one of `SHARE` files with each, a sweep the others."""
    for place, consumer in enumerate(CONSUMERS):
        for number, name in enumerate(ODD_FILES):
            mark = pytest.mark.slow if number % SHARE == place % SHARE else pytest.mark.sweep
            yield pytest.param(name, consumer, marks=mark, id=f"{consumer}-{name}")


@pytest.mark.parametrize(("name", "consumer"), [*pairs()])
def test_every_consumer_takes_every_odd_file(name: str, consumer: str, case_of: Callable[[str], Case]) -> None:
    CONSUMERS[consumer](case_of(name))


@pytest.mark.parametrize(
    "share", [pytest.param(1, marks=pytest.mark.sweep), pytest.param(SHARE, marks=pytest.mark.slow)]
)
def test_one_report_and_one_table_hold_the_runs_of_all_odd_files(
    share: int, lab: ci.Lab, case_of: Callable[[str], Case], tmp_path: Path
) -> None:
    cases = [case_of(name) for name in [*ODD_FILES][::share]]
    runs = ci.Runs([run for case in cases for run in case.runs])
    page = runs.report(tmp_path / "report.html").read_text("utf-8")
    assert "could not be made" not in page
    assert [case.clip.name for case in cases if case.clip.name not in page] == []
    table = runs.to_frame()
    assert list(table["clip"]) == [case.clip.name for case in cases]
    assert table["vmaf_neg"].min() > 90


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_every_consumer_refuses_what_is_no_video_in_one_sentence(name: str, lab: ci.Lab, tmp_path: Path) -> None:
    path = REFUSED[name](tmp_path)
    path = path.rename(path.with_name(f"{name.replace(' ', '-')}{path.suffix}"))
    clip = lab.upload(path)
    good = ci.sample()
    (run,) = lab.run(clip, [setting()], every=1)
    assert not run.ok
    readers: dict[str, Callable[[], object]] = {
        "facts": lambda: first_video(media_info(path)),
        "frames": lambda: lab.frames(clip), "snapshot": lambda: picture(path), "look": lambda: lab.look(clip),
        "preview": lambda: lab.preview(clip, {}), "job": lambda: render(
            Operation(video_enhance=setting()), path, tmp_path / "job"
        ),
        "score": lambda: ci.score(path, good), "reference": lambda: ci.score(good, path),
        "spoil": lambda: lab.spoil(clip, shrink=2), "compare": lambda: ci.CompareView(lab, [clip, clip]),
    }  # fmt: skip
    if name == "slanted":
        del readers["facts"]  # they are known
    for reader, read in readers.items():
        with pytest.raises(CIError) as caught:
            read()
            pytest.fail(f"{reader} took it")
        assert len(str(caught.value).splitlines()) <= 2, reader


@pytest.mark.slow
@pytest.mark.parametrize("start_s", [0.0, 0.04])
@pytest.mark.parametrize("switched", [False, True])
def test_each_audio_track_keeps_its_own_begin(
    start_s: float, switched: bool, case_of: Callable[[str], Case], tmp_path: Path
) -> None:
    audio = Audio(codec="aac", keep_two_tracks=True, switch_track=switched)
    cut = TimeInterval(start=start_s, duration=0.9) if start_s else None
    transcode = Transcode(container=Container(format="mp4"), video=CODING, audio=audio, time_interval=cut)
    path = case_of("two tracks in a stream").path
    output = render(Operation(video_enhance=VideoEnhance(transcode=transcode)), path, tmp_path).files[0]
    begins = [0.5 - start_s, 0.1 - start_s]
    assert [tone_begins(output, track) for track in (0, 1)] == pytest.approx(
        begins[::-1] if switched else begins, abs=0.03
    )


@pytest.mark.slow
def test_a_score_does_not_measure_the_joining_of_fields(lab: ci.Lab, tmp_path: Path) -> None:
    moving = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=50:d=0.6"]
    coding = ["-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p"]
    fields = ["-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ilme+ildct", "-x264-params", "tff=1"]
    run_ffmpeg([*moving, *coding, *fields, tmp_path / "fields.mp4"])
    run_ffmpeg([*moving, "-vf", "fps=25", *coding, tmp_path / "frames.mp4"])
    both = [lab.run(lab.upload(tmp_path / name), [setting()], every=1)[0] for name in ("fields.mp4", "frames.mp4")]
    assert "deinterlaced" in both[0].job.message  # type: ignore[union-attr]
    psnr, reference = (run.scores["psnr"] for run in both)
    assert psnr > reference - 4


@pytest.mark.slow
def test_a_program_in_fields_after_a_trailer_is_joined_and_keeps_its_length(lab: ci.Lab, tmp_path: Path) -> None:
    moving = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=50:d=9"]
    coding = ["-c:v", "mpeg2video", "-q:v", "3", "-g", "12", "-f", "mpegts"]
    fields = ["-vf", "interlace=scan=tff,format=yuv422p,fieldorder=tff", "-flags", "+ilme+ildct", "-t", "1"]
    run_ffmpeg([*moving, "-vf", "fps=25,format=yuv420p", "-t", "7", *coding, tmp_path / "trailer.ts"])
    run_ffmpeg([*moving, *fields, *coding, tmp_path / "program.ts"])
    path = tmp_path / "show.ts"  # the clock starts anew, and the pixel format changes with it
    path.write_bytes((tmp_path / "trailer.ts").read_bytes() + (tmp_path / "program.ts").read_bytes())
    output = render(Operation(video_enhance=setting()), path, tmp_path / "out").files[0]
    with Frames(output) as frames:
        assert 195 <= len(frames) <= 200
        assert frames.time_of(len(frames) - 1) == pytest.approx(7.9, abs=0.15)
        joined = np.asarray(frames[len(frames) - 8]).astype(float).mean(axis=2)
    lines = np.abs(joined[1:-1] - (joined[:-2] + joined[2:]) / 2).mean() / np.abs(joined[2:] - joined[:-2]).mean()
    assert lines < 1, "two moments are woven together"


@pytest.mark.slow
def test_slides_that_are_shown_for_an_hour_are_rendered_and_scored(lab: ci.Lab, tmp_path: Path) -> None:
    (run,) = lab.run(lab.upload(slow(tmp_path)), [setting()], every=1)
    assert run.ok, run.error
    assert_frames(run.output, (0, 1, 2), (0.0, 3000.0, 6000.0))  # type: ignore[arg-type]
    assert run.scores["vmaf"] > 90


def test_times_are_given_back_by_runs() -> None:
    even = [n / 25 for n in range(1000)]
    assert retimed(even) == ("settb=1/90000,setpts='(0.000000+(N-0)*0.040000)/TB'",)
    assert retimed([0.0, 0.04, 0.08, 1.0, 1.1])[0].count("if(") == 1


def test_the_table_is_consistent_and_large() -> None:
    assert len(ODD_FILES) + len(REFUSED) >= 60
    assert {odd.kind for odd in ODD_FILES.values()} == {
        "container",
        "stream",
        "shape",
        "time",
        "color",
        "sound",
        "damage",
    }
    for odd in ODD_FILES.values():
        assert len(odd.numbers) == len(odd.times)
        assert list(odd.times) == sorted(set(odd.times))
