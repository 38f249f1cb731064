"""Drop every second frame of clips, make them anew in four ways, and print how near each comes to the original.

    python tests/benchmarks/bench_motion.py [CLIP ...] [--frames 40] [--start 0]

The ways are optical flow (FrameDoubling with OpenCV), FFmpeg's minterpolate (without OpenCV), the mean of both
neighbors, and a copy of the earlier one. Scores are luma PSNR in dB, the mean over the made frames only. The time is
CPU time per made frame of the whole way, decoding and lossless encoding included, and the wall time of the same work;
both programs are measured in turn, `--rounds` times, and the median counts.

Without clips, our samples, text that scrolls and a fractal that grows are measured. The method was tuned on the
samples; to judge it, pass clips of your own.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, pass_through
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample, samples

FPS = "25"
LOSSLESS = ["-c:v", "ffv1", "-an"]
HEAD = (
    f"{'clip':<16} {'size':>9} {'copy':>6} {'blend':>6} {'minterp.':>8} {'flow':>6} {'gain':>6} "
    f"{'CPU ms':>13} {'share':>6} {'wall ms':>13} {'share':>6}"
)
Planes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """What one clip gives: PSNR in dB by way, and ms per made frame by program."""

    psnr: dict[str, float]
    cpu_ms: dict[str, float]
    wall_ms: dict[str, float]


def luma_of(path: Path, width: int, height: int) -> Planes:
    """Return the luma planes of a lossless clip as n x height x width."""
    raw = path.with_suffix(".gray")
    run(["-i", path, "-vf", "extractplanes=y", "-fps_mode", "passthrough", "-f", "rawvideo", raw])
    planes = np.fromfile(raw, np.uint8).reshape(-1, height, width).astype(np.float32)
    raw.unlink()
    return planes


def psnr(made: Planes, true: Planes) -> float:
    """Return the mean PSNR of frames in dB; equal frames count as 78 dB."""
    errors = ((made - true) ** 2).mean(axis=(1, 2))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-3))))


def spent(work: Callable[[], object], frames: int) -> tuple[float, float]:
    """Return CPU and wall time of `work` per frame in ms, its programs included."""

    def cpu() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    before, began = cpu(), time.perf_counter()
    work()
    return 1000 * (cpu() - before) / frames, 1000 * (time.perf_counter() - began) / frames


def measure(clip: list[str | Path], folder: Path, *, frames: int, threads: int | None, rounds: int) -> tuple[Row, str]:
    """Measure one clip, given as FFmpeg's input; return its row and its size."""
    whole, half = folder / "whole.mkv", folder / "half.mkv"
    even = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,format=yuv420p,setpts=N/25/TB"
    run([*clip, "-frames:v", frames // 2 * 2 + 1, "-vf", even, "-r", FPS, *LOSSLESS, whole])
    run(["-i", whole, "-vf", "select='not(mod(n,2))',setpts=N/25/TB", "-r", FPS, *LOSSLESS, half])
    stream = media_info(whole).stream
    assert stream is not None
    width, height = int(stream.video[0].width or 0), int(stream.video[0].height or 0)
    true = luma_of(whole, width, height)
    plain = Pipe(width, height, "50", times=1)
    search = f"settb=1/90000,setpts=N/({FPS}*TB),tpad=stop_mode=clone:stop=2,minterpolate=fps=50"
    ways = {
        "minterpolate": (plain, ["-vf", f"{search},trim=end_frame={len(true) + 1}"]),
        "flow": (Pipe(width, height, "50", times=1, doubles=True), []),
    }
    found: dict[str, float] = {}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    wall: dict[str, list[float]] = {way: [] for way in ways}
    before = [] if threads is None else ["-filter_complex_threads", threads, "-threads", threads]
    for _ in range(rounds):
        for way, (pipe, filters) in ways.items():
            out = folder / f"{way}.mkv"
            decode = ["-i", half, *filters, "-fps_mode", "passthrough"]
            took = spent(
                lambda pipe=pipe, decode=decode, out=out: pass_through(
                    decode, [*LOSSLESS, out], pipe, threads=threads, before=before
                ),
                len(true) // 2,
            )
            cpu[way].append(took[0])
            wall[way].append(took[1])
            found[way] = psnr(luma_of(out, width, height)[1 : len(true) : 2], true[1::2])
    found["copy"] = psnr(true[:-1:2], true[1::2])
    found["blend"] = psnr(np.floor((true[:-1:2] + true[2::2] + 1) / 2), true[1::2])
    median = statistics.median
    row = Row(
        found, {way: median(all_) for way, all_ in cpu.items()}, {way: median(all_) for way, all_ in wall.items()}
    )
    return row, f"{width}x{height}"


def show(name: str, size: str, row: Row) -> float:
    """Print a row; return the gain over minterpolate."""
    gain = row.psnr["flow"] - row.psnr["minterpolate"]
    print(
        f"{name[:16]:<16} {size:>9} "
        + f"{row.psnr['copy']:6.2f} {row.psnr['blend']:6.2f} {row.psnr['minterpolate']:8.2f} {row.psnr['flow']:6.2f}"
        + f" {gain:+6.2f} "
        + " ".join(
            f"{times['flow']:5.0f} of {times['minterpolate']:4.0f} {times['flow'] / times['minterpolate']:6.2f}"
            for times in (row.cpu_ms, row.wall_ms)
        ),
        flush=True,
    )
    return gain


def own_clips() -> dict[str, list[str | Path]]:
    """Return the clips that are measured without arguments, as FFmpeg's inputs."""
    text = "The quick brown fox jumps over twelve boxing wizards. " * 4
    scroll = (
        f"color=c=0x203040:s=640x360:r=25,drawtext=text='{text}':fontsize=28:fontcolor=white:x=w-9*n:y=h-60,"
        f"drawtext=text='{text}':fontsize=22:fontcolor=yellow:x=20:y=h-5*n"
    )
    found: dict[str, list[str | Path]] = {name: ["-i", sample(name)] for name in samples()}
    found["text"] = ["-f", "lavfi", "-i", scroll]
    found["mandelbrot"] = ["-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=40, help="how many consecutive frames of each clip")
    parser.add_argument("--start", type=float, default=0.0, help="where they begin, in seconds")
    parser.add_argument("--threads", type=int, default=None, help="cores of each program; default: all")
    parser.add_argument("--rounds", type=int, default=1, help="how often each program is measured")
    asked = parser.parse_args()
    inputs: dict[str, list[str | Path]] = {
        path.stem: ["-ss", str(asked.start), "-i", path] for path in asked.clips
    } or own_clips()
    print(HEAD)
    gains, shares = [], []
    for name, words in inputs.items():
        with tempfile.TemporaryDirectory() as folder:
            row, size = measure(words, Path(folder), frames=asked.frames, threads=asked.threads, rounds=asked.rounds)
        gains.append(show(name, size, row))
        shares.append(row.cpu_ms["flow"] / row.cpu_ms["minterpolate"])
    print(
        f"flow over minterpolate: mean {statistics.fmean(gains):+.2f} dB, least {min(gains):+.2f} dB, "
        f"CPU {statistics.fmean(shares):.2f} of minterpolate's"
    )


if __name__ == "__main__":
    main()
