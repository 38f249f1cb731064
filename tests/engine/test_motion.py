"""FrameDoubling by optical flow: near to the truth, clean at cuts, sharp on text, the same bytes every time."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.engine.render.changes import changes
from ci_notebook.engine.render.motion import frame_doubler
from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, pass_through
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import FrameEnhance, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video

if importlib.util.find_spec("cv2") is None:
    pytest.skip("OpenCV is not installed (the extra `motion`)", allow_module_level=True)

from ci_notebook.engine.render.motion.doubling_filter import doubled
from ci_notebook.engine.render.motion.interpolation import FrameFormat, Interpolator

Plane = np.ndarray
WIDTH, HEIGHT = 160, 96
DOUBLED = VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))
DEEP = Transcode(container=Container(format="mp4"), video=Video(codec="H.265", crf=10.0), audio=Audio(codec="aac"))


def texture(seed: int, *, height: int = HEIGHT, width: int = 3 * WIDTH) -> Plane:
    """A random surface with details of several sizes."""
    rng, total = np.random.default_rng(seed), np.zeros((height, width))
    for size in (4, 8, 16):
        small = rng.normal(size=(height // size + 2, width // size + 2))
        total += size * np.kron(small, np.ones((size, size)))[:height, :width]
    kernel = np.ones(5) / 5
    for axis in (0, 1):
        total = np.apply_along_axis(np.convolve, axis, total, kernel, "same")
    return np.clip(128 + 4 * total, 16, 235)


def frame(luma: Plane, *, deep: bool = False, chroma: str = "420") -> bytes:
    """A raw frame with plain color."""
    layout = FrameFormat(luma.shape[1], luma.shape[0], chroma, deep=deep)
    across, down = layout.chroma_size
    scale, kind = (4, "<u2") if deep else (1, "u1")
    data = (np.rint(scale * luma), np.full(2 * across * down, 128 * scale))
    return b"".join(part.astype(kind).tobytes() for part in data)


def luma_of(data: bytes, *, deep: bool = False) -> Plane:
    """The luma of a raw frame, in 8-bit levels."""
    values = np.frombuffer(data, "<u2" if deep else "u1")[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    return values / (4 if deep else 1)


def psnr(one: Plane, other: Plane) -> float:
    return float(10 * np.log10(255**2 / max(1e-3, np.mean((one - other) ** 2))))


def view(surface: Plane, at: int) -> Plane:
    return surface[:HEIGHT, at : at + WIDTH]


def between(before: Plane, after: Plane, **about: bool) -> Plane:
    layout = FrameFormat(WIDTH, HEIGHT, **about)  # type: ignore[arg-type]
    return luma_of(Interpolator(layout).between(frame(before, **about), frame(after, **about)), **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("pace", [2, 8, 20])
def test_a_moving_surface_is_half_way_between_not_a_mix_of_both(pace: int) -> None:
    surface = texture(1)
    before, true, after = (view(surface, 60 + at) for at in (0, pace // 2, pace))
    assert psnr(between(before, after), true) > psnr((before + after) / 2, true) + 8


def test_ten_bits_are_kept() -> None:
    ramp = np.tile(np.arange(WIDTH) / 4 + 60, (HEIGHT, 1))
    made = between(ramp, ramp + 0.5, deep=True)
    assert abs(float(made.mean()) - float(ramp.mean()) - 0.25) < 0.1
    assert len(np.unique(made)) > 140, "steps of a quarter of an 8-bit level are still there"
    surface = texture(2)
    before, true, after = (view(surface, 60 + at) for at in (0, 3, 6))
    assert psnr(between(before, after, deep=True), true) > psnr((before + after) / 2, true) + 8


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (view(texture(1), 0), view(texture(2), 0)),
        (np.full((HEIGHT, WIDTH), 16.0), view(texture(2), 0)),
        (view(texture(3), 0), np.full((HEIGHT, WIDTH), 16.0)),
        (np.full((HEIGHT, WIDTH), 235.0), np.full((HEIGHT, WIDTH), 16.0)),
    ],
    ids=["scenes", "from-black", "to-black", "cards"],
)
def test_a_new_frame_at_a_cut_is_a_copy_not_a_mix(before: Plane, after: Plane) -> None:
    made = between(before, after)
    assert np.array_equal(made, np.rint(before))


def test_a_fade_is_no_cut() -> None:
    surface = view(texture(4), 0)
    made = between(16 + 0.5 * (surface - 16), 16 + 0.6 * (surface - 16))
    assert np.abs(made - (16 + 0.55 * (surface - 16))).mean() < 1.0


def test_a_still_noisy_surface_is_blended() -> None:
    surface, rng = view(texture(5), 0), np.random.default_rng(3)
    before, after = (np.clip(surface + rng.normal(0, 3, surface.shape), 0, 255) for _ in range(2))
    assert psnr(between(before, after), surface) > psnr(before, surface) + 2


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize("size", [(33, 35), (64, 32), (97, 55)])
@pytest.mark.parametrize("deep", [False, True])
def test_every_layout_gets_frames_of_its_own_size(size: tuple[int, int], chroma: str, deep: bool) -> None:
    layout = FrameFormat(*size, chroma, deep=deep)
    surface = texture(6)
    ours = [frame(surface[: size[1], at : at + size[0]], deep=deep, chroma=chroma) for at in (0, 3, 6)]
    made = list(doubled(iter(ours), layout))
    assert [len(one) for one in made] == [layout.frame_bytes] * 6
    assert made[::2] == ours
    assert made[-1] == ours[-1]


def test_color_moves_with_the_light() -> None:
    surface = texture(7)
    layout = FrameFormat(WIDTH, HEIGHT, "444")
    views = [view(surface, 60 + at) for at in (0, 4, 8)]
    before, true, after = (b"".join(np.rint(one).astype("u1").tobytes() for one in (at, at, 255 - at)) for at in views)
    made, whole = (
        np.frombuffer(one, "u1").astype(float) for one in (Interpolator(layout).between(before, after), true)
    )
    assert psnr(made[WIDTH * HEIGHT :], whole[WIDTH * HEIGHT :]) > 34


def test_any_number_of_threads_gives_the_same_frames() -> None:
    surface, layout = texture(8), FrameFormat(WIDTH, HEIGHT)
    clip = [frame(view(surface, 5 * at)) for at in range(9)]
    first = list(doubled(iter(clip), layout, threads=1))
    assert list(doubled(iter(clip), layout, threads=3)) == first
    assert len(first) == 2 * len(clip)


def test_frames_are_read_only_as_they_are_needed() -> None:
    surface, layout, read = texture(9), FrameFormat(WIDTH, HEIGHT), 0

    def clip():
        nonlocal read
        for at in range(40):
            read += 1
            yield frame(view(surface, at))

    made = doubled(clip(), layout, threads=2)
    next(made)
    assert read <= 5


def doubled_clip(source: Path, folder: Path, setting: VideoEnhance = DOUBLED, **more: object) -> Rendered:
    return render(Operation(video_enhance=setting), source, folder, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of a moving photograph, without loss."""
    path = tmp_path_factory.mktemp("short") / "short.mkv"
    run(["-i", sample("portrait"), "-frames:v", "12", "-vf", "scale=240:136", "-c:v", "ffv1", path])
    return path


@pytest.mark.slow
def test_a_job_doubles_the_frames_twice_to_the_same_bytes(short: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    one = doubled_clip(short, tmp_path / "1", on_progress=shares.append, threads=1)
    other = doubled_clip(short, tmp_path / "2", threads=2)
    assert one.files[0].read_bytes() == other.files[0].read_bytes()
    assert one.media_info.stream is not None
    video = one.media_info.stream.video[0]
    assert (video.num_frames, video.fps) == (24, 50)
    assert shares[-1] == pytest.approx(1.0)
    assert one.changes == ()


@pytest.mark.slow
def test_a_ten_bit_source_stays_in_ten_bits(tmp_path: Path) -> None:
    deep = tmp_path / "deep.mkv"
    run(["-i", sample("portrait"), "-frames:v", "6", "-vf", "scale=240:136,format=yuv420p10le", "-c:v", "ffv1", deep])
    made = doubled_clip(deep, tmp_path / "out", VideoEnhance(frame_enhance=DOUBLED.frame_enhance, transcode=DEEP))
    assert made.media_info.stream is not None
    assert made.media_info.stream.video[0].pix_format == "yuv420p10le"
    assert not any("8 bits" in one for one in made.changes)


@pytest.mark.slow
def test_uneven_times_are_kept_and_new_frames_come_half_way(short: Path, tmp_path: Path) -> None:
    uneven = tmp_path / "uneven.mkv"
    run(["-i", short, "-vf", "setpts='(N+floor(N/4)*3)/25/TB'", "-fps_mode", "vfr", "-c:v", "ffv1", uneven])
    made = doubled_clip(uneven, tmp_path / "out")
    listed = tmp_path / "times"
    run(["-i", made.files[0], "-fps_mode", "passthrough", "-f", "framehash", "-hash", "crc32", listed])
    lines = [one.split(",") for one in listed.read_text().splitlines() if not one.startswith("#")]
    times = [int(one[2]) for one in lines]
    steps = np.diff(times)
    assert len(times) == 24
    assert sorted({round(float(step / steps.min())) for step in steps[:-1]}) == [1, 4]


@pytest.mark.slow
def test_a_cancelled_doubling_ends_at_once(short: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    pipe = Pipe(240, 136, "50", times=1, doubles=True)
    decode = ["-stream_loop", "-1", "-i", short]
    encode = ["-c:v", "ffv1", tmp_path / "out.mkv"]
    with pytest.raises(Cancelled):
        pass_through(decode, encode, pipe, total=20, on_progress=lambda _: cancel.set(), cancel=cancel)


@pytest.mark.slow
def test_a_doubling_program_that_fails_is_an_engine_error_with_its_log(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_doubler, "_BEGIN", "import sys; sys.exit('no flow today')")
    pipe = Pipe(240, 136, "50", times=1, doubles=True)
    with pytest.raises(EngineError, match="The program that doubles frames ended with 1") as caught:
        pass_through(["-i", short], ["-c:v", "ffv1", tmp_path / "out.mkv"], pipe)
    assert "no flow today" in str(caught.value.log)


def test_without_opencv_the_job_names_minterpolate_and_the_remedy(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = media_info(short)
    assert changes(DOUBLED, source) == ()
    monkeypatch.setattr(frame_doubler, "available", lambda: False)
    (sentence,) = changes(DOUBLED, source)
    assert "minterpolate" in sentence
    assert "pip install 'ci-notebook[motion]'" in sentence


def test_made_frames_are_nearer_to_the_truth_than_minterpolate_s(short: Path, tmp_path: Path) -> None:
    size = 240 * 136 * 3 // 2
    run(["-i", short, "-pix_fmt", "yuv420p", "-f", "rawvideo", tmp_path / "all"])
    whole = np.frombuffer((tmp_path / "all").read_bytes(), "u1").reshape(-1, size)
    (tmp_path / "even").write_bytes(whole[:11:2].tobytes())
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", "240x136", "-framerate", "25"]
    search = "settb=1/90000,setpts=N/(25*TB),tpad=stop_mode=clone:stop=2,minterpolate=fps=50,trim=end_frame=12"
    run([*raw, "-i", tmp_path / "even", "-vf", search, "-f", "rawvideo", tmp_path / "searched"])
    searched = np.frombuffer((tmp_path / "searched").read_bytes(), "u1").reshape(-1, size)
    made = list(doubled(iter(one.tobytes() for one in whole[:11:2]), FrameFormat(240, 136)))
    true = whole[1:11:2, : 240 * 136].astype(float)
    ours = np.stack([np.frombuffer(one, "u1")[: 240 * 136] for one in made[1:10:2]]).astype(float)
    assert psnr(ours, true) > psnr(searched[1:10:2, : 240 * 136].astype(float), true) + 2
