"""One clip has the same colors in frames, snapshots, previews, scores and jobs, whatever its tags say."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.analysis import analyse
from ci_notebook.engine.render.render import render
from ci_notebook.media.color_tags import MATRICES, matrix_name, sdr_primaries
from ci_notebook.media.ffmpeg import find_ffmpeg, run
from ci_notebook.media.frame_sampling import sample_frames
from ci_notebook.media.frames import Frames
from ci_notebook.media.scoring.frame_pairs import AlignedSide, Pair
from ci_notebook.media.scoring.score import by_itself, compare
from ci_notebook.media.snapshot import picture, to_sdr_rgb
from ci_notebook.media.spoil import spoil
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import SDRtoHDR, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, Video

pytestmark = pytest.mark.slow

Rgb = NDArray[np.float64]

SD, HD = (320, 192), (1280, 720)
# Kr and Kb of each matrix tag, from ITU-T H.273. FFmpeg's scaler converts constant luminance (10) like 9.
WEIGHTS = {
    1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087),
    9: (0.2627, 0.0593), 10: (0.2627, 0.0593),
}  # fmt: skip
PATCHES = np.array([
    (255, 255, 255), (128, 128, 128), (30, 30, 30), (200, 60, 50), (60, 180, 60), (50, 70, 200), (220, 200, 40),
    (40, 170, 190), (170, 60, 180), (215, 165, 140), (150, 115, 90), (90, 130, 70),
], float)  # fmt: skip
ACROSS, DOWN = 4, 3
JOB = VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.264", crf=2.0)))


@dataclass(frozen=True, slots=True)
class Coding:
    """How a clip is coded: its matrix tag (2: none), its size, and its range."""

    tag: int
    size: tuple[int, int]
    is_full: bool

    @property
    def matrix(self) -> int:
        """The matrix that a player uses."""
        return self.tag if self.tag != 2 else (1 if self.size == HD else 6)

    def __str__(self) -> str:
        lines, range_ = self.size[1], "full" if self.is_full else "limited"
        return f"{MATRICES.get(self.tag, 'untagged')}-{lines}-{range_}"


# A size whose lines suggest another matrix, so that a reader that ignores the tag is found out.
TAGGED = [Coding(tag, SD if tag in (1, 9) else HD, is_full) for tag in MATRICES for is_full in (False, True)]
CODINGS = [*TAGGED, *(Coding(2, size, is_full) for size in (SD, HD) for is_full in (False, True))]


@pytest.fixture(scope="module", params=CODINGS, ids=str)
def coding(request: pytest.FixtureRequest) -> Coding:
    """Each coding in turn."""
    assert isinstance(request.param, Coding)
    return request.param


@pytest.fixture(scope="module")
def clip(coding: Coding, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of flat patches in this coding."""
    return coded(tmp_path_factory.mktemp("color") / "clip.mp4", coding)


def coded(path: Path, coding: Coding) -> Path:
    """Write five frames of `PATCHES`, converted to YUV by the formulas of H.273."""
    wide, high = coding.size
    kr, kb = WEIGHTS[coding.matrix]
    red, green, blue = (chart(coding.size)[..., i] / 255 for i in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = [(blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))]
    y = 255 * luma if coding.is_full else 16 + 219 * luma
    u, v = ((255 if coding.is_full else 224) * one[::2, ::2] + 128 for one in chroma)
    frame = b"".join(np.rint(np.clip(plane, 0, 255)).astype(np.uint8).tobytes() for plane in (y, u, v))
    tags = [f"range={'pc' if coding.is_full else 'tv'}"]
    tags += [f"colorspace={MATRICES[coding.tag]}"] if coding.tag != 2 else []
    command = [
        str(find_ffmpeg()), "-v", "error", "-y", "-f", "rawvideo", "-s", f"{wide}x{high}", "-r", "25",
        "-pix_fmt", "yuvj420p" if coding.is_full else "yuv420p", "-i", "-", "-vf", "setparams=" + ":".join(tags),
        "-c:v", "libx264", "-crf", "2", "-preset", "veryfast", path,
    ]  # fmt: skip
    subprocess.run(command, input=frame * 5, check=True)
    return path


def chart(size: tuple[int, int]) -> Rgb:
    """Return the patches in a grid."""
    wide, high = size
    grid = PATCHES.reshape(DOWN, ACROSS, 3)
    return grid[np.arange(high) * DOWN // high][:, np.arange(wide) * ACROSS // wide]


def patches_of(rgb: NDArray[np.uint8]) -> Rgb:
    """Return the mean color of the inner part of each patch."""
    high, wide = (side / count for side, count in zip(rgb.shape[:2], (DOWN, ACROSS), strict=True))
    return np.array(
        [
            rgb[
                int((row + 0.3) * high) : int((row + 0.7) * high),
                int((column + 0.3) * wide) : int((column + 0.7) * wide),
            ]
            .reshape(-1, 3)
            .mean(axis=0)
            for row in range(DOWN)
            for column in range(ACROSS)
        ]
    )


def error_of(rgb: NDArray[np.uint8], truth: Rgb = PATCHES) -> float:
    """Return the largest difference to the truth, of 255."""
    return float(np.abs(patches_of(rgb) - truth).max())


def limit_of(coding: Coding) -> float:
    """Return the largest allowed difference: one more where full range becomes limited range, whose steps are wider."""
    return 3 if coding.is_full else 2


def as_scored(output: Path, source: Path) -> list[NDArray[np.uint8]]:
    """Return the first frame of both as the color score sees it."""
    pair = Pair(AlignedSide.of(output), AlignedSide.of(source), (0.0, 0.2))
    wide, high = 128, 72
    chains = [
        f"{timed},{placed},scale={wide}:{high}:flags=area+accurate_rnd+full_chroma_int+full_chroma_inp:{pair.rgb()},format=rgb24[c{i}]"
        for i, (timed, placed) in enumerate(zip(pair.timed(), pair.placed(), strict=True))
    ]
    paths = [output.parent / f"c{i}.rgb" for i in range(2)]
    ends = [word for i, path in enumerate(paths) for word in ("-map", f"[c{i}]", "-f", "rawvideo", path)]
    run([*pair.inputs(), "-filter_complex", ";".join(chains), *ends])
    return [np.fromfile(path, np.uint8).reshape(-1, high, wide, 3)[0] for path in paths]


def test_frames_and_snapshots_have_the_colors_of_the_clip(clip: Path) -> None:
    with Frames(clip) as frames:
        assert error_of(frames[1]) <= 2
        assert error_of(frames.picture(1, width=200)) <= 2
    assert error_of(picture(clip, 0.04)) <= 2


def test_measures_without_reference_see_the_colors_of_the_clip(clip: Path) -> None:
    assert all(error_of(to_sdr_rgb(frame)) <= 2 for frame in sample_frames(clip, 3))


def test_a_preview_has_the_colors_of_the_clip(clip: Path, coding: Coding) -> None:
    previewer = Previewer()
    jpeg = previewer.preview(FileOrigin(clip), VideoEnhance(), 0.04)
    previewer.close()
    shown = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    assert error_of(shown, patches_of(picture(clip, 0.04))) <= limit_of(coding)


def test_a_job_and_its_score_have_the_colors_of_the_clip(clip: Path, coding: Coding, tmp_path: Path) -> None:
    output = render(Operation(video_enhance=JOB), clip, tmp_path).files[0]
    truth = patches_of(picture(clip, 0.04))
    with Frames(output) as frames:
        assert error_of(frames[1], truth) <= limit_of(coding)
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
    assert int(frame.colorspace) == {10: 9}.get(coding.matrix, coding.matrix)
    assert analyse(clip).matrix == AlignedSide.of(clip).matrix == MATRICES[coding.matrix]
    ours, theirs = as_scored(output, clip)
    assert error_of(ours, truth) <= limit_of(coding)
    assert error_of(theirs, truth) <= limit_of(coding)


@pytest.mark.parametrize("tag", MATRICES)
def test_two_codings_of_one_picture_have_no_color_difference(tag: int, tmp_path: Path) -> None:
    one = coded(tmp_path / "one.mp4", Coding(tag, HD, is_full=False))
    other = coded(tmp_path / "other.mp4", Coding(2, HD, is_full=False))
    assert compare(one, other, every=1).pooled["delta_e"] < 0.4
    assert by_itself(one)["colourfulness"] == pytest.approx(by_itself(other)["colourfulness"], rel=0.01)


@pytest.mark.parametrize("tag", [1, 7, 10])
def test_hdr_is_made_from_the_colors_of_the_clip(tag: int, tmp_path: Path) -> None:
    setting = VideoEnhance(
        sdr_to_hdr=SDRtoHDR(hdr_mode="HLG"),
        transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.265", crf=4.0)),
    )
    clip = coded(tmp_path / "clip.mp4", Coding(tag, SD, is_full=False))
    output = render(Operation(video_enhance=setting), clip, tmp_path / "job").files[0]
    previewer = Previewer()
    jpeg = previewer.preview(FileOrigin(clip), setting, 0.04)
    previewer.close()
    with Frames(output) as frames:
        assert error_of(frames[1]) <= 4
    assert error_of(np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))) <= 4
    assert compare(output, clip, every=1).pooled["delta_e"] < 1


def test_rgb_without_a_matrix_keeps_its_colors(tmp_path: Path) -> None:
    clip, source = tmp_path / "rgb.mkv", tmp_path / "chart.png"
    Image.fromarray(chart(HD).astype(np.uint8)).save(source)
    run(["-loop", "1", "-i", source, "-frames:v", "5", "-c:v", "libx264rgb", "-crf", "0", clip])
    output = render(Operation(video_enhance=JOB), clip, tmp_path / "job").files[0]
    with Frames(output) as made, Frames(clip) as frames:
        assert error_of(frames[1]) <= 2
        assert error_of(made[1]) <= 3
    ours, theirs = as_scored(output, clip)
    assert error_of(ours) <= 3
    assert error_of(theirs) <= 3
    previewer = Previewer()
    jpeg = previewer.preview(FileOrigin(clip), VideoEnhance(), 0.04)
    previewer.close()
    assert error_of(np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))) <= 3


@pytest.mark.parametrize("tag", [2, 1, 7])
def test_a_spoiled_clip_keeps_the_colors_that_no_cast_changes(tag: int, tmp_path: Path) -> None:
    clip = coded(tmp_path / "clip.mp4", Coding(tag, HD, is_full=False))
    spoiled = patches_of(picture(spoil(clip, tmp_path / "warm.mp4", cast="warm", crf=4), 0.04))
    gains = np.array([1.12, 1.0, 0.80])
    assert np.abs(spoiled - np.minimum(PATCHES * gains, 255)).max() <= 5


@pytest.mark.parametrize(
    ("tag", "height", "transfer", "name"),
    [
        (2, 719, None, "smpte170m"), (2, 720, "bt709", "bt709"), (0, 1080, None, "bt709"), (8, 480, None, "smpte170m"),
        (5, 1080, None, "bt470bg"), (2, 480, "smpte2084", "bt2020nc"), (1, 480, "arib-std-b67", "bt709"),
    ],
)  # fmt: skip
def test_a_clip_without_a_usable_tag_follows_its_height_or_its_transfer(
    tag: int, height: int, transfer: str | None, name: str
) -> None:
    assert matrix_name(tag, height, transfer) == name


def test_unknown_primaries_are_bt709() -> None:
    assert [sdr_primaries(name) for name in (None, "unknown", "bt2020", "smpte170m")] == [
        "bt709", "bt709", "bt2020", "smpte170m",
    ]  # fmt: skip
