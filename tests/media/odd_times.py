"""Small generated files whose streams or times are odd, and the frames that each shows at which times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.media.ffmpeg import run
from tests.media.coded_clips import FRAMES, HIGH, RATE, WIDE, coded_frame, write_coded

X264 = ("-c:v", "libx264", "-crf", "8", "-preset", "veryfast", "-g", "10")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "10")
OPEN = ("-c:v", "libx264", "-crf", "8", "-x264-params", "open-gop=1:keyint=8:bframes=3:scenecut=0")
HD = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709"
SD = "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p"
SOUND = ("-f", "lavfi", "-i")
UNEVEN = (0, 1, 2, 4, 5, 9, 10, 11, 12, 13, 20, 21, 22, 23, 24, 30, 31, 33, 40, 41, 42, 43, 44, 45, 60)  # 30ths of 1 s
EVEN = tuple(number / RATE for number in range(FRAMES))
FILM = tuple(number * 1001 / 24000 for number in range(FRAMES))

Recipe = Callable[[Path], Path]


@dataclass(frozen=True, slots=True)
class OddTimes:
    """How a file is made, and which frames it shows when, in s after its first frame.

    `late_s` is how much later than the file its video begins, `color_error` what its coding may cost, of 255.
    """

    recipe: Recipe
    numbers: tuple[int, ...] = tuple(range(FRAMES))
    times: tuple[float, ...] = EVEN
    late_s: float = 0.0
    color_error: float = 6.0

    @property
    def length_s(self) -> float:
        """How long the video lasts, the last frame as long as the mean of the others."""
        return self.times[-1] * len(self.times) / (len(self.times) - 1)


def make(name: str, folder: Path) -> Path:
    """Write one odd file into `folder`."""
    return ODD_TIMES[name].recipe(folder)


def coded(name: str, *codec: str, filters: str = HD) -> Recipe:
    """Return the recipe of coded frames in one container and codec."""
    return lambda folder: write_coded(folder / name, *codec, filters=filters)


def remuxed(name: str, *after: str | Path, before: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> Recipe:
    """Return the recipe of a plain clip that FFmpeg packs again, with further inputs in `more`."""

    def recipe(folder: Path) -> Path:
        plain = write_coded(folder / "plain.mp4", *X264)
        run([*before, "-i", plain, *more, *after, folder / name])
        return folder / name

    return recipe


def with_thumbnail(name: str, picture: str) -> Recipe:
    """Return the recipe of a clip behind a larger picture whose stream comes first and has no flag."""

    def recipe(folder: Path) -> Path:
        plain, art = write_coded(folder / "plain.mp4", *X264), folder / picture
        run([*SOUND, "color=red:s=600x600:d=0.1", "-frames:v", "1", "-update", "1", art])
        run(["-i", art, "-i", plain, "-map", "0", "-map", "1", "-c", "copy", folder / name])
        return folder / name

    return recipe


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
            for bit, value in (
                (24, number % 4 in (0, 3)),
                (30, number % 2 == 0),
                (32, True),
            ):  # top first, repeat, frame
                place, mask = at + 4 + bit // 8, 0x80 >> bit % 8
                data[place] = data[place] | mask if value else data[place] & ~mask
        at += 3
    stream.write_bytes(data)
    run(["-i", stream, "-c", "copy", folder / "film.vob"])
    return folder / "film.vob"


def _sound(length: str) -> tuple[str, ...]:
    return (*SOUND, f"sine=d={length}")


_BOTH = ("-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac")

ODD_TIMES: dict[str, OddTimes] = {
    "avi with b-frames": OddTimes(coded("c.avi", *X264, "-bf", "2")),
    "avi of mpeg4": OddTimes(coded("c.avi", "-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "10", filters=SD)),
    "asf": OddTimes(coded("c.asf", *X264, "-bf", "2")),
    "flv": OddTimes(coded("c.flv", *X264, "-bf", "2")),
    "transport stream": OddTimes(coded("c.ts", *X264)),
    "vob": OddTimes(coded("c.vob", *MPEG2)),
    "raw h264": OddTimes(coded("c.h264", *X264)),
    "raw mpeg2": OddTimes(coded("c.m2v", *MPEG2)),
    "raw mjpeg": OddTimes(coded("c.mjpeg", "-c:v", "mjpeg", "-q:v", "1", filters=f"{SD},format=yuvj420p")),
    "ivf": OddTimes(coded("c.ivf", "-c:v", "libvpx", "-b:v", "4M", "-deadline", "realtime", filters=SD)),
    "open groups": OddTimes(coded("c.mp4", *OPEN)),
    "open groups in a stream": OddTimes(coded("c.ts", *OPEN)),
    "fragments": OddTimes(coded("c.mp4", *X264, "-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    "edit list": OddTimes(
        cut_by_edit_list, tuple(range(14, 25)), EVEN[:11]
    ),
    "late video": OddTimes(
        remuxed("c.mkv", *_BOTH, before=("-itsoffset", "0.5"), more=_sound("1.5")), late_s=0.5
    ),
    "long sound": OddTimes(remuxed("c.flv", *_BOTH, more=_sound("2.2")), late_s=0.023),
    "long sound in a stream": OddTimes(remuxed("c.ts", *_BOTH, more=_sound("2.2")), late_s=0.0232),
    "clock that wraps": OddTimes(remuxed("c.ts", "-c", "copy", "-output_ts_offset", "95443.2")),
    "clock that wraps in a vob": OddTimes(remuxed("c.vob", *MPEG2, "-output_ts_offset", "95443.2")),
    "begun inside a group": OddTimes(begun_late, tuple(range(10, 25)), EVEN[:15], late_s=0.24),
    "variable rate": OddTimes(uneven("c.mp4", *X264), times=tuple(at / 30 for at in UNEVEN)),
    "variable rate in webm": OddTimes(
        uneven("c.webm", "-c:v", "libvpx", "-b:v", "4M"), times=tuple(round(at / 30, 3) for at in UNEVEN)
    ),
    "film in ntsc": OddTimes(film, times=FILM),
    "thumbnail first": OddTimes(with_thumbnail("c.mkv", "art.jpg")),
    "png first": OddTimes(with_thumbnail("c.mp4", "art.png")),
    "second video is the default": OddTimes(
        remuxed(
            "c.mkv", "-map", "1", "-map", "0", "-c:v:0", "libx264", "-c:v:1", "copy", "-disposition:v:0", "0",
            "-disposition:v:1", "default", more=(*SOUND, "testsrc=s=160x120:d=1:r=25"),
        )
    ),
    "time code": OddTimes(remuxed("c.mov", "-c", "copy", "-timecode", "01:00:00:00")),
}  # fmt: skip
