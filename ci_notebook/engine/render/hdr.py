"""How SDRtoHDR is coded: ten bits, BT.2020, and for HDR10 the metadata of the display and its light levels.

Decision: H.264 is not refused. The service's own page combines HDR10 with Codec H.264, and High 10 holds
tags, mastering display and content light level. But few players and no browser show High 10; use H.265
for broad support. Codecs and profiles that cannot hold ten bits (VP8; baseline, main and high) are
refused by name. So is VP9, whose encoder accepts no light levels.
"""

from __future__ import annotations

from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media import color_tags
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Video

TRANSFERS = {"HDR10": "smpte2084", "HLG": "arib-std-b67"}
PIXEL_FORMAT = "yuv420p10le"

# The mastering display in HDR10's metadata: P3 primaries, D65, 0.0001 to 1000 cd/m². H.264 and
# H.265 count colors in 1/50000 and light in 1/10000 cd/m²; SVT-AV1 takes plain numbers.
_DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
_DISPLAY_PLAIN = "G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.0001)"
_LIGHT = f"{color_tags.DIFFUSE_WHITE},{color_tags.DIFFUSE_WHITE}"  # our output never exceeds diffuse white
PARAMS = {
    "H.264": (f"mastering-display={_DISPLAY}", f"cll={_LIGHT}"),
    "H.265": ("hdr10=1", "hdr10-opt=1", f"max-cll={_LIGHT}", f"master-display={_DISPLAY}"),
    "AV1": (f"mastering-display={_DISPLAY_PLAIN}", f"content-light={_LIGHT}"),
}


def mode_of(setting: VideoEnhance) -> str | None:
    """Return HDR10 or HLG, or None when the output is not converted to HDR."""
    return (setting.sdr_to_hdr.hdr_mode or "HDR10") if setting.sdr_to_hdr is not None else None


def tags(setting: VideoEnhance) -> list[str]:
    """Return FFmpeg's arguments that tag the coding of light and color."""
    mode = mode_of(setting)
    if mode is None:
        return []
    return [
        "-color_primaries", color_tags.HDR_PRIMARIES, "-color_trc", TRANSFERS[mode],
        "-colorspace", color_tags.HDR_MATRIX, "-color_range", "tv",
    ]  # fmt: skip


def params(codec: str, setting: VideoEnhance) -> tuple[str, ...]:
    """Return the encoder's own parameters for HDR10's metadata; HLG has none."""
    return PARAMS[codec] if mode_of(setting) == "HDR10" else ()


def refuse_eight_bits(setting: VideoEnhance, codec: str) -> None:
    """Raise `RequestRefused` naming the leaf that, together with SDRtoHDR, cannot hold ten bits."""
    if setting.sdr_to_hdr is None:
        return
    video = (setting.transcode.video if setting.transcode else None) or Video()
    if codec not in PARAMS:
        raise _refusal("Codec", codec, "Use H.265, H.264 or AV1.")
    if video.profile not in (None, "auto"):
        raise _refusal("Profile", video.profile, "Set it to auto, or leave it out, to get High 10.")
    if video.pixfmt not in (None, "auto", PIXEL_FORMAT):
        raise _refusal("Pixfmt", video.pixfmt, f"Leave it out, to get {PIXEL_FORMAT}.")


def _refusal(leaf: str, value: str, remedy: str) -> RequestRefused:
    return RequestRefused(
        f"VideoEnhance.Transcode.Video.{leaf} {value} cannot hold the ten bits that SDRtoHDR makes. {remedy}"
    )
