"""Compare the cost of the engine with the plain `ffmpeg` command line, and measure several variants of one clip.

    python -m tests.benchmarks.bench_engine [--rounds 3] [--quick] [--only job|level|six]

One job: from the accepted POST to Success, everything included (probing, the analysis of the clip, the
digests of the output, the ledger), against `ffmpeg` with the same filter graph and encoder. Each round
uploads the clip anew, so that nothing is known of it. The two take turns, and the best of the rounds
counts. `beyond` is the wall time that the job took beyond its own run of FFmpeg.

One more level: one more SharpenLevel on Enhance and FrameDoubling whose frames are cached, against its own
encode: the same `ffmpeg`, from the same cached frames.

Six variants: six SharpenLevels on Enhance and FrameDoubling, two jobs at a time, in an engine that keeps
nothing and in one that does; and the same six once more, which are answered from what was kept. Wall time
is that of a machine that others use too; CPU time, programs included, is sounder.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import run as run_program
from types import ModuleType
from typing import Any

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.client.job import Job
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.render import render, stage_cache
from ci_notebook.engine.render.analysis import analyse
from ci_notebook.engine.render.command import Paths, command
from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.media.ffmpeg import run as ffmpeg
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.media.streams.frame_times import timeline_of
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.declaration.param import AUTO
from ci_notebook.model.setting.enhance import ColorEnhance, FrameEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video

BUCKET, REGION = "bench-1250000000", "ap-chongqing"
KEY = Credentials("AKIDbench", "benchskey")
SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
COLOURED = replace(SHARP, color_enhance=ColorEnhance(contrast=20, correction=100, saturation=30))
AUTOMATIC = VideoEnhance(
    color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
    ms_sharpen=MsSharpen(sharpen_level=AUTO),
)
MEDIUM = replace(
    COLOURED,
    transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.264", crf=20.0), audio=Audio()),
)
DEAR = VideoEnhance(
    super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"),
    frame_enhance=FrameEnhance(frame_doubling=True),
)

JOBS = {"sharpen": SHARP, "sharpen, colour": COLOURED, "AUTO": AUTOMATIC, "colour, medium": MEDIUM}
PLAIN = (str(find_ffmpeg()), "-v", "error", "-nostdin", "-y")

Spent = tuple[float, float]  # seconds of wall and of CPU


def timed(work: Callable[..., object], *arguments: object) -> Spent:
    def cpu() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    wall, spent = time.perf_counter(), cpu()
    work(*arguments)
    return time.perf_counter() - wall, cpu() - spent


@contextmanager
def engine(**options: object) -> Iterator[tuple[Engine, Client]]:
    with tempfile.TemporaryDirectory() as folder:
        keys = {KEY.secret_id.reveal(): KEY.secret_key}
        with (
            Engine(folder, bucket=BUCKET, region=REGION, keys=keys, workers=2, **options) as running,  # type: ignore[arg-type]
            Client(
                BUCKET,
                region=REGION,
                credentials=KEY,
                transport=WSGITransport(running.app),
                scheme="http",
                new_pause=running.end_signal.new_pause,
            ) as client,
        ):
            yield running, client


def run(command: Sequence[str]) -> None:
    run_program(command, check=True)


def do(client: Client, clip: str, settings: Sequence[VideoEnhance]) -> None:
    """Send a job for each setting, and wait until all have succeeded."""
    jobs = [
        client.submit(enhance_request(clip, setting, bucket=BUCKET, region=REGION, user_data=f"{time.time_ns()}"))
        for setting in settings
    ]
    for job in jobs:
        Job(client, job).wait()


@contextmanager
def runs_of_ffmpeg(module: ModuleType) -> Iterator[list[tuple[list[str], float]]]:
    """Yield the list to which each run of FFmpeg that a module starts adds its arguments and its seconds."""
    plain, runs = module.run, []

    def timed_run(arguments: Sequence[str | Path], **more: Any) -> str:
        began = time.perf_counter()
        try:
            return str(plain(arguments, **more))
        finally:
            runs.append(([str(one) for one in arguments], time.perf_counter() - began))

    module.run = timed_run  # type: ignore[attr-defined]
    try:
        yield runs
    finally:
        module.run = plain  # type: ignore[attr-defined]


def show(clip: Path, name: str, ours: Sequence[Spent], theirs: Sequence[Spent], beyond: Sequence[float]) -> None:
    (wall, cpu), (plain_wall, plain_cpu) = (map(min, zip(*them, strict=True)) for them in (ours, theirs))
    print(
        f"{clip.stem:<14}{name:<22}{wall:8.2f}{plain_wall:8.2f}{wall / plain_wall:8.3f}"
        f"{cpu:9.2f}{plain_cpu:8.2f}{cpu / plain_cpu:8.3f}{min(beyond):8.3f}",
        flush=True,
    )


def one_job(clip: Path, name: str, setting: VideoEnhance, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, engine(cache_bytes=0) as (_, client):
        paths = Paths(clip, Path(folder) / "plain.mp4")
        analysis = replace(analyse(clip), timeline=timeline_of(clip))
        plain = [*PLAIN, *command(setting, media_info(clip), paths, analysis)]
        ours, theirs, beyond = [], [], []
        do(client, client.upload(clip, "first.mp4").key, [SHARP])  # an engine that has done its imports
        for number in range(rounds):
            key = client.upload(clip, f"{number}.mp4").key
            theirs.append(timed(run, plain))
            with runs_of_ffmpeg(render) as runs:
                ours.append(timed(do, client, key, [setting]))
            beyond.append(ours[-1][0] - sum(seconds for _, seconds in runs))
    show(clip, name, ours, theirs, beyond)


def one_more_level(clip: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, engine() as (running, client):
        key = client.upload(clip, clip.name).key
        do(client, key, [replace(DEAR, ms_sharpen=MsSharpen(sharpen_level=1))])
        copy = max((running.root / ".cache").iterdir(), key=lambda path: path.stat().st_size)
        ours, theirs, beyond = [], [], []
        for level in range(2, 2 + rounds):
            with runs_of_ffmpeg(stage_cache) as runs:
                setting = replace(DEAR, ms_sharpen=MsSharpen(sharpen_level=level))
                ours.append(timed(do, client, key, [setting]))
            words = runs[0][0]
            words[words.index("-i") + 1], words[-1] = f"file:{copy}", str(Path(folder) / "plain.mp4")
            # The clip itself, for its sound, was in the job's folder.
            second = words.index("-i", words.index("-i") + 1)
            words[second + 1] = f"file:{clip}"
            theirs.append(timed(run, [*PLAIN, *words]))
            beyond.append(ours[-1][0] - runs[0][1])
    show(clip, "one more level", ours, theirs, beyond)


def six_variants(clip: Path) -> None:
    settings = [replace(DEAR, ms_sharpen=MsSharpen(sharpen_level=level)) for level in (0, 2, 4, 6, 8, 10)]
    with engine(cache_bytes=0) as (_, client):
        key = client.upload(clip, clip.name).key
        separate = timed(do, client, key, settings)
    with engine() as (_, client):
        key = client.upload(clip, clip.name).key
        shared = timed(do, client, key, settings)
        again = timed(do, client, key, settings)
    for name, (wall, cpu) in (("each for itself", separate), ("sharing", shared), ("once more", again)):
        print(
            f"{clip.stem:<14}{name:<22}{wall:8.2f}{'':8}{wall / separate[0]:8.3f}"
            f"{cpu:9.2f}{'':8}{cpu / separate[1]:8.3f}",
            flush=True,
        )


def clip_of(folder: Path, size: str, seconds: float) -> Path:
    """Make a clip of that size and length from the packaged sample, which is turned back and forth."""
    path = folder / f"{size}-{seconds:g}s.mp4"
    sound = ["-f", "lavfi", "-i", f"sine=d={seconds}"]
    width, height = size.split("x")
    scale = f"scale={width}:{height}:flags=lanczos"
    ffmpeg(
        ["-stream_loop", "-1", "-i", sample(), *sound, "-map", "0:v", "-map", "1:a", "-t", str(seconds), "-vf", scale,
         "-c:v", "libx264", "-crf", "18", "-c:a", "aac", path]
    )  # fmt: skip
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each job is done")
    parser.add_argument("--quick", action="store_true", help="clips of a fifth of the length")
    parser.add_argument("--only", choices=("job", "level", "six"), help="one of the tables")
    asked = parser.parse_args()
    less = 5 if asked.quick else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        head = f"{'wall s':>8}{'plain':>8}{'ratio':>8}{'CPU s':>9}{'plain':>8}{'ratio':>8}{'beyond':>8}"
        print(f"{'clip':<14}{'job':<22}{head}")
        if asked.only in (None, "job"):
            for clip in (clip_of(folder, "640x360", 10 / less), clip_of(folder, "1280x720", 5 / less)):
                for what, setting in JOBS.items():
                    one_job(clip, what, setting, asked.rounds)
        if asked.only in (None, "level"):
            one_more_level(clip_of(folder, "640x360", 5 / less), asked.rounds)
        if asked.only in (None, "six"):
            print(f"\n{'six SharpenLevels on Enhance + FrameDoubling':<44}{'to the first':>16}")
            six_variants(clip_of(folder, "640x360", 4 / less))


if __name__ == "__main__":
    main()
