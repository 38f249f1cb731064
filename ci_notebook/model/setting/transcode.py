"""The output's encoding: container, video, audio, and what the transcode templates add (§4.3–4.8)."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Node, Param

Samplerate = Literal[8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000]


class ClipConfig(Node):
    """How a segmented container is cut."""

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
    """How the pictures are encoded."""

    codec: Annotated[
        Literal["H.264", "H.265", "VP8", "VP9", "AV1"] | None,
        Param("Encoder.", default="H.264; VP8 in WebM", common=True),
    ] = None
    width: Annotated[
        int | None,
        Param("Width; alone, the height follows.", 128, 4096, "px", even=True, default="source width", common=True),
    ] = None
    height: Annotated[
        int | None,
        Param("Height; alone, the width follows.", 128, 4096, "px", even=True, default="source height", common=True),
    ] = None
    fps: Annotated[
        float | None, Param("Frame rate.", above=0, high=60, unit="1/s", default="source rate", common=True)
    ] = None
    remove: Annotated[bool | None, Param("Drop the video.", default="false")] = None
    profile: Annotated[
        Literal["baseline", "main", "high", "auto"] | None, Param("Profile, H.264 only.", default="high")
    ] = None
    bitrate: Annotated[
        int | Literal["auto"] | None, Param("Bit rate; ignored when Crf is set.", 10, 50000, "kbps", common=True)
    ] = None
    crf: Annotated[
        float | None,
        Param("Constant quality, lower is better.", above=0, high=51, default="25 without Bitrate", common=True),
    ] = None
    gop: Annotated[int | None, Param("Largest distance of key frames.", 1, 100000, "pictures")] = None
    preset: Annotated[
        Literal["veryfast", "fast", "medium", "slow", "slower", "good", "realtime", "5", "4"] | None,
        Param("Speed against size: H.264 veryfast … slower; VP8 good, realtime; AV1 5, 4.", default="medium; good; 5"),
    ] = None
    bufsize: Annotated[int | None, Param("Rate-control buffer; not VP8, VP9.", 1000, 128000, "Kb")] = None
    maxrate: Annotated[int | None, Param("Peak bit rate; not VP8, VP9.", 10, 50000, "kbps")] = None
    pixfmt: Annotated[
        Literal["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "yuv420p10le", "auto"] | None,
        Param("Pixel format, H.264 and H.265; yuv420p10le is H.265's."),
    ] = None
    long_short_mode: Annotated[bool | None, Param("Take Width and Height as long and short side.", default="false")] = (
        None
    )
    rotate: Annotated[float | None, Param("Rotation, clockwise.", 0, below=360, unit="°")] = None
    roi: Annotated[
        Literal["none", "low", "medium", "high"] | None, Param("Strength of region of interest.", default="none")
    ] = None
    crop: Annotated[
        str | None,
        Param("Crop before scaling.", pattern=r"[1-9]\d*:[1-9]\d*:\d+:\d+", allowed="width:height:left:top in px"),
    ] = None
    interlaced: Annotated[bool | None, Param("Encode interlaced.", default="false")] = None


class Audio(Node):
    """How the sound is encoded."""

    codec: Annotated[
        Literal["aac", "mp3", "flac", "amr", "Vorbis", "opus", "pcm_s16le"] | None,
        Param("Encoder.", default="aac; Vorbis in WebM", common=True),
    ] = None
    samplerate: Annotated[Samplerate | None, Param("Samples a second.", unit="Hz", default="44100; 48000 for opus")] = (
        None
    )
    bitrate: Annotated[int | None, Param("Bit rate.", 8, 1000, "kbps", common=True)] = None
    channels: Annotated[Literal[1, 2, 4, 5, 6, 8] | None, Param("Channels.")] = None
    remove: Annotated[bool | None, Param("Drop the sound.", default="false")] = None
    keep_two_tracks: Annotated[bool | None, Param("Keep two tracks; not with H.265.", default="false")] = None
    switch_track: Annotated[bool | None, Param("Swap the tracks; not with H.265.", default="false")] = None
    sample_format: Annotated[
        Literal["fltp", "s16p", "s32p", "s16", "s32"] | None, Param("Sample format; not with H.265.")
    ] = None


class HlsEncrypt(Node):
    """Encryption of hls segments."""

    is_hls_encrypt: Annotated[bool | None, Param("Encrypt.", default="false")] = None
    uri_key: Annotated[str | None, Param("Address of the key.")] = None


class DashEncrypt(Node):
    """Encryption of dash segments."""

    is_encrypt: Annotated[bool | None, Param("Encrypt.", default="false")] = None
    uri_key: Annotated[str | None, Param("Address of the key.")] = None


Method = Literal[0, 1]


class TransConfig(Node):
    """What to do when the source and what was asked do not fit."""

    adj_dar_method: Annotated[
        Literal["scale", "crop", "pad", "none"] | None, Param("When aspect ratios differ.", default="none")
    ] = None
    is_check_reso: Annotated[bool | None, Param("Compare resolutions.", default="false")] = None
    reso_adj_method: Annotated[Method | None, Param("Source is smaller: 0 keep its size, 1 fail.", default="0")] = None
    is_check_video_bitrate: Annotated[bool | None, Param("Compare video bit rates.", default="false")] = None
    video_bitrate_adj_method: Annotated[Method | None, Param("Source is lower: 0 keep its, 1 fail.", default="0")] = (
        None
    )
    is_check_audio_bitrate: Annotated[bool | None, Param("Compare audio bit rates.", default="false")] = None
    audio_bitrate_adj_method: Annotated[Method | None, Param("Source is lower: 0 keep its, 1 fail.", default="0")] = (
        None
    )
    is_check_video_fps: Annotated[bool | None, Param("Compare frame rates.", default="false")] = None
    video_fps_adj_method: Annotated[Method | None, Param("Source is lower: 0 keep its, 1 fail.", default="0")] = None
    delete_metadata: Annotated[bool | None, Param("Strip metadata.", default="false")] = None
    is_hdr2_sdr: Annotated[bool | None, Param("Turn HDR into SDR.", default="false")] = None
    transcode_index: Annotated[int | None, Param("Which stream of the source.", 0, 1000)] = None
    hls_encrypt: Annotated[HlsEncrypt | None, Param("Encryption, hls only.")] = None
    dash_encrypt: Annotated[DashEncrypt | None, Param("Encryption, dash only.")] = None


class TimeInterval(Node):
    """Which stretch of the source."""

    start: Annotated[float | None, Param("Begin of the stretch.", 0, unit="s", default="0", common=True)] = None
    duration: Annotated[float | None, Param("Length of the stretch.", 0, unit="s", default="all", common=True)] = None


class EffectConfig(Node):
    """Fades of mixed-in sound."""

    enable_start_fadein: Annotated[bool | None, Param("Fade in.", default="false")] = None
    start_fadein_time: Annotated[float | None, Param("Length of the fade.", above=0, unit="s")] = None
    enable_end_fadeout: Annotated[bool | None, Param("Fade out.", default="false")] = None
    end_fadeout_time: Annotated[float | None, Param("Length of the fade.", above=0, unit="s")] = None
    enable_bgm_fade: Annotated[bool | None, Param("Fade between repeats.", default="false")] = None
    bgm_fade_time: Annotated[float | None, Param("Length of the fade.", above=0, unit="s")] = None


class AudioMix(Node):
    """Sound to mix in."""

    audio_source: Annotated[str | None, Param("Address of the sound, in the same bucket.", required=True)] = None
    mix_mode: Annotated[Literal["Repeat", "Once"] | None, Param("How it fills the video.", default="Repeat")] = None
    replace: Annotated[bool | None, Param("Replace the video's own sound.", default="false")] = None
    effect_config: Annotated[EffectConfig | None, Param("Fades.")] = None


class Transcode(Node):
    """The output's encoding. Without `video` the pictures are dropped, without `audio` the sound."""

    container: Annotated[Container | None, Param("Container.", required=True)] = None
    video: Annotated[Video | None, Param("Pictures.")] = None
    audio: Annotated[Audio | None, Param("Sound.")] = None
    trans_config: Annotated[TransConfig | None, Param("When source and wish do not fit.")] = None
    time_interval: Annotated[TimeInterval | None, Param("A stretch of the source.")] = None
    audio_mix: Annotated[AudioMix | None, Param("Sound to mix in.")] = None
    audio_mix_array: Annotated[tuple[AudioMix, ...], Param("Sounds to mix in.", at_most=2)] = ()
