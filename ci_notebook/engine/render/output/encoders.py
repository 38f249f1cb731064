"""From Transcode to FFmpeg's encoders and containers: pure tables, and the few rules between them.

Decision: without Transcode the output is mp4 with H.264 at crf 18 and preset veryfast, and aac, so that
encoding hardly changes the enhanced picture. On four clips that is as close to the input as crf 20 at
preset medium (VMAF-NEG and SSIM within 0.1), in half the time and with a fifth more bytes. A Video
without Crf and Bitrate gets crf 25, as documented.

Invariant: the same job gives the same bytes on machines with few and with many cores. Thread counts that
change an encoder's bytes are fixed (`THREADS`); `threads`, which may differ per job, changes none.
"""

from __future__ import annotations

from dataclasses import dataclass

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.interval import is_cut
from ci_notebook.engine.render.output.segments import key_frames
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media.probe import first_video
from ci_notebook.media.streams.frame_times import Timeline
from ci_notebook.media.streams.light import Light
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import Size
from ci_notebook.model.setting.transcode import Audio, AudioMix, Container, Transcode, Video

DEFAULT = Transcode(
    container=Container(format="mp4"), video=Video(codec="H.264", crf=18, preset="veryfast"), audio=Audio(codec="aac")
)
# Encoder → number of threads. x264's bytes depend on it, libvpx's on whether there is more than one;
# x265 and SVT-AV1 give the same bytes with any number. On two cores, six threads cost x264 no more CPU
# than two.
THREADS = {"H.264": 6, "VP8": 4, "VP9": 4}

# Container → file extension, FFmpeg's muxer.
MUXERS = {
    "mp4": ("mp4", "mp4"), "mkv": ("mkv", "matroska"), "mov": ("mov", "mov"), "flv": ("flv", "flv"),
    "ts": ("ts", "mpegts"), "avi": ("avi", "avi"), "WebM": ("webm", "webm"), "mp3": ("mp3", "mp3"),
    "aac": ("aac", "adts"), "adts": ("adts", "adts"), "m4a": ("m4a", "ipod"), "flac": ("flac", "flac"),
    "wav": ("wav", "wav"), "amr": ("amr", "amr"),
    "hls": ("ts", "mpegts"), "dash": ("mp4", "mp4"),  # encoded as one file, then cut
}  # fmt: skip
CHAPTERED = frozenset({"mp4", "mov", "mkv", "m4a"})  # dash and hls are cut from files whose tracks are all segmented
CONSTANT_RATE = frozenset({"avi"})  # counts frames, and stores no times
AUDIO_ONLY = {
    "mp3": "mp3", "aac": "aac", "adts": "aac", "m4a": "aac", "flac": "flac", "wav": "pcm_s16le", "amr": "amr",
}  # fmt: skip
VIDEO_ENCODERS = {"H.264": "libx264", "H.265": "libx265", "VP8": "libvpx", "VP9": "libvpx-vp9", "AV1": "libsvtav1"}
AUDIO_ENCODERS = {
    "aac": "aac", "mp3": "libmp3lame", "flac": "flac", "amr": "libopencore_amrnb", "Vorbis": "libvorbis",
    "opus": "libopus", "pcm_s16le": "pcm_s16le",
}  # fmt: skip
# Sizes that the encoders take, in px: least side, largest width, largest height. All were tried.
_SIZES = {
    "H.264": (2, 16384, 16384), "H.265": (16, 16384, 16384), "VP8": (2, 16382, 16382), "VP9": (2, 16384, 16384),
    "AV1": (8, 16384, 8704),
}  # fmt: skip
_LONG, _LEAST_LONG = 4096, 32  # px; next to a side over the first, H.265 needs the second at least
_VIDEO, _AUDIO = "VideoEnhance.Transcode.Video", "VideoEnhance.Transcode.Audio"


def transcode_of(setting: VideoEnhance) -> Transcode:
    """Return the effective encoding."""
    return setting.transcode or DEFAULT


def container_of(setting: VideoEnhance) -> str:
    """Return the effective container."""
    container = transcode_of(setting).container
    return (container.format if container else None) or "mp4"


def extension(setting: VideoEnhance) -> str:
    """Return the extension of the encoded file, without a dot; hls and dash are cut after that."""
    return MUXERS[container_of(setting)][0]


def video_codec(setting: VideoEnhance) -> str | None:
    """Return the API's name of the effective video codec, or None when the output has no video."""
    video = transcode_of(setting).video
    if video is None or video.remove or container_of(setting) in AUDIO_ONLY:
        return None
    return video.codec or ("VP8" if container_of(setting) == "WebM" else "H.264")


def mixes_of(setting: VideoEnhance) -> tuple[AudioMix, ...]:
    """Return the audio to be mixed in; none where the audio is dropped."""
    transcode = transcode_of(setting)
    if transcode.audio is None or transcode.audio.remove:
        return ()
    return ((transcode.audio_mix,) if transcode.audio_mix else ()) + transcode.audio_mix_array


def audio_codec(setting: VideoEnhance, source: MediaInfo) -> str | None:
    """Return the API's name of the effective audio codec, or None when the output has no audio."""
    audio = transcode_of(setting).audio
    if audio is None or audio.remove or not ((source.stream and source.stream.audio) or mixes_of(setting)):
        return None
    only = AUDIO_ONLY.get(container_of(setting))
    return audio.codec or only or ("Vorbis" if container_of(setting) == "WebM" else "aac")


def keeps_times(setting: VideoEnhance, timeline: Timeline | None) -> bool:
    """Return whether the output has a variable frame rate: the source's, where no Fps is set and the format allows."""
    if video_codec(setting) is None or timeline is None or container_of(setting) in CONSTANT_RATE:
        return False
    video = transcode_of(setting).video
    return not (video and video.fps) and not timeline.is_constant


def keeps_chapters(setting: VideoEnhance) -> bool:
    """Return whether the output has the source's chapters: whole sources only, in formats that can hold them."""
    return container_of(setting) in CHAPTERED and not is_cut(setting)


def video_arguments(
    setting: VideoEnhance, source: MediaInfo, threads: int | None = None, light: Light | None = None
) -> list[str]:
    """Return FFmpeg's arguments for the video encoder; `threads` applies where it changes no byte.

    `light` is the light in the metadata of the output.
    """
    codec = video_codec(setting)
    video = transcode_of(setting).video
    if codec is None or video is None:
        return ["-vn"]
    arguments = [
        "-c:v",
        VIDEO_ENCODERS[codec],
        *_CODECS[codec](video, _Coding(setting, source, light, threads)),
        *hdr.tags(setting),
    ]
    if codec in THREADS:
        arguments += ["-threads", str(THREADS[codec])]
    if video.gop is not None:
        arguments += ["-g", str(video.gop)]
    arguments += key_frames(setting)
    return arguments + _quality(codec, video, setting, source)


def refuse_size(setting: VideoEnhance, size: Size) -> None:
    """Raise `RequestRefused` for an output whose size its codec cannot hold."""
    codec = video_codec(setting)
    if codec is None:
        return
    least, *most = _SIZES[codec]
    if codec == "H.265" and max(size.width, size.height) > _LONG:
        least = _LEAST_LONG
    if size.short >= least and size.width <= most[0] and size.height <= most[1]:
        return
    raise RequestRefused(
        f"{_VIDEO}.Codec {codec} needs sides of {least} px or more, at most {most[0]}x{most[1]}, and the output would "
        f"have {size.width}x{size.height}. Choose another codec, such as H.264, or set Width and Height."
    )


def audio_arguments(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    """Return FFmpeg's arguments for the audio encoder."""
    codec = audio_codec(setting, source)
    audio = transcode_of(setting).audio
    if codec is None or audio is None:
        return ["-an"]
    arguments = ["-c:a", AUDIO_ENCODERS[codec]]
    rate = audio.samplerate or {"opus": 48000, "amr": 8000}.get(codec, 44100)
    arguments += ["-ar", str(rate)]
    channels = audio.channels or encoder_channels(codec, source)
    if channels:
        arguments += ["-ac", str(channels)]
    bitrate = _audio_bitrate(audio, setting, source)
    if bitrate:
        arguments += ["-b:a", f"{bitrate}k"]
    if audio.sample_format and video_codec(setting) != "H.265":  # documented: no effect with H.265
        # FLAC and AMR accept interleaved samples only; planar ones are the same numbers in another order.
        plain = audio.sample_format.removesuffix("p") if codec in ("flac", "amr") else audio.sample_format
        arguments += ["-sample_fmt", plain]
    return arguments


def encoder_channels(codec: str, source: MediaInfo) -> int | None:
    """Return the channels that the sound gets where no Channels are set; None for those of the source."""
    if codec == "amr":
        return 1
    # The maximum of these encoders.
    return 2 if codec == "Vorbis" or (codec in ("opus", "mp3") and source_channels(source) > 2) else None


def source_channels(source: MediaInfo) -> int:
    """Return the most channels that a sound track of the source has; 0 without sound."""
    return max((one.channel or 0 for one in source.stream.audio), default=0) if source.stream else 0


def container_arguments(setting: VideoEnhance) -> list[str]:
    """Return FFmpeg's arguments for the container."""
    kind = container_of(setting)
    config = transcode_of(setting).trans_config
    arguments = ["-map_metadata", "-1"] if config and config.delete_metadata else []
    arguments += ["-fflags", "+bitexact"]  # the same job gives the same bytes
    if kind in ("mp4", "mov", "m4a"):
        arguments += ["-movflags", "+faststart"]
    if kind in ("mp4", "mov") and video_codec(setting) == "H.265":
        arguments += ["-tag:v", "hvc1"]  # Apple's players need it
    return [*arguments, "-f", MUXERS[kind][1]]


@dataclass(frozen=True, slots=True)
class _Coding:
    """What an encoder's arguments depend on, besides Video."""

    setting: VideoEnhance
    source: MediaInfo
    light: Light | None
    threads: int | None

    @property
    def is_hdr(self) -> bool:
        return self.setting.sdr_to_hdr is not None or hdr.keeps_hdr(self.setting, self.source)


def _h264(video: Video, coding: _Coding) -> list[str]:
    arguments = ["-preset", str(video.preset or "medium")]
    profile = _h264_profile(video, is_hdr=coding.is_hdr)
    if profile != "auto":
        arguments += ["-profile:v", profile]
    if (video.pixfmt or "").startswith("yuvj"):
        arguments += ["-color_range", "pc"]
    params = list(hdr.params("H.264", coding.light))
    if video.interlaced:
        params.append("tff=1")
    arguments += ["-flags:v", "+ilme+ildct+bitexact" if video.interlaced else "+bitexact"]
    return [*arguments, "-x264-params", ":".join(params)] if params else arguments


def _h264_profile(video: Video, *, is_hdr: bool) -> str:
    if video.pixfmt == "auto" or (is_hdr and video.pixfmt is None and video.profile is None):
        return "auto"  # the first is documented, the second means High 10
    if (video.pixfmt or "yuv420p") in ("yuv420p", "yuvj420p"):
        return video.profile or "high"
    if video.profile not in (None, "auto"):
        raise RequestRefused(
            f"{_VIDEO}.Profile {video.profile} supports only 4:2:0 with eight bits, and Pixfmt is {video.pixfmt}. "
            "Set Profile to auto, or leave it out."
        )
    return "auto"


def _h265(_: Video, coding: _Coding) -> list[str]:
    # No preset is documented for H.265. fast takes a third of medium's time.
    params = ["log-level=error", "info=0", "frame-threads=2", *((f"pools={coding.threads}",) if coding.threads else ())]
    arguments = ["-preset", "fast"]
    if coding.setting.sdr_to_hdr is not None:
        arguments += ["-profile:v", "main10"]
    if coding.is_hdr:
        params += ["repeat-headers=1", *hdr.params("H.265", coding.light)]
    return [*arguments, "-x265-params", ":".join(params)]


def _vp8(video: Video, _: _Coding) -> list[str]:
    realtime = video.preset == "realtime"
    return ["-deadline", "realtime" if realtime else "good", "-cpu-used", "6" if realtime else "4"]


def _vp9(_: Video, __: _Coding) -> list[str]:
    return ["-deadline", "good", "-cpu-used", "4", "-row-mt", "1"]


def _av1(video: Video, coding: _Coding) -> list[str]:
    params = (*hdr.params("AV1", coding.light), *((f"lp={coding.threads}",) if coding.threads else ()))
    return ["-preset", str(video.preset or 5), *(("-svtav1-params", ":".join(params)) if params else ())]


_CODECS = {"H.264": _h264, "H.265": _h265, "VP8": _vp8, "VP9": _vp9, "AV1": _av1}


def _quality(codec: str, video: Video, setting: VideoEnhance, source: MediaInfo) -> list[str]:
    arguments = []
    bitrate = None if video.crf is not None else _video_bitrate(video, setting, source)
    if bitrate:
        arguments += ["-b:v", f"{bitrate}k"]
    else:
        crf = 25 if video.crf is None else video.crf
        # Under 1, x264 switches to lossless coding, which the profile of players does not have.
        least = 1 if codec == "H.264" else 0
        arguments += ["-crf", f"{max(least, crf):g}" if codec in ("H.264", "H.265") else str(max(1, round(crf)))]
        if codec == "VP8":
            arguments += ["-b:v", "50M"]  # libvpx treats crf as a floor below a bit rate, which is 256k by default
        if codec == "VP9":
            arguments += ["-b:v", "0"]
    if video.maxrate or video.bufsize:
        peak = video.maxrate or bitrate
        if peak is None:
            raise RequestRefused(
                f"{_VIDEO}.Bufsize {video.bufsize} needs Maxrate or Bitrate too. Set one of them, or leave Bufsize out."
            )
        arguments += ["-maxrate", f"{peak}k", "-bufsize", f"{video.bufsize or 2 * peak}k"]
    return arguments


def _video_bitrate(video: Video, setting: VideoEnhance, source: MediaInfo) -> int | None:
    """Return kbps, or None for constant quality: without Bitrate, and for `auto`, which depends on the content."""
    requested = video.bitrate if isinstance(video.bitrate, int) else None
    config, own = transcode_of(setting).trans_config, first_video(source).bitrate
    if requested and config and config.is_check_video_bitrate and own and requested > own:
        return _source_bitrate(
            f"{_VIDEO}.Bitrate", requested, own, config.video_bitrate_adj_method, "VideoBitrateAdjMethod"
        )
    return requested


def _audio_bitrate(audio: Audio, setting: VideoEnhance, source: MediaInfo) -> int | None:
    config = transcode_of(setting).trans_config
    own = source.stream.audio[0].bitrate if source.stream and source.stream.audio else None
    if audio.bitrate and config and config.is_check_audio_bitrate and own and audio.bitrate > own:
        method = config.audio_bitrate_adj_method
        return _source_bitrate(f"{_AUDIO}.Bitrate", audio.bitrate, own, method, "AudioBitrateAdjMethod")
    return audio.bitrate


def _source_bitrate(leaf: str, requested: int, own: float, method: int | None, name: str) -> int:
    if method == 1:
        raise RequestRefused(
            f"{leaf} {requested} kbps is over the source's {own:g} kbps. "
            f"Lower it, or set VideoEnhance.Transcode.TransConfig.{name} to 0 to keep the source's."
        )
    return max(1, round(own))
