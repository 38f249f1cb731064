"""Before pictures are scored it is found how they lie on each other, or said why they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring.alignment import align
from ci_notebook.media.scoring.score import compare
from ci_notebook.model.errors import EngineError


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the sample, small."""
    return made(tmp_path_factory.mktemp("clips") / "source.mp4", "scale=320:180", source=sample(), options=("-t", "2"))


def made(path: Path, filters: str, *, source: Path, options: tuple[str, ...] = (), crf: int = 12) -> Path:
    run(["-i", source, *options, "-vf", filters, "-c:v", "libx264", "-crf", str(crf), "-an", path])
    return path


@pytest.mark.slow
@pytest.mark.parametrize("late", [-3, -1, 1, 4])
def test_pictures_that_begin_earlier_or_later_are_found(source: Path, tmp_path: Path, late: int) -> None:
    cut = f"trim=start_frame={late},setpts=PTS-STARTPTS" if late > 0 else f"tpad=start={-late}:start_mode=clone"
    shifted = made(tmp_path / "shifted.mp4", cut, source=source)
    pair = align(shifted, source)
    assert pair.offset == late
    found = compare(shifted, source)
    assert found.offset == late
    assert found.pooled["psnr_p5"] > 35
    record = found.alignment
    assert record is not None
    assert (record.offset_frames, record.offset_s) == (late, pytest.approx(late / record.fps, abs=1e-6))
    assert (record.width, record.height, record.scale_x, record.source_crop) == (320, 180, 1.0, None)


@pytest.mark.slow
def test_a_shift_is_found_in_sharpened_and_recoloured_pictures(source: Path, tmp_path: Path) -> None:
    filters = "trim=start_frame=2,setpts=PTS-STARTPTS,unsharp=5:5:1.5,eq=contrast=1.3:saturation=1.5:gamma=1.2"
    assert align(made(tmp_path / "strong.mp4", filters, source=source, crf=30), source).offset == 2


@pytest.mark.slow
def test_still_frames_are_compared_unshifted(source: Path, tmp_path: Path) -> None:
    still = made(tmp_path / "still.mp4", "select=eq(n\\,0),loop=24:1,setpts=N/25/TB", source=source)
    assert align(still, still).offset == 0


@pytest.mark.slow
def test_a_picture_that_was_lost_on_the_way_is_caught(source: Path, tmp_path: Path) -> None:
    lost = made(tmp_path / "lost.mp4", "select=not(between(n\\,26\\,27)),setpts=N/25/TB", source=source)
    with pytest.raises(EngineError, match=r"by \+2 frames from 1\.0 s on"):
        compare(lost, source)


@pytest.mark.slow
def test_other_pictures_are_refused(source: Path, tmp_path: Path) -> None:
    run(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-c:v", "libx264", tmp_path / "other.mp4"])
    with pytest.raises(EngineError, match="do not match the source: their similarity"):
        compare(tmp_path / "other.mp4", source)


@pytest.mark.slow
def test_a_part_cut_out_of_the_source_is_found_to_the_pixel(source: Path, tmp_path: Path) -> None:
    part = made(tmp_path / "part.mp4", "crop=200:120:38:22", source=source)
    place = align(part, source).place
    assert place.source == pytest.approx((38 / 320, 22 / 180, 200 / 320, 120 / 180))
    assert compare(part, source).pooled["psnr"] > 40


@pytest.mark.slow
def test_a_part_that_is_known_is_taken_and_scaled(source: Path, tmp_path: Path) -> None:
    part = made(tmp_path / "part.mp4", "crop=160:90:80:40,scale=320:180:flags=bicubic", source=source)
    found = compare(part, source, crop=(80 / 320, 40 / 180, 0.5, 0.5))
    assert found.pooled["psnr"] > 38
    assert found.alignment is not None
    assert (found.alignment.scale_x, found.alignment.scale_y) == (2.0, 2.0)
    assert found.alignment.source_crop == pytest.approx((0.25, 0.222222, 0.5, 0.5))
    assert compare(part, source).alignment == found.alignment  # and it is found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ("scale=320:180,pad=320:240:-1:-1", "output"),
        ("scale=320:240:force_original_aspect_ratio=increase,crop=240:240", "source"),
        ("scale=240:240", "whole pictures"),
        ("transpose=clock", "turned by 90°"),
        ("hflip,vflip", "turned by 180°"),
    ],
)
def test_another_shape_is_found_and_matched(source: Path, tmp_path: Path, filters: str, said: str) -> None:
    shaped = made(tmp_path / "shaped.mp4", filters, source=source)
    found = compare(shaped, source)
    assert said in str(found.place)
    assert found.pooled["psnr"] > 30


@pytest.mark.slow
def test_a_turn_that_is_known_is_taken(source: Path, tmp_path: Path) -> None:
    turned = made(tmp_path / "turned.mp4", "transpose=cclock", source=source)
    assert compare(turned, source, rotate=270).pooled["psnr"] > 40
    with pytest.raises(EngineError, match="turned by 10°"):
        compare(turned, source, rotate=10)


@pytest.mark.slow
def test_a_stretch_of_the_source_is_compared(source: Path, tmp_path: Path) -> None:
    part = made(tmp_path / "part.mp4", "null", source=source, options=("-ss", "0.4", "-t", "1"))
    assert compare(part, source, start_s=0.4, length_s=1.0).pooled["psnr"] > 35


@pytest.mark.slow
@pytest.mark.parametrize(("transfer", "codec"), [("smpte2084", "libx265"), ("arib-std-b67", "libx265")])
def test_hdr_is_scored_as_the_sdr_it_was_made_from(source: Path, tmp_path: Path, transfer: str, codec: str) -> None:
    into = f"zscale=tin=bt709:min=bt709:pin=bt709:rin=tv:t={transfer}:p=bt2020:m=bt2020nc:r=tv:npl=203:agamma=0"
    hdr = tmp_path / "hdr.mp4"
    tags = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc", "-color_range", "tv")
    run(
        ["-i", source, "-vf", f"{into},format=yuv420p10le", "-c:v", codec, "-preset", "ultrafast", "-crf", "8",
         "-x265-params", "log-level=none", *tags, hdr]
    )  # fmt: skip
    found = compare(hdr, source)
    assert found.pooled["psnr"] > 36
    assert found.pooled["delta_e"] < 2


@pytest.mark.slow
def test_light_that_sdr_cannot_hold_is_refused(source: Path, tmp_path: Path) -> None:
    bright = made(tmp_path / "bright.mp4", "setparams=color_trc=smpte2084", source=source)
    with pytest.raises(EngineError, match="light above SDR white"):
        compare(bright, source)


@pytest.mark.slow
def test_other_pictures_after_a_common_beginning_are_refused(source: Path, tmp_path: Path) -> None:
    run(
        ["-i", source, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-filter_complex",
         "[0:v]trim=end=0.9[a];[1:v]trim=start=0.9,setpts=PTS-STARTPTS[b];[a][b]concat,format=yuv420p",
         "-c:v", "libx264", tmp_path / "mixed.mp4"]
    )  # fmt: skip
    with pytest.raises(EngineError, match="cannot be scored"):
        compare(tmp_path / "mixed.mp4", source)


@pytest.mark.slow
def test_a_fade_from_black_is_looked_past(source: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    run(["-i", source, "-vf", "tpad=start=35:color=black", "-c:v", "libx264", "-crf", "12", long])
    shifted = made(tmp_path / "shifted.mp4", "trim=start_frame=2,setpts=PTS-STARTPTS", source=long)
    assert align(shifted, long).offset == 2


@pytest.mark.slow
def test_soft_frames_shifted_by_a_few_pixels_are_compared_where_both_show_the_same(
    source: Path, tmp_path: Path
) -> None:
    soft = made(tmp_path / "soft.mp4", "gblur=6", source=source)
    beside = made(tmp_path / "beside.mp4", "crop=iw-6:ih:6:0,pad=iw+6:ih:0:0", source=soft)
    found = compare(beside, soft)
    assert found.place.source == pytest.approx((6 / 320, 0, 314 / 320, 1))
    assert found.pooled["psnr"] > 40


@pytest.mark.slow
def test_another_moment_before_the_same_background_is_refused(tmp_path: Path) -> None:
    spot = "((X-160-110*sin(1.7*T))^2+(Y-90-50*cos(2.3*T))^2)/600"
    drawn = f"color=gray:320x180:r=12:d=4,geq=lum='100+60*sin(X/17)*cos(Y/13)+90*exp(-{spot})':cb=128:cr=128"
    whole = tmp_path / "whole.mp4"
    run(["-f", "lavfi", "-i", drawn, "-c:v", "libx264", "-crf", "12", whole])
    early = made(tmp_path / "early.mp4", "trim=end=2", source=whole)
    late = made(tmp_path / "late.mp4", "trim=2,setpts=PTS-STARTPTS", source=whole)
    with pytest.raises(EngineError, match=r"different moments.*start_s"):
        compare(late, early)
    assert compare(late, whole, start_s=2).pooled["psnr"] > 35


@pytest.mark.slow
@pytest.mark.parametrize("filters", ["noise=alls=50:allf=t", "gblur=6", "eq=contrast=2:brightness=0.2", "hue=s=3"])
def test_heavily_changed_frames_are_scored_too(source: Path, tmp_path: Path, filters: str) -> None:
    assert align(made(tmp_path / "changed.mp4", filters, source=source), source).offset == 0
