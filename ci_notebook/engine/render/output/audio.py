"""Audio of an output: which tracks, and what is mixed in.

Decisions where the API says too little: audio is added, not averaged, and a limiter prevents clipping; a
mix has one track; a fade without a time takes one second; mixed-in audio ends with the video, and so does
a fade-out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.interval import trim_filters
from ci_notebook.engine.render.output.encoders import (
    CONSTANT_RATE,
    audio_codec,
    container_of,
    mixes_of,
    transcode_of,
    video_codec,
)
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media.ffmpeg import media_input
from ci_notebook.media.probe import media_info
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import length_s
from ci_notebook.model.setting.transcode import AudioMix, EffectConfig

FADE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class AudioInput:
    """Audio to be mixed in; `length_s` is its own length."""

    path: Path
    mix: AudioMix
    length_s: float

    @property
    def repeats(self) -> bool:
        """Whether it starts again at its end."""
        return (self.mix.mix_mode or "Repeat") == "Repeat"

    def as_input(self) -> list[str]:
        """Return FFmpeg's arguments for it as an input."""
        again = ["-stream_loop", "-1"] if self.repeats else []
        return [*again, *media_input(self.path)]

    def filters(self, whole_s: float) -> list[str]:
        """Return the filters that give it the length and the fades it has in an output of `whole_s`."""
        length = whole_s if self.repeats else min(whole_s, self.length_s)
        effect = self.mix.effect_config or EffectConfig()
        filters = [f"atrim=end={length:.3f}"]
        if effect.enable_start_fadein:
            filters.append(f"afade=t=in:d={effect.start_fadein_time or FADE_S:g}")
        if effect.enable_end_fadeout:
            fade = min(length, effect.end_fadeout_time or FADE_S)
            filters.append(f"afade=t=out:st={length - fade:.3f}:d={fade:g}")
        if effect.enable_bgm_fade and self.length_s:
            fade = effect.bgm_fade_time or FADE_S
            at = f"mod(t,{self.length_s:.6f})"
            filters.append(f"volume=eval=frame:volume='clip(min({at},{self.length_s:.6f}-{at})/{fade:g},0,1)'")
        return filters


def audio_inputs(setting: VideoEnhance, fetch: Callable[[str], Path]) -> tuple[AudioInput, ...]:
    """Fetch the audio to be mixed in. Raises `RequestRefused` naming the leaf of a file without audio."""
    transcode, inputs = transcode_of(setting), []
    for number, mix in enumerate(mixes_of(setting), 1):
        path = fetch(mix.audio_source or "")
        facts = media_info(path)
        if not (facts.stream and facts.stream.audio):
            node = "AudioMix" if mix is transcode.audio_mix else f"AudioMixArray.{number - bool(transcode.audio_mix)}"
            raise RequestRefused(
                f"VideoEnhance.Transcode.{node}.AudioSource {mix.audio_source} has no audio. "
                "Name an object of the bucket that has.",
                code="ResourceNotSupported",
            )
        length = facts.stream.audio[0].duration or (facts.format.duration if facts.format else None)
        inputs.append(AudioInput(path, mix, length or 0.0))
    return tuple(inputs)


def audio_mapping(
    setting: VideoEnhance, source: MediaInfo, analysis: Analysis, mixed: tuple[AudioInput, ...], *, at: int, first: int
) -> tuple[list[str], str]:
    """Return FFmpeg's arguments that map the audio, and the filter graph for it, empty where tracks are only copied.

    `at` is the index of the source among the inputs, `first` the index of the first mixed-in audio.
    """
    audio = transcode_of(setting).audio
    if audio is None or audio_codec(setting, source) is None:
        return [], ""
    tracks = _tracks(setting, source)
    cuts = [trim_filters(setting, source, analysis, track=track) for track in tracks]
    if not mixed:
        if container_of(setting) in CONSTANT_RATE:  # it stores no times: silence comes before sound that begins late
            cuts = [(*cut, "aresample=async=1:first_pts=0") for cut in cuts]
        filtered = [word for n, cut in enumerate(cuts) if cut for word in (f"-filter:a:{n}", ",".join(cut))]
        return [*filtered, *(word for track in tracks for word in ("-map", f"{at}:a:{track}"))], ""
    cut = ",".join(cuts[0]) if cuts else ""
    whole = length_s(setting, source) or max(one.length_s for one in mixed)
    lines = [f"[{first + i}:a:0]{','.join(one.filters(whole))}[m{i}]" for i, one in enumerate(mixed)]
    parts = [f"[m{i}]" for i in range(len(mixed))]
    if tracks and not any(one.mix.replace for one in mixed):
        lines += [f"[{at}:a:{tracks[0]}]{cut}[own]"] if cut else []
        parts.insert(0, "[own]" if cut else f"[{at}:a:{tracks[0]}]")
    added = [f"amix=inputs={len(parts)}:normalize=0:duration=longest", "alimiter=limit=0.95:level=0:latency=1"]
    end = f"atrim=end={whole:.3f}"
    return ["-map", "[sound]"], ";".join([*lines, f"{''.join(parts)}{','.join([*added, end])}[sound]"])


def _tracks(setting: VideoEnhance, source: MediaInfo) -> list[int]:
    audio, count = transcode_of(setting).audio, len(source.stream.audio) if source.stream else 0
    if audio is None or count == 0:
        return []
    if count == 1 or video_codec(setting) == "H.265":  # documented: neither has an effect with H.265
        return [0]
    tracks = [0, 1] if audio.keep_two_tracks else [0]
    return [1, 0][: len(tracks)] if audio.switch_track else tracks
