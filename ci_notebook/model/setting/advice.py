"""Advice on valid but probably unintended settings, each with a remedy that can be applied.

Rules (`rules.py`) refuse a setting; advice never does. For example, the API page documents no rule
between HDR and the codec, but few players show HDR in H.264 or with 8 bits correctly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import FORMATS
from ci_notebook.model.setting.transcode import Audio, Transcode, Video


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice on a path below `VideoEnhance`. `fix` is as in `ParameterError`."""

    path: str
    text: str
    fix: Mapping[str, object] = field(default_factory=dict)


def advice(setting: VideoEnhance) -> list[Advice]:
    """Return advice on a setting. Empty when there is none.

    >>> from ci_notebook.model.setting.enhance import SDRtoHDR
    >>> advice(VideoEnhance(sdr_to_hdr=SDRtoHDR(hdr_mode="HDR10")))[0].fix["Transcode.Video.Codec"]
    'H.265'
    """
    return [one for check in CHECKS for one in check(setting)]


def _hdr(setting: VideoEnhance) -> Iterator[Advice]:
    if setting.sdr_to_hdr is None:
        return
    transcode = setting.transcode or Transcode()
    video, config = transcode.video or Video(), transcode.trans_config
    ten_bits = {"Transcode.Video.Pixfmt": "yuv420p10le"}
    if video.codec not in ("H.265", "AV1"):
        yield Advice("SDRtoHDR.HdrMode", "HDR needs H.265: few players show it in other codecs.", {
            **({} if _allows_h265(transcode) else {"Transcode.Container.Format": "mp4"}),
            "Transcode.Video.Codec": "H.265", **ten_bits,
            **({"Transcode.Video.Profile": None} if video.profile else {}),
            **({"Transcode.Audio": Audio()} if setting.transcode is None else {}),
        })  # fmt: skip
    elif video.codec == "H.265" and video.pixfmt not in (None, "auto", "yuv420p10le"):
        yield Advice("Transcode.Video.Pixfmt", "HDR needs 10 bits per sample; this pixel format has 8.", ten_bits)
    if config and config.is_hdr2_sdr:
        path = "Transcode.TransConfig.IsHdr2Sdr"
        yield Advice(path, "SDRtoHDR is on as well: the two cancel each other.", {path: None})


def _encoding(setting: VideoEnhance) -> Iterator[Advice]:
    transcode = setting.transcode
    video = transcode.video if transcode else None
    if transcode is None or video is None:
        return
    if video.crf is not None and video.bitrate is not None:
        path = "Transcode.Video.Bitrate"
        yield Advice(path, "Bitrate is ignored while Crf is set.", {path: None})
    if setting.super_resolution is not None and (video.width or video.height):
        yield Advice("SuperResolution.Resolution", "Width and Height override the size from SuperResolution.", {
            "Transcode.Video.Width": None, "Transcode.Video.Height": None,
        })  # fmt: skip
    if setting.frame_enhance is not None and setting.frame_enhance.frame_doubling and video.fps is not None:
        text = f"Fps is {video.fps:g}: after doubling, only that many frames per second are kept."
        yield Advice("FrameEnhance.FrameDoubling", text, {"Transcode.Video.Fps": None})
    if video.pixfmt == "yuv420p10le" and video.codec != "H.265":
        fix = {"Transcode.Video.Codec": "H.265"} if _allows_h265(transcode) else {"Transcode.Video.Pixfmt": None}
        yield Advice("Transcode.Video.Pixfmt", "10-bit pixel formats are for H.265.", fix)


def _stages(setting: VideoEnhance) -> Iterator[Advice]:
    motion = setting.frame_enhance
    if motion is not None and motion.frame_doubling is None:
        path = "FrameEnhance.FrameDoubling"
        yield Advice(path, "The API does not document what happens when this is left out.", {path: True})


def _allows_h265(transcode: Transcode) -> bool:
    container = transcode.container.format if transcode.container else None
    return container in FORMATS and "H.265" in FORMATS[container][0]


CHECKS: Final[tuple[Callable[[VideoEnhance], Iterator[Advice]], ...]] = (_hdr, _encoding, _stages)
