"""Recipes of odd files: each writes one small file of coded frames into a folder and returns its path."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import find_ffmpeg, run
from tests.media.coded_clips import FRAMES, HIGH, WIDE, coded_frame, write_coded

X264 = ("-c:v", "libx264", "-crf", "8", "-preset", "veryfast", "-g", "10")
X265 = ("-c:v", "libx265", "-crf", "8", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=10")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "10")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "10")
VP8 = ("-c:v", "libvpx", "-b:v", "4M", "-deadline", "realtime")
VP9 = ("-c:v", "libvpx-vp9", "-b:v", "4M", "-deadline", "realtime", "-cpu-used", "8")
AV1 = ("-c:v", "libsvtav1", "-crf", "12", "-preset", "12")
MJPEG = ("-c:v", "mjpeg", "-q:v", "1")
OPEN = ("-c:v", "libx264", "-crf", "8", "-x264-params", "open-gop=1:keyint=8:bframes=3:scenecut=0")
INTERLACED = (*X264, "-flags", "+ilme+ildct", "-x264-params", "tff=1")
HD = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709"
SD = "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p"
FULL = f"{SD.replace('=tv', '=pc')},format=yuvj420p"
SOUND = ("-f", "lavfi", "-i")
UNEVEN = (0, 1, 2, 4, 5, 9, 10, 11, 12, 13, 20, 21, 22, 23, 24, 30, 31, 33, 40, 41, 42, 43, 44, 45, 60)  # 30ths of 1 s
BOTH = ("-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac")

Recipe = Callable[[Path], Path]


def coded(name: str, *codec: str, filters: str = HD, frames: int = FRAMES, rate: str = "25") -> Recipe:
    """Return the recipe of coded frames in one container and codec."""
    return lambda folder: write_coded(folder / name, *codec, filters=filters, frames=frames, rate=rate)


def remuxed(
    name: str, *after: str | Path, before: tuple[str, ...] = (), more: tuple[str, ...] = (), filters: str = HD
) -> Recipe:
    """Return the recipe of a plain clip that FFmpeg packs again, with further inputs in `more`."""

    def recipe(folder: Path) -> Path:
        plain = write_coded(folder / "plain.mp4", *X264, filters=filters)
        run([*before, "-i", plain, *more, *after, folder / name])
        return folder / name

    return recipe


def tagged(name: str, matrix: str, *codec: str, tags: str = "", pixels: str = "yuv420p", range_: str = "tv") -> Recipe:
    """Return the recipe of a clip whose pixels are coded with a matrix and say so, with further tags."""
    coding = f"out_color_matrix={color_tags.scale_matrix(matrix)}:out_range={range_}"
    words = f"scale={coding}:flags={color_tags.EXACT_FLAGS}"
    marks = f"setparams=colorspace={matrix}:range={range_}{':' if tags else ''}{tags}"
    return coded(name, *(codec or X264), filters=f"{words},format={pixels},{marks}")


def shaped(filters: str, *before: str) -> Recipe:
    """Return the recipe of a clip that is stored otherwise than shown; `before` are the options of its matrix."""
    return remuxed("c.mp4", "-c", "copy", before=before, filters=f"{filters},{HD}")


def squeezed(aspect: str, *turn: str) -> Recipe:
    """Return the recipe of a clip with pixels of the shape `aspect`."""
    stored = f"transpose=clock,{HD}" if turn else HD
    return remuxed("c.mp4", "-c", "copy", before=turn, filters=f"{stored},setsar={aspect}")


def with_thumbnail(name: str, picture: str) -> Recipe:
    """Return the recipe of a clip behind a larger picture whose stream comes first and has no flag."""

    def recipe(folder: Path) -> Path:
        plain, art = write_coded(folder / "plain.mp4", *X264), folder / picture
        run([*SOUND, "color=red:s=600x600:d=0.1", "-frames:v", "1", "-update", "1", art])
        run(["-i", art, "-i", plain, "-map", "0", "-map", "1", "-c", "copy", folder / name])
        return folder / name

    return recipe


def with_cover_first(folder: Path) -> Path:
    """Write a clip with cover art larger than the video, and before its track, as taggers of music store it."""
    video, art = write_coded(folder / "plain.mp4", *X264), folder / "art.jpg"
    cover_last, path = folder / "cover-last.mp4", folder / "c.mp4"
    run([*SOUND, "color=red:s=600x600:d=0.1", "-frames:v", "1", "-update", "1", art])
    both = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic")
    run(["-i", video, "-i", art, *both, cover_last])
    data = cover_last.read_bytes()
    begin, end = next((begin, end) for kind, begin, end in boxes(data, 0, len(data)) if kind == b"moov")
    inner = list(boxes(data, begin + 8, end))
    cover = b"".join(data[one:two] for kind, one, two in inner if kind == b"udta")
    tracks = [data[one:two] for kind, one, two in inner if kind != b"udta"]
    path.write_bytes(data[: begin + 8] + tracks[0] + cover + b"".join(tracks[1:]) + data[end:])
    return path


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the begin and the end of each MP4 box."""
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, at + size
        at += max(8, size)


def with_chapters(name: str) -> Recipe:
    """Return the recipe of a clip with two chapters and a subtitle."""

    def recipe(folder: Path) -> Path:
        plain, facts, words = write_coded(folder / "plain.mp4", *X264), folder / "facts.txt", folder / "words.srt"
        chapter = "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\ntitle=part\n"
        facts.write_text(";FFMETADATA1\n" + chapter.format(0, 400) + chapter.format(400, 1000))
        words.write_text("1\n00:00:00,200 --> 00:00:03,000\nwords\n")
        text = "mov_text" if name.endswith("mp4") else "srt"
        run([
            "-i", plain, "-i", words, "-i", facts, "-map", "0", "-map", "1", "-map_chapters", "2",
            "-c:v", "copy", "-c:s", text, folder / name,
        ])  # fmt: skip
        return folder / name

    return recipe


def recorded(folder: Path) -> Path:
    """Write a WebM as a browser records it: without duration and index, because the output cannot seek."""
    plain = write_coded(folder / "plain.webm", *VP8, filters=SD)
    command = [str(find_ffmpeg()), "-v", "error", "-i", str(plain), "-c", "copy", "-f", "webm", "-live", "1", "-"]
    (folder / "c.webm").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    return folder / "c.webm"


def uneven(name: str, *codec: str) -> Recipe:
    """Return the recipe of frames at the times `UNEVEN`."""

    def recipe(folder: Path) -> Path:
        times = "+".join(f"eq(N,{number})*{at}" for number, at in enumerate(UNEVEN))
        raw = folder / "raw.rgb"
        raw.write_bytes(b"".join(coded_frame(number).tobytes() for number in range(FRAMES)))
        run([
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDE}x{HIGH}", "-r", "25", "-i", raw,
            "-vf", f"{SD},settb=1/30000,setpts='({times})/30/TB'", "-fps_mode", "vfr", "-enc_time_base", "1:30000",
            *codec, folder / name,
        ])  # fmt: skip
        return folder / name

    return recipe


def slow(folder: Path) -> Path:
    """Write three frames that are shown for 50 minutes each, as slides."""
    plain = write_coded(folder / "plain.mp4", *X264, "-bf", "0", frames=3)
    run(["-itsscale", 75000, "-i", plain, "-c", "copy", folder / "c.mkv"])
    return folder / "c.mkv"


def begun_late(folder: Path) -> Path:
    """Write a recording that begins inside a group of frames."""
    whole = remuxed("whole.ts", "-c", "copy")(folder)
    (folder / "begun.ts").write_bytes(whole.read_bytes()[188 * 40 :])
    return folder / "begun.ts"


def cut_by_edit_list(folder: Path) -> Path:
    """Write a clip whose edit list begins inside a group of frames."""
    plain = write_coded(folder / "plain.mp4", *X264)
    run(["-ss", "0.56", "-i", plain, "-c", "copy", folder / "c.mp4"])
    return folder / "c.mp4"


def film(folder: Path) -> Path:
    """Write film in NTSC: its flags repeat fields, so that 24 frames fill 60 fields a second."""
    stream = write_coded(folder / "film.m2v", *MPEG2, "-g", "12", "-f", "mpeg2video", filters=SD, rate="24000/1001")
    data, at, number = bytearray(stream.read_bytes()), 0, 0
    while 0 <= (at := data.find(b"\0\0\1", at)) < len(data) - 9:
        kind, head = data[at + 3], data[at + 4] >> 4
        if kind == 0x00:
            number = (data[at + 4] << 8 | data[at + 5]) >> 6
        elif kind == 0xB3:
            data[at + 7] = (data[at + 7] & 0xF0) | 4  # 30000/1001
        elif kind == 0xB5 and head == 1:
            data[at + 5] &= ~0x08  # not progressive as a whole
        elif kind == 0xB5 and head == 8:
            top_first, repeats = number % 4 in (0, 3), number % 2 == 0
            for bit, value in ((24, top_first), (30, repeats), (32, True)):  # the last: a whole frame
                place, mask = at + 4 + bit // 8, 0x80 >> bit % 8
                data[place] = data[place] | mask if value else data[place] & ~mask
        at += 3
    stream.write_bytes(data)
    run(["-i", stream, "-c", "copy", folder / "film.vob"])
    return folder / "film.vob"


def glued(name: str, *codec: str, clocks: tuple[float, float] = (0, 0)) -> Recipe:
    """Return the recipe of two recordings with sound, one appended to the other, that begin at the times `clocks`."""

    def recipe(folder: Path) -> Path:
        both = b""
        for clock, begin, frames in ((clocks[0], 0, 15), (clocks[1], 15, 10)):
            plain, path = write_coded(folder / "plain.mp4", *codec, begin=begin, frames=frames), folder / f"part-{name}"
            sound = ("-c:a", "mp2") if name.endswith("vob") else ()
            run(["-i", plain, *ticking(0.2, frames / 25), *BOTH, *sound, "-output_ts_offset", clock, path])
            both += path.read_bytes()
        (folder / name).write_bytes(both)
        return folder / name

    return recipe


def shortened(recipe: Recipe, share: float) -> Recipe:
    """Return the recipe of a file of which only the first share is left."""

    def short(folder: Path) -> Path:
        path = recipe(folder)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    return short


def damaged(recipe: Recipe, share: float, size: int = 400) -> Recipe:
    """Return the recipe of a file with zeros in the place of some bytes."""

    def damage(folder: Path) -> Path:
        path = recipe(folder)
        data = bytearray(path.read_bytes())
        at = int(len(data) * share)
        data[at : at + size] = bytes(size)
        path.write_bytes(data)
        return path

    return damage


def ticking(at_s: float, length_s: float) -> tuple[str, ...]:
    """Return FFmpeg's input of a tone from `at_s` on, after silence."""
    return (*SOUND, f"aevalsrc=if(gte(t\\,{at_s})\\,sin(2763*t)*0.5\\,0):d={length_s}:s=48000")


def renamed(name: str, data: bytes) -> Recipe:
    """Return the recipe of a file with this content, whatever its name says."""

    def recipe(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return recipe


def written_as(name: str, *arguments: str) -> Recipe:
    """Return the recipe of a file that FFmpeg writes from `arguments` and that then gets another name."""

    def recipe(folder: Path) -> Path:
        run([*arguments, folder / "as-it-is"])
        (folder / "as-it-is").rename(folder / name)
        return folder / name

    return recipe
