"""A sound that is mixed in is heard where it was asked for, beside the video's own or in its place."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Audio, AudioMix, Container, EffectConfig, Transcode, Video

OWN, MIXED = 440, 1500  # Hz of the video's own sound and of the one mixed in
RATE = 44100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 2 s with a tone, the same without, and 0.6 s of another tone."""
    made = tmp_path_factory.mktemp("sounds")
    pictures = ["-i", sample(), "-t", "2", "-vf", "scale=160:90", "-c:v", "libx264", "-preset", "veryfast"]
    run(["-f", "lavfi", "-i", f"sine={OWN}:d=2", *pictures, made / "tone.mp4"])
    run([*pictures, "-an", made / "silent.mp4"])
    run(["-f", "lavfi", "-i", f"sine={MIXED}:d=0.6", made / "music.mp3"])
    return made


def sound(
    folder: Path, out: Path, *mixes: AudioMix, source: str = "tone.mp4", audio: Audio | None = None
) -> NDArray[np.float32]:
    """Return the output's samples at 44.1 kHz, one channel."""
    transcode = Transcode(
        container=Container(format="mp4"), video=Video(preset="veryfast"), audio=audio or Audio(), audio_mix_array=mixes
    )
    operation = Operation(video_enhance=VideoEnhance(transcode=transcode))
    path = render(operation, folder / source, out, fetch=lambda url: folder / url).files[0]
    facts = media_info(path)
    assert facts.format is not None and facts.format.duration == pytest.approx(2.0, abs=0.06)
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)[0]


def loudness(samples: NDArray[np.float32], hertz: int, begin_s: float, end_s: float) -> float:
    """Return how much of a tone there is in a stretch."""
    part = samples[int(begin_s * RATE) : int(end_s * RATE)]
    turns = np.exp(-2j * np.pi * hertz * np.arange(len(part)) / RATE)
    return float(abs((part * turns).mean()))


def mix(**asked: object) -> AudioMix:
    return AudioMix(audio_source="music.mp3", **asked)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_mixed_in_sound_repeats_over_the_sound_of_the_video(folder: Path, tmp_path: Path) -> None:
    heard, alone = sound(folder, tmp_path, mix()), sound(folder, tmp_path)
    for begin in (0.1, 0.8, 1.4):
        assert loudness(heard, MIXED, begin, begin + 0.3) > 0.02 > 10 * loudness(alone, MIXED, begin, begin + 0.3)
        assert loudness(heard, OWN, begin, begin + 0.3) == pytest.approx(
            loudness(alone, OWN, begin, begin + 0.3), rel=0.1
        )


def test_once_is_once(folder: Path, tmp_path: Path) -> None:
    heard = sound(folder, tmp_path, mix(mix_mode="Once"))
    assert loudness(heard, MIXED, 0.1, 0.4) > 0.02
    assert loudness(heard, MIXED, 0.9, 1.9) < 0.002


def test_replace_leaves_the_video_s_own_sound_out(folder: Path, tmp_path: Path) -> None:
    heard = sound(folder, tmp_path, mix(replace=True))
    assert loudness(heard, OWN, 0.1, 1.8) < 0.002 < 10 * loudness(heard, MIXED, 0.1, 0.4)


@pytest.mark.slow
def test_a_silent_video_gets_a_sound_and_a_removed_one_none(folder: Path, tmp_path: Path) -> None:
    assert loudness(sound(folder, tmp_path, mix(), source="silent.mp4"), MIXED, 0.7, 1.1) > 0.02
    assert len(sound(folder, tmp_path, mix(), audio=Audio(remove=True))) == 0


@pytest.mark.slow
def test_fades_begin_and_end_softly(folder: Path, tmp_path: Path) -> None:
    both = EffectConfig(enable_start_fadein=True, start_fadein_time=0.5, enable_end_fadeout=True, end_fadeout_time=0.5)
    heard, plain = (sound(folder, tmp_path, mix(effect_config=one)) for one in (both, None))
    for begin in (0.0, 1.85):
        assert loudness(heard, MIXED, begin, begin + 0.1) < 0.5 * loudness(plain, MIXED, begin, begin + 0.1)
    assert loudness(heard, MIXED, 0.8, 1.1) == pytest.approx(loudness(plain, MIXED, 0.8, 1.1), rel=0.1)


def test_repeats_fade_into_each_other(folder: Path, tmp_path: Path) -> None:
    length = media_info(folder / "music.mp3").format.duration  # type: ignore[union-attr]
    assert length is not None
    soft = EffectConfig(enable_bgm_fade=True, bgm_fade_time=0.2)
    heard = sound(folder, tmp_path, mix(effect_config=soft, replace=True))
    assert loudness(heard, MIXED, length - 0.05, length + 0.05) < 0.4 * loudness(heard, MIXED, 0.25, 0.35)


@pytest.mark.slow
def test_two_loud_sounds_do_not_clip(folder: Path, tmp_path: Path) -> None:
    run(["-f", "lavfi", "-i", "sine=900:d=1", "-af", "volume=12dB", folder / "loud.wav"])
    loud = AudioMix(audio_source="loud.wav")
    heard = sound(folder, tmp_path, loud, loud, audio=Audio(codec="flac"))
    assert 0.5 * 2**31 < np.abs(heard.astype(float)).max() < 0.96 * 2**31


def test_a_source_without_sound_is_refused_by_its_leaf(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"AudioMixArray\.1\.AudioSource silent\.mp4 has no audio"):
        sound(folder, tmp_path, AudioMix(audio_source="silent.mp4"))
