"""The pattern of a digital watermark: a text as one still picture, read back from a video without the original.

The watermark is a faint fixed grain in the luma: one picture of 128 ± a few levels that FFmpeg's `blend`
adds to every frame. It must be the last change of the luma. It survives what usually happens to a video:
encoding again, scaling, cutting in time, and changes of brightness, contrast and color. It does not
survive cropping, rotation, letterboxing, or somebody who reads this file and removes it: the key is not
secret.

Besides the luma PSNR that `psnr` states it costs file size, because an encoder with constant quality keeps
the grain. Measured at crf 23 with the full amplitude: 8 % more for a detailed clip, 36 to 93 % for smoother
ones, and up to 3.3 times the size for a plain surface. `strength` finds out where less is enough.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np

from ci_notebook.engine.render.digital_watermark.carrier import (
    coarse_grid,
    draw,
    embedding_grid,
    fine_grid,
    flattened,
    gather,
    near_another_grid,
    pooled,
    residual,
    spread,
)
from ci_notebook.engine.render.digital_watermark.motion_prediction import unpredicted
from ci_notebook.engine.render.digital_watermark.payload import CHECK_BITS, PAYLOADS, to_bits, to_message
from ci_notebook.engine.render.digital_watermark.polar_code import LENGTH, Floats, decode, encode
from ci_notebook.media.ffmpeg import Cancelled, find_ffmpeg, media_input
from ci_notebook.media.probe import no_video, video_index
from ci_notebook.media.process import environment, wait_for_end

# Not secret: it separates our watermarks from noise and other programs', and every installation reads them.
KEY: Final = b"ci_notebook DigitalWatermark V1"

# The signal-to-noise ratio per bit (Eb/N0) at which 99 of 100 messages are read; measured with white noise.
NEEDED_DB: Final = 0.5
# Every frame of the first four seconds, then every fourth: neighboring frames look alike and add little,
# so half a minute is covered at the cost of ten seconds.
_ALL: Final = 100
_EVERY: Final = 4
_ALONG_MOTION: Final = 60  # frames that are predicted along the motion, where all frames alone were not enough
_CANCELLED: Final = "Reading the digital watermark was cancelled."


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """Result of reading a video.

    `message` is None when no watermark was found. `margin_db` is the margin above the level at which
    reading fails: at 6 dB half the amplitude would have been enough. `bit_error` is the share of the
    4,096 code bits that were wrong and corrected. Both are None without a message. `pictures` is the
    number of frames read.
    """

    message: str | None
    margin_db: float | None = None
    bit_error: float | None = None
    pictures: int


def amplitude(width: int, height: int, message: str, *, transfer: str = "") -> float:
    """Return the amplitude for a message, in 8-bit levels (root mean square).

    `transfer` is the output's transfer characteristic, in FFmpeg's names. In PQ (`smpte2084`) a code value
    is a larger step of light, so the watermark is a fifth weaker; it is still as readable as in SDR.
    Converted to SDR, a watermark of 42.1 dB costs 39.1 dB in HLG and 37.0 dB in PQ.

    A small video loses more of the watermark to an encoder, and in a long message each bit has less of
    it. With these steps every clip of 480 × 270 and up is read with a margin of 2 dB or more after scaling
    to half and crf 23, also at x264's veryfast preset (`tests/benchmarks/bench_digital_watermark.py`).

    >>> amplitude(1920, 1080, "ci_notebook"), amplitude(640, 360, "ci_notebook"), amplitude(640, 360, "版" * 64)
    (1.5, 2.25, 3.25)
    """
    pixels, bits = width * height, len(to_bits(message))
    level = 1.5 if pixels >= 400_000 else 2.25 if pixels >= 100_000 else 3.0  # 854 × 480 has 410,000
    level += 0.0 if bits <= 250 else 0.5 if bits <= 500 else 1.0
    return level * (0.8 if transfer == "smpte2084" else 1.0)


def psnr(level: float) -> float:
    """Return the luma PSNR in dB after embedding with this amplitude, before encoding.

    >>> round(psnr(2.0), 1), round(psnr(3.0), 1)
    (42.1, 38.6)
    """
    return 20 * math.log10(255 / level)


def pattern(
    message: str, width: int, height: int, *, amplitude: float, key: bytes = KEY, ten_bits: bool = False,
    full_range: bool = False, coarse: bool = False,
) -> bytes:  # fmt: skip
    """Return a Y4M file of one picture that embeds `message`, as FFmpeg's second input.

    `amplitude` is the root mean square in 8-bit levels. `ten_bits` is for a 10-bit output, with four times
    the code values; `full_range` for the `yuvj` formats; `coarse` takes the coarse grid where `embedding_grid` would
    take the fine one. A pattern of the other range would be converted,
    and every frame would change its brightness. Raises `ParameterError` for a message outside the API's rules.
    """
    grid = coarse_grid(width, height) if coarse else embedding_grid(width, height)
    carrier = spread(encode(to_bits(message)), *grid, key)
    luma = draw(carrier, width, height) * amplitude
    scale, middle, kind = (4, 512, "<u2") if ten_bits else (1, 128, "u1")
    planes = np.full(width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2), middle, kind)
    planes[: width * height] = np.clip(np.rint(middle + scale * luma), 0, 2 * middle - 1).ravel()
    colours = "C420p10 XYSCSS=420P10" if ten_bits else "C420jpeg"
    span = "FULL" if full_range else "LIMITED"
    header = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 {colours} XCOLORRANGE={span}\nFRAME\n"
    return header.encode() + planes.tobytes()


def blend_filter(source: str, mark: str, out: str, *, pixel_format: str) -> str:
    """Return the part of a filter graph that adds the pattern `mark` to `source`; chroma stays as it is.

    All three are names of links. `pixel_format` is the output's; its depth and range must be the
    pattern's. FFmpeg repeats the one picture: `-loop 1` would decode it again each time.

    >>> print(blend_filter("v1", "1:v", "out", pixel_format="yuv420p"))
    [v1]format=yuv420p[v1u];[1:v]format=yuv420p[v1m];\
[v1u][v1m]blend=c0_mode=grainmerge:c1_mode=normal:c2_mode=normal[out]
    """
    under, over = f"{source}u".replace(":", ""), f"{source}m".replace(":", "")
    return (
        f"[{source}]format={pixel_format}[{under}];[{mark}]format={pixel_format}[{over}];"
        f"[{under}][{over}]blend=c0_mode=grainmerge:c1_mode=normal:c2_mode=normal[{out}]"
    )


def extract(
    path: Path,
    *,
    key: bytes = KEY,
    ffmpeg: Path | None = None,
    max_pictures: int = 250,
    cancel: threading.Event | None = None,
) -> Extracted:
    """Read the digital watermark of a video of any size, without the original.

    Costs the decoding of up to 28 s of the video, and 1 to 2 ms per frame read. Raises `EngineError` when
    the file is not a video, `Cancelled` when `cancel` was set meanwhile.
    """
    program = ffmpeg or find_ffmpeg()
    size = _size(program, path)
    extracted = Extracted(message=None, pictures=0)
    sums = []
    for aside in (0, 1) if near_another_grid(*size) else (0,):
        sums.append(_Sums.over(_pictures(program, path, fine_grid(*size, aside), limit=max_pictures, cancel=cancel)))
        if sums[-1].pictures == 0:
            raise no_video(path, "it holds no picture")
        for evidence in sums[-1].evidence(key):
            extracted = _read(evidence, sums[-1].pictures)
            if extracted.message is not None:
                return extracted
    for evidence in sums[0].evidence_along_motion(key, cancel):
        extracted = _read(evidence, sums[0].pictures)
        if extracted.message is not None:
            return extracted
    return extracted


def known_margin_db(path: Path, message: str, *, key: bytes = KEY, cancel: threading.Event | None = None) -> float:
    """Return the margin in dB of a message that is known to be in a video; below 0 it could not be read.

    A message that is not there at all gives less than -10 dB. Costs and errors are those of `extract`.
    """
    program, bits = find_ffmpeg(), to_bits(message)
    sums = _Sums.over(_pictures(program, path, fine_grid(*_size(program, path)), limit=_ALL, cancel=cancel))
    if sums.pictures == 0:
        raise no_video(path, "it holds no picture")
    signs = 1 - 2 * encode(bits)
    evidence = (*sums.evidence(key), *sums.evidence_along_motion(key, cancel))
    return max(_margin_db(one * signs, len(bits)) for one in evidence)


@dataclass(frozen=True, slots=True)
class _Sums:
    """The residuals of a video's frames, added up on the fine and on the coarse grid, and the first frames."""

    fine: Floats
    coarse: Floats
    pictures: int
    first: list[Floats]

    @classmethod
    def over(cls, pictures: Iterator[Floats]) -> _Sums:
        fine = coarse = np.zeros((0, 0), np.float32)
        first: list[Floats] = []
        number = 0
        for number, picture in enumerate(pictures, 1):
            one, other = residual(picture), residual(pooled(picture))
            fine, coarse = (one, other) if number == 1 else (fine + one, coarse + other)
            if number <= _ALONG_MOTION:
                first.append(picture)
        return cls(fine, coarse, number, first)

    def evidence(self, key: bytes) -> tuple[Floats, Floats]:
        """Return the evidence for each code bit on the fine and on the coarse grid."""
        return gather(flattened(self.fine), key), gather(flattened(self.coarse), key)

    def evidence_along_motion(self, key: bytes, cancel: threading.Event | None) -> Iterator[Floats]:
        """Yield the evidence once more on both grids, with the content predicted along its motion and removed."""
        fine, coarse = np.zeros_like(self.fine), np.zeros_like(self.coarse)
        for frame in unpredicted(self.first):
            if cancel is not None and cancel.is_set():
                raise Cancelled(_CANCELLED, code="Cancelled")
            fine += residual(frame)
            coarse += residual(pooled(frame))
        for still, moving in zip(self.evidence(key), (fine, coarse), strict=True):
            along = gather(flattened(moving), key)
            yield still / (still.std() + np.float32(1e-9)) + 2 * along / (along.std() + np.float32(1e-9))


def _read(evidence: Floats, pictures: int) -> Extracted:
    for payload in PAYLOADS:
        count = payload + CHECK_BITS
        for bits, word in decode(evidence, count):
            message = to_message(bits)
            if message is not None:
                agreed = evidence * (1 - 2 * word)
                wrong = float((agreed < 0).mean())
                margin = _margin_db(agreed, count)
                return Extracted(message=message, margin_db=margin, bit_error=wrong, pictures=pictures)
    return Extracted(message=None, pictures=pictures)


def _margin_db(agreed: Floats, count: int) -> float:
    """Return the margin of evidence whose right sign is positive, for a message of `count` bits."""
    signal, noise = max(float(agreed.mean()), 1e-9) ** 2, max(float(agreed.var()), 1e-18)
    return 10 * math.log10(signal / noise * LENGTH / (2 * count)) - NEEDED_DB


def _size(program: Path, path: Path) -> tuple[int, int]:
    """Return the size of the frames as they leave the decoder, rotated as the file says."""
    with _decoded(program, path, "setsar=1,format=gray", 1) as (width, height, _):
        return width, height


def _pictures(
    program: Path, path: Path, cells: tuple[int, int], *, limit: int, cancel: threading.Event | None
) -> Iterator[Floats]:
    """Yield frames scaled to the grid of `cells` across and down: float32 `[down, across]`, in 8-bit levels."""
    across, down = cells
    # 16 bits: rounding to 8 would hide the rest of the watermark in calm areas.
    # in_range = out_range: stretching 16..235 to 0..255 would cut off half of the watermark in black and white.
    scaled = f"scale={across}:{down}:flags=area:in_range=full:out_range=full"
    chosen = f"select='lt(n,{_ALL})+not(mod(n,{_EVERY}))',{scaled},format=gray16le,setsar=1"
    with _decoded(program, path, chosen, limit) as (_, _, stream):
        while stream.readline().startswith(b"FRAME"):
            if cancel is not None and cancel.is_set():
                raise Cancelled(_CANCELLED, code="Cancelled")
            data = stream.read(2 * across * down)
            if len(data) == 2 * across * down:  # the last may be cut off
                yield np.frombuffer(data, "<u2").reshape(down, across).astype(np.float32) / np.float32(257)


@contextmanager
def _decoded(program: Path, path: Path, filters: str, limit: int) -> Iterator[tuple[int, int, IO[bytes]]]:
    """Run FFmpeg over a file's frames; yield width, height, and the Y4M stream after its first line.

    FFmpeg is ended on leaving.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    command: list[str | Path] = [
        program, "-hide_banner", "-nostdin", "-v", "error", *media_input(path),
        "-map", f"0:{video_index(path)}", "-vf", filters, "-fps_mode", "passthrough", "-frames:v", str(limit),
        "-strict", "-1", "-f", "yuv4mpegpipe", "pipe:1",
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile() as log,  # a file, because a pipe that nobody reads fills up and stops FFmpeg
        subprocess.Popen(  # noqa: S603 - no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment()
        ) as process,
    ):
        try:
            stream: IO[bytes] = process.stdout  # type: ignore[assignment]  # it was asked for
            header = stream.readline().split()
            if len(header) < 3:
                wait_for_end(process)
                log.seek(0)
                raise no_video(path, log.read().decode("utf-8", "replace").strip())
            yield int(header[1][1:]), int(header[2][1:]), stream
        finally:
            process.kill()
