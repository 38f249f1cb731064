"""DigitalWatermark in a job: embedded as the last change of the luma, then read back from the finished file.

It is embedded over the visible watermarks, in the output's own size, depth and range, where only encoding
follows. A watermark that cannot be read back is embedded once more and more strongly. With IgnoreError a
watermark that stays unreadable is reported instead of failing the job.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.digital_watermark.pattern import amplitude, extract, pattern, psnr
from ci_notebook.engine.render.digital_watermark.strength import Strength, middle, needed_strength
from ci_notebook.engine.render.graph import pixel_format
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media.probe import first_video
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import Size, length_s
from ci_notebook.model.setting.watermark import DigitalWatermark

STRONGER: Final = 1.5  # the second attempt's amplitude, as a multiple of the full one: 3.5 dB


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalWatermarkResult:
    """Result of embedding: `margin_db` is the margin when it was read back, None if it could not be read.

    `psnr_db` is the luma PSNR after embedding, before encoding.
    """

    message: str
    margin_db: float | None
    psnr_db: float

    def __str__(self) -> str:
        if self.margin_db is None:
            return "DigitalWatermark was embedded but cannot be read back from the output"
        return (
            f"DigitalWatermark was read back from the output with a margin of {self.margin_db:.1f} dB, "
            f"at a luma PSNR of {self.psnr_db:.1f} dB before encoding"
        )


def strengths(
    watermark: DigitalWatermark, setting: VideoEnhance, source: MediaInfo, size: Size, path: Path, *,
    cancel: threading.Event | None = None,
) -> Iterator[Strength]:  # fmt: skip
    """Yield the strengths to try, the weakest first; `path` is the source, of which two seconds are measured."""
    message = watermark.message or ""
    full = amplitude(size.width, size.height, message, transfer=_transfer(setting, source))
    interval = setting.transcode.time_interval if setting.transcode else None
    stretch = middle((interval.start if interval else None) or 0.0, length_s(setting, source))
    first = needed_strength(path, message, size, full, stretch=stretch, cancel=cancel)
    yield first
    yield Strength(STRONGER * full, coarse=first.coarse)


def write_pattern(
    watermark: DigitalWatermark, setting: VideoEnhance, source: MediaInfo, size: Size, path: Path, *, strength: Strength
) -> Path:
    """Write the pattern that embeds the text in an output of this setting and size; return its path."""
    kind = pixel_format(setting, source)
    video = setting.transcode.video if setting.transcode else None
    full = bool(video and (video.pixfmt or "").startswith("yuvj"))
    deep = kind.endswith("10le")
    data = pattern(
        watermark.message or "", size.width, size.height, amplitude=strength.level, coarse=strength.coarse,
        ten_bits=deep, full_range=full,
    )  # fmt: skip
    path.write_bytes(data)
    return path


def read_back(
    path: Path, watermark: DigitalWatermark, strength: Strength, cancel: threading.Event | None
) -> DigitalWatermarkResult:
    """Read the text from a finished file."""
    extracted = extract(path, cancel=cancel)
    margin = extracted.margin_db if extracted.message == watermark.message else None
    return DigitalWatermarkResult(message=watermark.message or "", margin_db=margin, psnr_db=psnr(strength.level))


def unreadable_error(watermark: DigitalWatermark, size: Size) -> RequestRefused:
    """Return the error for a text that cannot be read from the encoded output."""
    return RequestRefused(
        f"DigitalWatermark.Message {watermark.message} could not be read back from the output of "
        f"{size.width}x{size.height} px, even when embedded more strongly: the clip is too short, too small "
        "(480x270 px are enough) or too strongly compressed. Shorten the message, lower "
        "VideoEnhance.Transcode.Video.Crf or raise Bitrate, or set DigitalWatermark.IgnoreError to true.",
        code="ResourceNotSupported",
    )


def _transfer(setting: VideoEnhance, source: MediaInfo) -> str:
    mode = hdr.mode_of(setting)
    return hdr.TRANSFERS[mode] if mode else first_video(source).color_transfer or ""
