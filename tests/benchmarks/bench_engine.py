"""Compare the cost of the engine with the plain `ffmpeg` command line, and measure several variants of one clip.

    python -m tests.benchmarks.bench_engine [--rounds 3] [--quick]

One job: from the accepted POST to Success, everything included (probing, the look at the clip, the
digests of the output, the ledger), against `ffmpeg` with the same filter graph and encoder. The two
take turns, and the best of the rounds counts. Six variants: six SharpenLevels on Enhance and
FrameDoubling, two jobs at a time, in an engine that keeps nothing and in one that does; and the same
six once more, which are answered from what was kept. Wall time is that of a machine that others use
too; CPU time, programs included, is sounder.
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

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.render.analysis import analyse
from ci_notebook.engine.render.command import Paths, command
from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.media.ffmpeg import run as ffmpeg
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.setting.enhance import ColorEnhance, FrameEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video

BUCKET, REGION = "bench-1250000000", "ap-chongqing"
KEY = Credentials("AKIDbench", "benchskey")
LOOK_S = 0.03
SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
COLOURED = replace(SHARP, color_enhance=ColorEnhance(contrast=20, correction=100, saturation=30))
MEDIUM = replace(
    COLOURED,
    transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.264", crf=20.0), audio=Audio()),
)
DEAR = VideoEnhance(
    super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"),
    frame_enhance=FrameEnhance(frame_doubling=True),
)

Spent = tuple[float, float]  # seconds of wall and of CPU


def timed(work: Callable[[], object]) -> Spent:
    def cpu() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    wall, spent = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - wall, cpu() - spent


@contextmanager
def engine(**options: object) -> Iterator[tuple[Engine, Client]]:
    with tempfile.TemporaryDirectory() as folder:
        keys = {KEY.secret_id.reveal(): KEY.secret_key}
        with (
            Engine(folder, bucket=BUCKET, region=REGION, keys=keys, workers=2, **options) as running,  # type: ignore[arg-type]
            Client(
                BUCKET, region=REGION, credentials=KEY, transport=WSGITransport(running.app), scheme="http"
            ) as client,
        ):
            yield running, client


def do(running: Engine, client: Client, clip: str, settings: Sequence[VideoEnhance]) -> None:
    """Send a job for each setting and see them all to their good end; asking the ledger costs next to nothing."""
    jobs = [
        client.submit(enhance_request(clip, setting, bucket=BUCKET, region=REGION, user_data=f"{time.time_ns()}"))
        for setting in settings
    ]
    for job in jobs:
        while (now := running.start().ledger.get(BUCKET, [str(job.job_id)])[0]).ended is None:
            time.sleep(LOOK_S)
        assert now.state == "Success", now


def one_job(clip: Path, name: str, setting: VideoEnhance, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, engine(cache_bytes=0) as (running, client):
        paths = Paths(clip, Path(folder) / "plain.mp4")
        words = [str(find_ffmpeg()), "-v", "error", "-nostdin", "-y"]
        plain = [*words, *command(setting, media_info(clip), paths, analyse(clip))]
        key = client.upload(clip, clip.name).key
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(timed(lambda: run_program(plain, check=True)))
            ours.append(timed(lambda: do(running, client, key, [setting])))
    (wall, cpu), (plain_wall, plain_cpu) = (map(min, zip(*them, strict=True)) for them in (ours, theirs))
    print(
        f"{clip.stem:<14}{name:<22}{wall:8.2f}{plain_wall:8.2f}{wall / plain_wall:8.3f}"
        f"{cpu:9.2f}{plain_cpu:8.2f}{cpu / plain_cpu:8.3f}",
        flush=True,
    )


def six_variants(clip: Path) -> None:
    settings = [replace(DEAR, ms_sharpen=MsSharpen(sharpen_level=level)) for level in (0, 2, 4, 6, 8, 10)]
    with engine(cache_bytes=0) as (running, client):
        key = client.upload(clip, clip.name).key
        separate = timed(lambda: do(running, client, key, settings))
    with engine() as (running, client):
        key = client.upload(clip, clip.name).key
        shared = timed(lambda: do(running, client, key, settings))
        again = timed(lambda: do(running, client, key, settings))
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
    asked = parser.parse_args()
    less = 5 if asked.quick else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'clip':<14}{'job':<22}{'wall s':>8}{'plain':>8}{'ratio':>8}{'CPU s':>9}{'plain':>8}{'ratio':>8}")
        for clip in (clip_of(folder, "640x360", 10 / less), clip_of(folder, "1280x720", 5 / less)):
            for what, setting in (("sharpen", SHARP), ("sharpen, colour", COLOURED), ("the same, medium", MEDIUM)):
                one_job(clip, what, setting, asked.rounds)
        print(f"\n{'six SharpenLevels on Enhance + FrameDoubling':<44}{'to the first':>16}")
        six_variants(clip_of(folder, "640x360", 4 / less))


if __name__ == "__main__":
    main()
