"""Small files that mean much are refused before they take memory: images, tables of samples, cover art."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image as Pillow

import ci_notebook as ci
from ci_notebook.engine.preview.snapshots import SnapshotOrigin
from ci_notebook.engine.render.watermark.watermark_overlay import draw_image
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.images import FORMATS, UnreadableImage, header_of, open_image
from ci_notebook.media.probe import media_info
from ci_notebook.model.api.media_info import MediaInfo, Stream, VideoStream
from ci_notebook.model.bounds import current_bounds, restore_bounds, set_bounds
from ci_notebook.model.errors import CIError, EngineError, ParameterError
from ci_notebook.model.setting.shape import Size

BLACK_GIF = b"\x80\0\0\0\0\0\xff\xff\xff,%b\0\x02\x02\x44\x01\0;"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int = 1, channels: int = 1) -> bytes:
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * channels * depth + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def saved(kind: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    file = io.BytesIO()
    Pillow.new("P" if kind == "GIF" else "RGB", size).save(file, kind, **options)
    return file.getvalue()


def with_text(bomb_bytes: int, kind: bytes = b"zTXt") -> bytes:
    data, text = png(32, 32), chunk(kind, b"a\0\0" + zlib.compress(bytes(bomb_bytes), 9))
    return data[:33] + text + data[33:]


def two_headers() -> bytes:
    data = png(9000, 9000)
    return data[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 1, 0, 0, 0, 0)) + data[8:]


def many_scans() -> bytes:
    data = saved("JPEG", (64, 64), progressive=True)
    begin, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:begin] + data[begin:end] * 500 + data[end:]


def large_bmp() -> bytes:
    facts = struct.pack("<IiiHHIIiiII", 40, 20000, -20000, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + facts + bytes(1000)


def webp_canvas(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


KINDS = "Use a PNG, JPEG, WebP, GIF or BMP"
IMAGES = {
    "PNG over the bound": (lambda: png(9000, 9000), "9000x9000 px, over the bound of 16.8 million pixels"),
    "PNG with a second header": (two_headers, "9000x9000 px, over the bound|cannot be read"),
    "PNG with a text bomb": (lambda: with_text(80 << 20), "not an image that can be read"),
    "PNG with a profile bomb": (lambda: with_text(80 << 20, b"iCCP"), "not an image that can be read"),
    "PNG that is cut": (lambda: png(900, 900)[:-40], "not an image that can be read"),
    "GIF over the bound": (
        lambda: b"GIF89a" + struct.pack("<HH", 65000, 65000) + BLACK_GIF % struct.pack("<HHHH", 0, 0, 9, 9), "over the",
    ),
    "GIF with a frame over the bound": (
        lambda: b"GIF89a" + struct.pack("<HH", 32, 32) + BLACK_GIF % struct.pack("<HHHH", 0, 0, 20000, 20000),
        "over the bound|not an image that can be read",
    ),
    "BMP over the bound": (large_bmp, "20000x20000 px, over the bound"),
    "WebP over the bound": (lambda: webp_canvas(16000, 16000), "16000x16000 px, over the bound"),
    "WebP with a canvas of 2^48 px": (lambda: webp_canvas(1 << 24, 1 << 24), "over the bound"),
    "JPEG with many scans": (many_scans, "509 scans, over the bound of 100"),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\nshowpage\n", KINDS),
    "TIFF": (lambda: saved("TIFF"), KINDS),
    "nothing": (lambda: b"", KINDS),
}  # fmt: skip
MARK = ci.Image(url="http://b/mark.png", mode="Fixed", width=100, height=100)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_over_the_bounds_or_of_another_kind_is_one_sentence(name: str, tmp_path: Path) -> None:
    make, words = IMAGES[name]
    path = tmp_path / "mark.png"
    path.write_bytes(make())
    with pytest.raises(CIError, match=words) as no:
        draw_image(MARK, Size(320, 180), lambda _: path, leaf="Watermark.1")
    assert str(no.value).startswith("Watermark.1.Image.Url http://b/mark.png ")
    assert "\n" not in str(no.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_header_says_format_and_size_of_every_kind_and_its_ends_are_none(kind: str) -> None:
    for options in ({}, {"progressive": True} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}):
        data = saved(kind, **options)
        assert header_of(io.BytesIO(data)) == (kind, 40, 30)
        for end in range(10):
            assert header_of(io.BytesIO(data[:end])) is None
        with open_image(data, "It") as image:
            assert image.convert("RGB").size == (40, 30)


def test_pillow_is_not_asked_about_other_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pillow, "open", lambda *_, **__: pytest.fail("Pillow opened it"))
    for data in (b"%!PS", saved("TIFF"), saved("ICO"), saved("PPM"), b"\0\0\0\x0cjP  \r\n\x87\n"):
        with (
            pytest.raises(UnreadableImage, match="has none of the formats PNG, JPEG, WEBP, GIF, BMP"),
            open_image(data, "It"),
        ):
            pass


def test_an_image_file_has_a_bound_on_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "mark.bmp"
    with path.open("wb") as file:
        file.write(saved("BMP"))
        file.truncate(65 << 20)
    with pytest.raises(EngineError, match=r"has 65\.0 MiB, over the bound of 64 MiB"), open_image(path, "It"):
        pass


def test_a_snapshot_from_a_service_is_bounded_and_a_broken_one_is_our_error() -> None:
    info = MediaInfo(stream=Stream(video=(VideoStream(width=320, height=240, fps=25.0, duration=1.0),)))
    for data in (png(20000, 20000), b"no picture", saved("GIF"), png(900, 900)[:-40]):
        with pytest.raises(EngineError, match="The snapshot "):
            SnapshotOrigin("name", lambda: info, lambda _, data=data: data).facts("all")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "small.mp4"
    run(["-f", "lavfi", "-i", "testsrc=s=320x240:r=10:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", path])
    return path


def stated(data: bytes, counts: int = 60_000_000) -> bytes:
    """Return an MP4 whose tables state many samples of one byte."""
    changed = bytearray(data)
    struct.pack_into(">II", changed, changed.find(b"stsz") + 8, 1, counts)
    struct.pack_into(">IIII", changed, changed.find(b"stsc") + 8, 1, 1, counts, 1)
    struct.pack_into(">III", changed, changed.find(b"stts") + 8, 1, counts, 1024)
    return bytes(changed)


def fragments(clip: Path, folder: Path) -> bytes:
    """Return an MP4 in fragments that state many samples of a default size."""
    path = folder / "fragments.mp4"
    run(["-i", clip, "-c", "copy", "-movflags", "frag_keyframe+empty_moov", path])
    data = bytearray(path.read_bytes())
    at = data.find(b"trun")
    struct.pack_into(">II", data, at + 4, struct.unpack_from(">I", data, at + 4)[0] & ~0xF00, 60_000_000)
    return bytes(data)


def packed(data: bytes) -> bytes:
    """Return an MP4 with its `moov` compressed, as QuickTime did."""
    at = data.find(b"moov") - 4
    size = struct.unpack_from(">I", data, at)[0]
    body = zlib.compress(data[at : at + size])
    cmvd = struct.pack(">I4sI", 12 + len(body), b"cmvd", size) + body
    dcom = struct.pack(">I4s4s", 12, b"dcom", b"zlib")
    cmov = struct.pack(">I4s", 8 + len(dcom) + len(cmvd), b"cmov") + dcom + cmvd
    return data[:at] + struct.pack(">I4s", 8 + len(cmov), b"moov") + cmov + data[at + size :]


def edited(data: bytes) -> bytes:
    """Return an MP4 whose edit list repeats the whole clip very often."""
    at, times = data.find(b"elst"), 2_000_000
    table = struct.pack(">II", 0, times) + struct.pack(">IiI", 1000, 0, 1 << 16) * times
    size = struct.unpack_from(">I", data, at - 4)[0]
    grown = len(table) + 8 - size
    changed = bytearray(data[: at - 4] + struct.pack(">I4s", 8 + len(table), b"elst") + table + data[at - 4 + size :])
    for box in (b"moov", b"trak", b"edts"):
        place = data.find(box) - 4
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", changed, place)[0] + grown)
    return bytes(changed)


TABLES = {
    "samples": lambda clip, _: stated(clip.read_bytes()),
    "samples in a compressed header": lambda clip, _: packed(stated(clip.read_bytes())),
    "fragments": fragments,
    "edits": lambda clip, _: edited(clip.read_bytes()),
}


@pytest.mark.parametrize("table", TABLES)
def test_an_mp4_that_states_more_samples_than_it_can_have_is_refused_before_they_are_indexed(
    table: str, clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "table.mp4"
    path.write_bytes(TABLES[table](clip, tmp_path))
    with pytest.raises(EngineError, match=r"states \d{8} samples, over the bound of 10000000\. It may be damaged"):
        media_info(path)


def test_good_files_pass_with_any_table(clip: Path, tmp_path: Path) -> None:
    pcm = tmp_path / "pcm.mov"  # eleven million samples, which FFmpeg counts by chunks
    run(["-f", "lavfi", "-i", "sine=r=192000:d=60", "-c:a", "pcm_s16le", pcm])
    path = tmp_path / "packed.mp4"
    path.write_bytes(packed(clip.read_bytes()))
    for one in (clip, pcm, path):
        assert media_info(one).format is not None


@pytest.mark.slow
def test_huge_cover_art_takes_no_memory_and_the_video_is_read(clip: Path, tmp_path: Path) -> None:
    cover, path = tmp_path / "cover.png", tmp_path / "cover.mp4"
    cover.write_bytes(png(9000, 9000, depth=8, channels=4))
    run(["-i", clip, "-max_pixels", "2000000000", "-i", cover, "-map", "0", "-map", "1", "-c", "copy",
         "-disposition:v:1", "attached_pic", path])  # fmt: skip
    script = (
        "import resource, sys, pathlib; from ci_notebook.media.probe import media_info; import av, numpy\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(media_info(pathlib.Path(sys.argv[1])).stream.video[0].width)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, timeout=100
    )
    width, grown_kb = map(int, result.stdout.split())
    assert width == 320
    assert sys.platform != "linux" or grown_kb < 150_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="getrusage counts in kB on Linux only")
@pytest.mark.parametrize("kind", ["table", "largest PNG", "largest WebP", "PNG over the bound", "text bomb"])
def test_the_worst_small_files_take_a_bounded_memory(kind: str, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "file.mp4"
    largest = Pillow.new("RGBA", (4096, 4096), "red")
    if kind == "largest WebP":
        largest.save(path, "WEBP", lossless=True)
    else:
        path.write_bytes({
            "table": lambda: stated(clip.read_bytes()),
            "largest PNG": lambda: png(4096, 4096, depth=16, channels=4),
            "PNG over the bound": lambda: png(13000, 13000),
            "text bomb": lambda: with_text(300 << 20),
        }[kind]())  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-m", "tests.media.peak_memory", "info" if kind == "table" else "mark", str(path)],
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    assert int(result.stdout) < 500_000


def test_every_bound_on_files_is_an_option_with_a_checked_range(clip: Path, tmp_path: Path) -> None:
    before = current_bounds()
    try:
        for option, value, words in [
            ("max_frames", 0, "max_frames must be a whole number of frames, 1 to"),
            ("max_streams", 1.5, "max_streams must be a whole number of streams"),
            ("max_seconds", "a day", "max_seconds must be a number of seconds"),
        ]:
            with pytest.raises(ParameterError, match=words):
                ci.connect(**{"home": tmp_path / "home", "max_pixels": 70_000, option: value})
            assert current_bounds() == before  # none of them is set
        ci.connect(home=tmp_path / "home", max_frames=9, max_streams=7, max_seconds=5.5).close()
        assert current_bounds().seconds == 5.5
        copy = tmp_path / "copy.mp4"
        copy.write_bytes(clip.read_bytes())
        words = "more than 9 frames, which is the bound. Cut it into parts, or raise max_frames in"
        with pytest.raises(EngineError, match=words):
            media_info(copy)
        restore_bounds(before)
        longer = tmp_path / "longer.mkv"
        run(["-f", "lavfi", "-i", "testsrc=s=64x64:r=10:d=3", "-c:v", "libx264", longer])
        set_bounds(seconds=2)
        with pytest.raises(EngineError, match=r"or raise max_seconds in ci\.connect or `ci-notebook serve`"):
            media_info(longer)
    finally:
        restore_bounds(before)
