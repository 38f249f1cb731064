"""The table of odd files: how each is made, and what every consumer of a video has to see in it.

All of them show coded frames (see `coded_clips`), upright and in true colors. So one look at a frame tells
which frame it is, whether it is turned or mirrored, and whether its colors are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ci_notebook.media import color_tags
from tests.media.coded_clips import FRAMES, HIGH, RATE, WIDE
from tests.media.odd_recipes import (
    AV1,
    BOTH,
    FULL,
    HD,
    INTERLACED,
    MJPEG,
    MPEG2,
    MPEG4,
    OPEN,
    SD,
    SOUND,
    UNEVEN,
    VP8,
    VP9,
    X264,
    X265,
    Recipe,
    begun_late,
    coded,
    cut_by_edit_list,
    damaged,
    film,
    glued,
    recorded,
    remuxed,
    renamed,
    shaped,
    shortened,
    squeezed,
    tagged,
    ticking,
    uneven,
    with_chapters,
    with_cover_first,
    with_thumbnail,
    written_as,
)  # fmt: skip

EVEN = tuple(number / RATE for number in range(FRAMES))
FILM = tuple(number * 1001 / 24000 for number in range(FRAMES))
Kind = Literal["container", "stream", "shape", "time", "color", "sound", "damage"]


@dataclass(frozen=True, slots=True)
class OddFile:
    """How a file is made, which frames it shows when (s after the first), and at which displayed size.

    `stored` is the size of its frames as stored. `late_s` is how much later than the file its video begins,
    `color_error` what its coding may cost, of 255. `sound_s` is when a tone begins, after the begin of the
    file; None without any. `is_vague` says that the file is damaged: its times, and the frames that are lost,
    are not known beforehand, but every consumer has to agree on them. Without `has_one_clock` no part can be cut.
    `primaries` are those in which the colors are stated, by the names of `tests.bt2100`.
    """

    kind: Kind
    recipe: Recipe
    numbers: tuple[int, ...] = tuple(range(FRAMES))
    times: tuple[float, ...] = EVEN
    shown: tuple[int, int] = (WIDE, HIGH)
    stored: tuple[int, int] = (WIDE, HIGH)
    late_s: float = 0.0
    color_error: float = 6.0
    sound_s: float | None = None
    is_vague: bool = False
    has_one_clock: bool = True
    primaries: str = "bt709"

    @property
    def length_s(self) -> float:
        """How long the video lasts, the last frame as long as the mean of the others."""
        return self.times[-1] * len(self.times) / (len(self.times) - 1) if len(self.times) > 1 else 1 / RATE


LATE_TS = 1024 / 48000  # s; the sound's first samples prepare its decoder
TURNED = (HIGH, WIDE)
FEW = {"numbers": tuple(range(5)), "times": EVEN[:5]}
_TURN, _BACK = ("-display_rotation", "90"), ("-display_rotation", "270")
_BT2020 = "color_primaries=bt2020:color_trc=bt2020-10"
_P3 = "color_primaries=smpte432:color_trc=bt709"
_HDR, _HLG = (
    f"{HD},{color_tags.sdr_to_hdr(color_tags.HdrCoding(one), matrix='bt709', primaries='bt709')},format=yuv420p10le"
    for one in ("smpte2084", "arib-std-b67")
)

ODD_FILES: dict[str, OddFile] = {
    # containers
    "avi with b-frames": OddFile("container", coded("c.avi", *X264, "-bf", "2")),
    "avi of mpeg4": OddFile("container", coded("c.avi", *MPEG4, filters=SD)),
    "avi of mjpeg": OddFile("container", coded("c.avi", *MJPEG, filters=FULL)),
    "asf": OddFile("container", coded("c.asf", *X264, "-bf", "2")),
    "wmv": OddFile("container", coded("c.wmv", "-c:v", "wmv2", "-q:v", "2", filters=SD)),
    "flv": OddFile("container", coded("c.flv", *X264, "-bf", "2")),
    "flv of sorenson": OddFile("container", coded("c.flv", "-c:v", "flv", "-q:v", "2", filters=SD)),
    "transport stream": OddFile("container", coded("c.ts", *X264)),
    "m2ts": OddFile("container", coded("c.m2ts", *X264, "-mpegts_m2ts_mode", "1")),
    "hevc in a stream": OddFile("container", coded("c.ts", *X265)),
    "vob": OddFile("container", coded("c.vob", *MPEG2)),
    "mpeg1": OddFile("container", coded("c.mpg", "-c:v", "mpeg1video", "-q:v", "2", "-b:v", "8M", filters=SD)),
    "mxf": OddFile("container", coded("c.mxf", *MPEG2)),
    "mov": OddFile("container", coded("c.mov", "-c:v", "prores_ks", "-profile:v", "3")),
    "webm of vp9": OddFile("container", coded("c.webm", *VP9)),
    "av1": OddFile("container", coded("c.mp4", *AV1)),
    "ogg": OddFile("container", coded("c.ogv", "-c:v", "libtheora", "-q:v", "10", filters=SD)),
    "nut": OddFile("container", coded("c.nut", *X264)),
    "gif": OddFile(
        "container", coded("c.gif", filters="split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"), color_error=16
    ),
    "y4m": OddFile("container", coded("c.y4m", filters=SD)),
    "raw h264": OddFile("container", coded("c.h264", *X264)),
    "raw hevc": OddFile("container", coded("c.hevc", *X265)),
    "raw mpeg2": OddFile("container", coded("c.m2v", *MPEG2)),
    "raw mjpeg": OddFile("container", coded("c.mjpeg", *MJPEG, filters=FULL)),
    "ivf": OddFile("container", coded("c.ivf", *VP8, filters=SD)),
    "obu": OddFile("container", coded("c.obu", *AV1)),
    "fragments": OddFile("container", coded("c.mp4", *X264, "-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    # streams
    "cover first": OddFile("stream", with_cover_first),
    "thumbnail first": OddFile("stream", with_thumbnail("c.mkv", "art.jpg")),
    "png first": OddFile("stream", with_thumbnail("c.mp4", "art.png")),
    "second video is the default": OddFile(
        "stream",
        remuxed(
            "c.mkv",
            "-map",
            "1",
            "-map",
            "0",
            "-c:v:0",
            "libx264",
            "-c:v:1",
            "copy",
            "-disposition:v:0",
            "0",
            "-disposition:v:1",
            "default",
            more=(*SOUND, "testsrc=s=160x120:d=1:r=25"),
        ),
    ),
    "time code": OddFile("stream", remuxed("c.mov", "-c", "copy", "-timecode", "01:00:00:00")),
    "chapters and words": OddFile("stream", with_chapters("c.mp4")),
    "chapters and words in mkv": OddFile("stream", with_chapters("c.mkv")),
    # shapes
    "mirrored": OddFile("shape", shaped("hflip", "-display_hflip")),
    "upside down": OddFile("shape", shaped("vflip", "-display_vflip")),
    "rotated": OddFile("shape", shaped("transpose=clock", *_TURN), stored=TURNED),
    "rotated back": OddFile("shape", shaped("transpose=cclock", *_BACK), stored=TURNED),
    "turned over": OddFile("shape", shaped("hflip,vflip", "-display_rotation", "180")),
    "rotated and mirrored": OddFile("shape", shaped("hflip,transpose=clock", *_TURN, "-display_hflip"), stored=TURNED),
    "rotated and upside down": OddFile(
        "shape", shaped("vflip,transpose=clock", *_TURN, "-display_vflip"), stored=TURNED
    ),
    "anamorphic": OddFile("shape", squeezed("3/2"), shown=(480, 180)),
    "high pixels": OddFile("shape", squeezed("8/9"), shown=(284, 180)),
    "rotated anamorphic": OddFile("shape", squeezed("5/4", *_TURN), shown=(320, 225), stored=TURNED),
    "odd sides": OddFile(
        "shape",
        coded(
            "c.mp4",
            *X264,
            filters="scale=321:181:out_color_matrix=bt709:out_range=tv,format=yuv444p,setparams=colorspace=bt709",
        ),
        shown=(321, 181),
        stored=(321, 181),
    ),
    # times
    "one frame": OddFile("time", coded("c.mp4", *X264, frames=1), (0,), (0.0,)),
    "two frames": OddFile("time", coded("c.mkv", *X264, frames=2), (0, 1), EVEN[:2]),
    "no duration": OddFile("time", recorded),
    "open groups": OddFile("time", coded("c.mp4", *OPEN)),
    "open groups in a stream": OddFile("time", coded("c.ts", *OPEN)),
    "edit list": OddFile("time", cut_by_edit_list, tuple(range(14, 25)), EVEN[:11]),
    "clock that wraps": OddFile("time", remuxed("c.ts", "-c", "copy", "-output_ts_offset", "95443.2")),
    "clock that wraps in a vob": OddFile("time", remuxed("c.vob", *MPEG2, "-output_ts_offset", "95443.2")),
    "begun inside a group": OddFile("time", begun_late, tuple(range(10, 25)), EVEN[:15], late_s=0.24),
    "variable rate": OddFile("time", uneven("c.mp4", *X264), times=tuple(at / 30 for at in UNEVEN)),
    "variable rate in webm": OddFile(
        "time", uneven("c.webm", "-c:v", "libvpx", "-b:v", "4M"), times=tuple(round(at / 30, 3) for at in UNEVEN)
    ),
    "film in ntsc": OddFile("time", film, times=FILM),
    "interlaced": OddFile("time", coded("c.mp4", *INTERLACED, filters=f"setfield=tff,{HD}")),
    # colors
    "bt601": OddFile("color", tagged("c.mp4", "smpte170m", tags="color_primaries=smpte170m:color_trc=smpte170m")),
    "pal": OddFile("color", tagged("c.mkv", "bt470bg", tags="color_primaries=bt470bg:color_trc=bt470bg")),
    "smpte240m": OddFile("color", tagged("c.mp4", "smpte240m")),
    "untagged": OddFile("color", coded("c.mp4", *X264, filters=SD)),
    "untagged hd": OddFile(
        "color",
        coded("c.mp4", *X264, filters="scale=1280:720:out_color_matrix=bt709:out_range=tv,format=yuv420p", frames=5),
        **FEW,
        shown=(1280, 720),
        stored=(1280, 720),
    ),
    "full range": OddFile("color", tagged("c.mp4", "bt709", range_="pc")),
    "full range of a phone": OddFile("color", tagged("c.mov", "smpte170m", *X265, range_="pc", pixels="yuvj420p")),
    "ten bit": OddFile("color", tagged("c.mp4", "bt709", *X265, pixels="yuv420p10le")),
    "bt2020": OddFile(
        "color", tagged("c.mp4", "bt2020nc", *X265, tags=_BT2020, pixels="yuv420p10le"), primaries="bt2020"
    ),
    "p3": OddFile("color", tagged("c.mov", "bt709", tags=_P3), primaries="smpte432"),
    "4:2:2": OddFile("color", tagged("c.mkv", "bt709", pixels="yuv422p10le")),
    "4:4:4": OddFile("color", tagged("c.mp4", "bt709", pixels="yuv444p")),
    "rgb": OddFile("color", coded("c.mkv", "-c:v", "libx264rgb", "-crf", "4", filters="format=rgb24")),
    "planar rgb": OddFile("color", coded("c.mkv", "-c:v", "ffv1", filters="format=gbrp")),
    "rgb with alpha": OddFile("color", coded("c.mov", "-c:v", "png", filters="format=rgba")),
    "raw rgb": OddFile("color", coded("c.avi", "-c:v", "rawvideo", filters="format=bgr24")),
    "hdr10": OddFile("color", coded("c.mp4", *X265, filters=_HDR)),
    "hlg": OddFile("color", coded("c.mp4", *X265, filters=_HLG)),
    # sound
    "late video": OddFile(
        "sound", remuxed("c.mkv", *BOTH, before=("-itsoffset", "0.5"), more=ticking(0.7, 1.5)), late_s=0.5, sound_s=0.7
    ),
    "late sound": OddFile(
        "sound", remuxed("c.mp4", *BOTH, more=("-itsoffset", "0.3", *ticking(0.2, 0.7))), sound_s=0.5
    ),
    "late sound in a stream": OddFile(
        "sound", remuxed("c.ts", *BOTH, more=("-itsoffset", "0.3", *ticking(0.2, 0.7))), sound_s=0.5
    ),
    "long sound": OddFile("sound", remuxed("c.flv", *BOTH, more=ticking(0.4, 2.2)), late_s=0.021, sound_s=0.421),
    "long sound in mp4": OddFile("sound", remuxed("c.mp4", *BOTH, more=ticking(0.4, 2.2)), sound_s=0.4),
    "long sound in a stream": OddFile(
        "sound", remuxed("c.ts", *BOTH, more=ticking(0.4, 2.2)), late_s=LATE_TS, sound_s=0.4 + LATE_TS
    ),
    "short sound": OddFile("sound", remuxed("c.mkv", *BOTH, more=ticking(0.1, 0.4)), sound_s=0.1),
    "two tracks in a stream": OddFile(
        "sound",
        remuxed(
            "c.ts",
            "-map",
            "0",
            "-map",
            "1",
            "-map",
            "2",
            "-c:v",
            "copy",
            "-c:a",
            "aac",
            more=("-itsoffset", "0.3", *ticking(0.2, 0.7), *ticking(0.1, 1.0)),
        ),
        late_s=LATE_TS,
        sound_s=0.5 + LATE_TS,
    ),
    # damage
    "short mp4": OddFile("damage", shortened(coded("c.mp4", *X264, "-movflags", "faststart"), 0.7), is_vague=True),
    "short mkv": OddFile("damage", shortened(coded("c.mkv", *X264), 0.6), is_vague=True),
    "short stream": OddFile("damage", shortened(coded("c.ts", *X264), 0.6), is_vague=True),
    "short flv": OddFile("damage", shortened(coded("c.flv", *X264), 0.6), is_vague=True),
    "short avi": OddFile("damage", shortened(coded("c.avi", *MPEG4, filters=SD), 0.6), is_vague=True),
    "damaged stream": OddFile("damage", damaged(coded("c.ts", *X264), 0.5), is_vague=True),
    "damaged mp4": OddFile("damage", damaged(coded("c.mp4", *X264), 0.5), is_vague=True),
    "glued streams": OddFile(
        "damage", glued("c.ts", *X264), late_s=LATE_TS, sound_s=0.2 + LATE_TS, has_one_clock=False
    ),
    "glued vobs": OddFile("damage", glued("c.vob", *MPEG2), sound_s=0.2, has_one_clock=False),
    "clock that leaps": OddFile(
        "damage", glued("c.ts", *X264, clocks=(0, 3600)), late_s=LATE_TS, sound_s=0.2 + LATE_TS, has_one_clock=False
    ),
    "clock that goes back": OddFile(
        "damage", glued("c.ts", *X264, clocks=(3600, 0)), late_s=LATE_TS, sound_s=0.2 + LATE_TS, has_one_clock=False
    ),
}

_PICTURE = (*SOUND, "testsrc2=s=128x96:d=0.1", "-frames:v", "1", "-update", "1")
REFUSED: dict[str, Recipe] = {
    "empty": renamed("a.mp4", b""),
    "zeros": renamed("a.mp4", bytes(4096)),
    "text": renamed("a.mp4", b"This is no video.\n" * 20),
    "page": renamed("a.mp4", b"<!doctype html><html><body>404 Not Found</body></html>"),
    "list of files": renamed("a.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n"),
    "playlist": renamed("a.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/hostname\n#EXT-X-ENDLIST\n"),
    "png": written_as("a.mp4", *_PICTURE, "-f", "image2", "-c:v", "png"),
    "jpeg": written_as("a.mp4", *_PICTURE, "-f", "image2", "-c:v", "mjpeg"),
    "sound alone": written_as("a.mp4", *SOUND, "sine=d=0.5", "-f", "mp4"),
    "song with a cover": written_as(
        "a.mp4", *SOUND, "sine=d=0.5", *SOUND, "color=red:s=96x96:d=0.1", "-map", "0", "-map", "1", "-frames:v", "1",
        "-c:v", "mjpeg", "-disposition:v:0", "attached_pic", "-f", "mp4",
    ),
    "without its index": shortened(coded("a.mp4", *X264), 0.8),
    "header alone": shortened(coded("a.mkv", *X264), 0.01),
    "slanted": remuxed("a.mp4", "-c", "copy", before=("-display_rotation", "30")),
}  # fmt: skip


def make(name: str, folder: Path) -> Path:
    """Write one odd file into `folder`."""
    return ODD_FILES[name].recipe(folder)
