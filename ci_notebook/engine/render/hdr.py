"""HDR in and out: ten bits, color tags, and for HDR10 the metadata of the display and its light levels.

An HDR source stays HDR in ten bits, with its metadata, unless IsHdr2Sdr makes it SDR.

Decision: H.264 is not refused. The service's own page combines HDR10 with Codec H.264, and High 10 holds
tags, mastering display and content light level. But few players and no browser show High 10; use H.265
for broad support. For SDRtoHDR, codecs and profiles that cannot hold ten bits (VP8; baseline, main and
high) are refused by name. So is VP9, whose encoder accepts no light levels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media import color_tags
from ci_notebook.media.probe import first_video
from ci_notebook.media.streams.light import Light, MasteringDisplay
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Video

if TYPE_CHECKING:  # it needs numpy, which a thin client installs without
    from ci_notebook.engine.render.analysis import Analysis

TRANSFERS = {"HDR10": "smpte2084", "HLG": "arib-std-b67"}
PIXEL_FORMAT = "yuv420p10le"
CODECS: Final = ("H.264", "H.265", "AV1")  # whose encoders accept light levels

# The mastering display in the metadata of our HDR10: P3 primaries, D65, 0.0001 to 1000 cd/m².
_DISPLAY: Final = MasteringDisplay((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329), 0.0001, 1000.0)
_KNOWN_PEAK: Final = 1.18  # times diffuse white: what an encoder at crf 28 adds to pictures that end at white
_NO_METADATA: Final = tuple(
    f"sidedata=mode=delete:type={kind}" for kind in ("CONTENT_LIGHT_LEVEL", "MASTERING_DISPLAY_METADATA")
)


def mode_of(setting: VideoEnhance) -> str | None:
    """Return HDR10 or HLG, or None when the output is not converted to HDR."""
    return (setting.sdr_to_hdr.hdr_mode or "HDR10") if setting.sdr_to_hdr is not None else None


def is_hdr(source: MediaInfo) -> bool:
    """Return whether the source is HDR10 or HLG."""
    return color_tags.is_hdr(first_video(source).color_transfer)


def converts_to_sdr(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Return whether HDR is converted to SDR, before all other stages."""
    config = setting.transcode.trans_config if setting.transcode else None
    return bool(config and config.is_hdr2_sdr and is_hdr(source))


def keeps_hdr(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Return whether the source is HDR and the output is so too."""
    return is_hdr(source) and not converts_to_sdr(setting, source)


def holds_ten_bits(setting: VideoEnhance) -> bool:
    """Return whether the codec and the profile of a setting can hold ten bits."""
    transcode = setting.transcode
    video = (transcode.video if transcode else None) or Video()
    is_webm = transcode is not None and transcode.container is not None and transcode.container.format == "WebM"
    codec = video.codec or ("VP8" if is_webm else "H.264")
    return codec != "VP8" and (codec != "H.264" or video.profile in (None, "auto"))


def light_of(source: MediaInfo, analysis: Analysis) -> Light:
    """Return the coding and the light of an HDR source. Without a look at its frames its tags say the coding."""
    if analysis.light is not None:
        return analysis.light
    video = first_video(source)
    return Light(color_tags.HdrCoding.of(video.color_transfer, primaries=video.color_primaries))


def coding_of(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> color_tags.HdrCoding | None:
    """Return the coding of the frames in the stages; None where they are SDR."""
    return light_of(source, analysis).coding if keeps_hdr(setting, source) else None


def picture_filter(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> str:
    """Return the filter that codes an R'G'B' picture in BT.709 like the frames in the stages.

    It is empty where only the matrix counts: for SDR in usual primaries. White becomes diffuse white.
    """
    coding, video = coding_of(setting, source, analysis), first_video(source)
    if coding is not None:
        return color_tags.sdr_rgb_to_hdr(coding, primaries=color_tags.SDR)
    if not converts_to_sdr(setting, source) and color_tags.is_wide(video.color_transfer, video.color_primaries):
        return color_tags.picture_to_wide(matrix=analysis.matrix, primaries=video.color_primaries)
    return ""


def to_sdr(light: Light) -> list[str]:
    """Return the filters that make SDR: the exact inverse of SDRtoHDR where no light is above white, else a curve.

    The result has ten bits.
    """
    most = color_tags.DIFFUSE_WHITE * (1.0 if light.max_cll else _KNOWN_PEAK)
    if light.brightest <= most:
        return [color_tags.hdr_to_sdr(light.coding), f"format={PIXEL_FORMAT}"]
    return color_tags.tone_mapped(light.coding, light.brightest)


def output_light(setting: VideoEnhance, source: MediaInfo, analysis: Analysis, *, is_changed: bool) -> Light | None:
    """Return the light in the metadata of the output; None where it has none.

    `is_changed` says that stages or watermarks change the frames. They make nothing brighter than diffuse
    white or than it was. How bright a frame is on average was measured where a stage changes it.
    """
    white = color_tags.DIFFUSE_WHITE
    if mode_of(setting) == "HDR10":
        return Light(color_tags.HdrCoding(TRANSFERS["HDR10"]), white, white, _DISPLAY)
    if not keeps_hdr(setting, source):
        return None
    light = light_of(source, analysis)
    if light.coding.transfer != TRANSFERS["HDR10"]:
        return None
    if not is_changed:
        return light
    return replace(
        light, max_cll=light.max_cll and max(light.max_cll, white), max_fall=light.made_fall or light.max_fall
    )


def without_metadata(setting: VideoEnhance, source: MediaInfo, codec: str) -> tuple[str, ...]:
    """Return the filters that remove the source's metadata of light from the frames.

    The encoder gets the output's own. Only that of VP9 takes none, and keeps what the frames have.
    """
    is_kept = codec not in CODECS and keeps_hdr(setting, source)
    return () if is_kept or not (is_hdr(source) or setting.sdr_to_hdr) else _NO_METADATA


def tags(setting: VideoEnhance) -> list[str]:
    """Return FFmpeg's arguments that tag the coding of light and color."""
    mode = mode_of(setting)
    if mode is None:
        return []
    return [
        "-color_primaries", color_tags.HDR_PRIMARIES, "-color_trc", TRANSFERS[mode],
        "-colorspace", color_tags.HDR_MATRIX, "-color_range", "tv",
    ]  # fmt: skip


def params(codec: str, light: Light | None) -> tuple[str, ...]:
    """Return the encoder's own parameters for the metadata of light: none where there is none."""
    if light is None or codec not in CODECS:
        return ()
    found = []
    levels = f"{light.max_cll or 0},{light.max_fall or 0}" if light.max_cll or light.max_fall else ""
    if light.display:
        name = "master-display" if codec == "H.265" else "mastering-display"
        found.append(f"{name}={_display_text(light.display, is_plain=codec == 'AV1')}")
    if levels:
        found.append({"H.264": "cll", "H.265": "max-cll", "AV1": "content-light"}[codec] + f"={levels}")
    return (*(("hdr10=1", "hdr10-opt=1") if codec == "H.265" else ()), *found)


def _display_text(display: MasteringDisplay, *, is_plain: bool) -> str:
    """H.264 and H.265 count colors in 1/50000 and light in 1/10000 cd/m²; SVT-AV1 takes plain numbers."""
    color, light = (1.0, 1.0) if is_plain else (50000.0, 10000.0)

    def number(value: float, unit: float) -> str:
        return f"{value:g}" if is_plain else str(round(value * unit))

    points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
    text = "".join(f"{name}({number(x, color)},{number(y, color)})" for name, (x, y) in points)
    return f"{text}L({number(display.lightest, light)},{number(display.darkest, light)})"


def refuse_hdr_source(setting: VideoEnhance, source: MediaInfo) -> None:
    """Raise `RequestRefused` where SDRtoHDR is asked for a source that is HDR already."""
    mode = mode_of(setting)
    if mode is not None and is_hdr(source):
        raise RequestRefused(f"VideoEnhance.SDRtoHDR.HdrMode {mode}: the source is HDR already. Leave SDRtoHDR out.")


def refuse_eight_bits(setting: VideoEnhance, codec: str) -> None:
    """Raise `RequestRefused` naming the leaf that, together with SDRtoHDR, cannot hold ten bits."""
    if setting.sdr_to_hdr is None:
        return
    video = (setting.transcode.video if setting.transcode else None) or Video()
    if codec not in CODECS:
        raise _refusal("Codec", codec, "Use H.265, H.264 or AV1.")
    if video.profile not in (None, "auto"):
        raise _refusal("Profile", video.profile, "Set it to auto, or leave it out, to get High 10.")
    if video.pixfmt not in (None, "auto", PIXEL_FORMAT):
        raise _refusal("Pixfmt", video.pixfmt, f"Leave it out, to get {PIXEL_FORMAT}.")


def _refusal(leaf: str, value: str, remedy: str) -> RequestRefused:
    return RequestRefused(
        f"VideoEnhance.Transcode.Video.{leaf} {value} cannot hold the ten bits that SDRtoHDR makes. {remedy}"
    )
