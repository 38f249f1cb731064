"""Encoding of the output: container, video, audio, and the extras of transcode templates."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Node, Param

Samplerate = Literal[8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000]


class ClipConfig(Node):
    """Segmentation of the container."""

    duration: Annotated[float | None, Param("Length of a segment.", above=0, high=3600, unit="s", default="5")] = None


class Container(Node):
    """The container of the output."""

    format: Annotated[
        Literal[
            "mp4",
            "hls",
            "mkv",
            "ts",
            "flv",
            "avi",
            "mov",
            "dash",
            "WebM",
            "aac",
            "mp3",
            "flac",
            "amr",
            "adts",
            "m4a",
            "wav",
        ]
        | None,
        Param("Container format.", required=True, common=True),
    ] = None
    clip_config: Annotated[ClipConfig | None, Param("Segments; for hls and dash only.")] = None


class Video(Node):
    """Video encoding."""

    codec: Annotated[
        Literal["H.264", "H.265", "VP8", "VP9", "AV1"] | None,
        Param("Video codec.", default="H.264; VP8 in WebM", common=True),
    ] = None
    width: Annotated[
        int | None,
        Param(
            "Width; without Height, the aspect ratio is kept.",
            128,
            4096,
            "px",
            even=True,
            default="source width",
            common=True,
        ),
    ] = None
    height: Annotated[
        int | None,
        Param(
            "Height; without Width, the aspect ratio is kept.",
            128,
            4096,
            "px",
            even=True,
            default="source height",
            common=True,
        ),
    ] = None
    fps: Annotated[
        float | None, Param("Frame rate.", above=0, high=60, unit="1/s", default="source rate", common=True)
    ] = None
    remove: Annotated[bool | None, Param("Remove the video.", default="false")] = None
    profile: Annotated[
        Literal["baseline", "main", "high", "auto"] | None, Param("Profile, only for H.264.", default="high")
    ] = None
    bitrate: Annotated[
        int | Literal["auto"] | None, Param("Bit rate; ignored when Crf is set.", 10, 50000, "kbps", common=True)
    ] = None
    crf: Annotated[
        float | None,
        Param("Constant quality, lower is better.", above=0, high=51, default="25 without Bitrate", common=True),
    ] = None
    gop: Annotated[int | None, Param("Maximum distance between key frames.", 1, 100000, "frames")] = None
    preset: Annotated[
        Literal["veryfast", "fast", "medium", "slow", "slower", "good", "realtime", "5", "4"] | None,
        Param(
            "Trade-off of speed and file size: H.264 veryfast … slower; VP8 good, realtime; AV1 5, 4.",
            default="medium; good; 5",
        ),
    ] = None
    bufsize: Annotated[int | None, Param("Rate-control buffer; not for VP8 and VP9.", 1000, 128000, "Kb")] = None
    maxrate: Annotated[int | None, Param("Peak bit rate; not for VP8 and VP9.", 10, 50000, "kbps")] = None
    pixfmt: Annotated[
        Literal["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "yuv420p10le", "auto"] | None,
        Param("Pixel format, for H.264 and H.265; yuv420p10le only for H.265."),
    ] = None
    long_short_mode: Annotated[
        bool | None, Param("Use Width as the long side and Height as the short side.", default="false")
    ] = None
    rotate: Annotated[float | None, Param("Rotation, clockwise.", 0, below=360, unit="°")] = None
    roi: Annotated[
        Literal["none", "low", "medium", "high"] | None,
        Param("Strength of region-of-interest encoding.", default="none"),
    ] = None
    crop: Annotated[
        str | None,
        Param("Crop before scaling.", pattern=r"[1-9]\d*:[1-9]\d*:\d+:\d+", allowed="width:height:left:top in px"),
    ] = None
    interlaced: Annotated[bool | None, Param("Encode interlaced.", default="false")] = None


class Audio(Node):
    """Audio encoding."""

    codec: Annotated[
        Literal["aac", "mp3", "flac", "amr", "Vorbis", "opus", "pcm_s16le"] | None,
        Param("Audio codec.", default="aac; Vorbis in WebM", common=True),
    ] = None
    samplerate: Annotated[Samplerate | None, Param("Sample rate.", unit="Hz", default="44100; 48000 for opus")] = None
    bitrate: Annotated[int | None, Param("Bit rate.", 8, 1000, "kbps", common=True)] = None
    channels: Annotated[Literal[1, 2, 4, 5, 6, 8] | None, Param("Number of channels.")] = None
    remove: Annotated[bool | None, Param("Remove the audio.", default="false")] = None
    keep_two_tracks: Annotated[bool | None, Param("Keep two audio tracks; not with H.265.", default="false")] = None
    switch_track: Annotated[bool | None, Param("Swap the audio tracks; not with H.265.", default="false")] = None
    sample_format: Annotated[
        Literal["fltp", "s16p", "s32p", "s16", "s32"] | None, Param("Sample format; not with H.265.")
    ] = None


class HlsEncrypt(Node):
    """Encryption of HLS segments."""

    is_hls_encrypt: Annotated[bool | None, Param("Encrypt the segments.", default="false")] = None
    uri_key: Annotated[str | None, Param("URL of the key.")] = None


class DashEncrypt(Node):
    """Encryption of DASH segments."""

    is_encrypt: Annotated[bool | None, Param("Encrypt the segments.", default="false")] = None
    uri_key: Annotated[str | None, Param("URL of the key.")] = None


Method = Literal[0, 1]


class TransConfig(Node):
    """What to do when the source and the setting do not match."""

    adj_dar_method: Annotated[
        Literal["scale", "crop", "pad", "none"] | None,
        Param("What to do when the aspect ratios differ.", default="none"),
    ] = None
    is_check_reso: Annotated[bool | None, Param("Compare the resolution with the source.", default="false")] = None
    reso_adj_method: Annotated[
        Method | None, Param("If the source is smaller: 0 keeps its size, 1 fails.", default="0")
    ] = None
    is_check_video_bitrate: Annotated[
        bool | None, Param("Compare the video bit rate with the source.", default="false")
    ] = None
    video_bitrate_adj_method: Annotated[
        Method | None, Param("If the source is lower: 0 keeps its value, 1 fails.", default="0")
    ] = None
    is_check_audio_bitrate: Annotated[
        bool | None, Param("Compare the audio bit rate with the source.", default="false")
    ] = None
    audio_bitrate_adj_method: Annotated[
        Method | None, Param("If the source is lower: 0 keeps its value, 1 fails.", default="0")
    ] = None
    is_check_video_fps: Annotated[bool | None, Param("Compare the frame rate with the source.", default="false")] = None
    video_fps_adj_method: Annotated[
        Method | None, Param("If the source is lower: 0 keeps its value, 1 fails.", default="0")
    ] = None
    delete_metadata: Annotated[bool | None, Param("Remove metadata.", default="false")] = None
    is_hdr2_sdr: Annotated[bool | None, Param("Convert HDR to SDR.", default="false")] = None
    transcode_index: Annotated[int | None, Param("Number of the source stream to use.", 0, 1000)] = None
    hls_encrypt: Annotated[HlsEncrypt | None, Param("Encryption, only for hls.")] = None
    dash_encrypt: Annotated[DashEncrypt | None, Param("Encryption, only for dash.")] = None


class TimeInterval(Node):
    """The section of the source to process."""

    start: Annotated[float | None, Param("Start of the section.", 0, unit="s", default="0", common=True)] = None
    duration: Annotated[float | None, Param("Length of the section.", 0, unit="s", default="all", common=True)] = None


class EffectConfig(Node):
    """Fades of the mixed-in audio."""

    enable_start_fadein: Annotated[bool | None, Param("Fade in at the start.", default="false")] = None
    start_fadein_time: Annotated[float | None, Param("Length of the fade.", above=0, unit="s")] = None
    enable_end_fadeout: Annotated[bool | None, Param("Fade out at the end.", default="false")] = None
    end_fadeout_time: Annotated[float | None, Param("Length of the fade.", above=0, unit="s")] = None
    enable_bgm_fade: Annotated[bool | None, Param("Fade between repetitions.", default="false")] = None
    bgm_fade_time: Annotated[float | None, Param("Length of the fade.", above=0, unit="s")] = None


class AudioMix(Node):
    """Audio to mix in."""

    audio_source: Annotated[str | None, Param("URL of the audio, in the same bucket.", required=True)] = None
    mix_mode: Annotated[
        Literal["Repeat", "Once"] | None, Param("Repeat the audio, or play it once.", default="Repeat")
    ] = None
    replace: Annotated[bool | None, Param("Replace the audio of the source.", default="false")] = None
    effect_config: Annotated[EffectConfig | None, Param("Fades.")] = None


class Transcode(Node):
    """Encoding of the output. Without `video` the video is removed, without `audio` the audio."""

    container: Annotated[Container | None, Param("Container.", required=True)] = None
    video: Annotated[Video | None, Param("Video encoding.")] = None
    audio: Annotated[Audio | None, Param("Audio encoding.")] = None
    trans_config: Annotated[TransConfig | None, Param("What to do when source and setting do not match.")] = None
    time_interval: Annotated[TimeInterval | None, Param("A section of the source.")] = None
    audio_mix: Annotated[AudioMix | None, Param("Audio to mix in.")] = None
    audio_mix_array: Annotated[tuple[AudioMix, ...], Param("Audio tracks to mix in.", at_most=2)] = ()
