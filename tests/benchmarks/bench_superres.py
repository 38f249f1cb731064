"""Shrink clips to half, compress them, restore them by Lanczos and by Enhance, and print how near each comes.

    python tests/benchmarks/bench_superres.py [CLIP ...] [--pictures 24] [--start 0] [--also NAME=WEIGHTS.onnx]

Each clip is halved (bicubic) and enlarged again: from the clean small clip, and from the small clip after
x264 and x265 at crf 23 and 28. Scores are those of FFmpeg's filters against the original: luma PSNR, VMAF and
VMAF-NEG (which gives nothing for mere sharpening). "flicker" is the mean over pixels of the difference between
the change from frame to frame and the original's change, in levels of luma, and "CPU ms" the CPU time of a
picture the whole way, decoding and lossless encoding included. All of one clip is measured in one run.

`--also` measures other weights beside the packaged ones. The model arnet-hdn of pyanime4k, another small network,
is measured too where pyanime4k is installed.

Without a clip the packaged samples that the network never saw are measured.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import resource
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, enlarging, pass_through
from ci_notebook.engine.render.super_resolution.network import WEIGHTS, Enlarger
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample

HELD_OUT = ("portrait", "screen", "technician", "telescope")
FPS = "25"
LOSSLESS = ["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-an"]
SIDES: dict[str, list[str]] = {"clean": LOSSLESS} | {
    f"{codec} {crf}": ["-c:v", f"lib{codec}", "-crf", str(crf), "-an", *words]
    for codec, words in (("x264", []), ("x265", ["-x265-params", "log-level=none"]))
    for crf in (23, 28)
}
COLUMNS = ("psnr", "vmaf", "vmaf_neg", "flicker")
HEAD = f"{'clip':<14} {'small side':<10} {'by':<10} {'PSNR-Y':>7} {'VMAF':>6} {'NEG':>6} {'flicker':>7} {'CPU ms':>7}"


def original(clip: Path, target: Path, *, pictures: int, start_s: float, short_side: int) -> tuple[int, int]:
    """Write the first pictures of a clip losslessly, cut to multiples of four; return half the size.

    Clips higher than `short_side` are reduced to it.
    """
    fit = f"scale=-2:'min(ih,{short_side})':flags=lanczos"
    cut = f"{fit},crop=trunc(iw/4)*4:trunc(ih/4)*4:0:0,format=yuv420p,setpts=N/25/TB"
    run(["-ss", start_s, "-i", clip, "-frames:v", pictures, "-vf", cut, "-r", FPS, *LOSSLESS, target])
    stream = media_info(target).stream
    assert stream is not None
    video = stream.video[0]
    return int(video.width or 0) // 2, int(video.height or 0) // 2


def scores(restored: Path, source: Path, folder: Path) -> dict[str, float]:
    """Return psnr, vmaf and vmaf_neg of a clip against its original."""
    models = r"version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=neg"
    log = folder / "vmaf.json"
    graph = (
        "[0:v]settb=1/25,setpts=N,split=2[a1][a2];[1:v]settb=1/25,setpts=N,split=2[b1][b2];"
        "[a1][b1]psnr=stats_file=psnr.log[p];"
        f"[a2][b2]libvmaf=model={models}:n_threads=2:log_fmt=json:log_path={log.name}[v]"
    )
    sinks = [word for label in "pv" for word in ("-map", f"[{label}]", "-f", "null", "-")]
    run(["-i", restored, "-i", source, "-lavfi", graph, *sinks], cwd=folder)
    pooled = json.loads(log.read_text())["pooled_metrics"]
    values = [float(value) for value in re.findall(r"psnr_y:(\S+)", (folder / "psnr.log").read_text())]
    return {
        "psnr": sum(min(value, 100.0) for value in values) / len(values),
        "vmaf": pooled["vmaf"]["mean"],
        "vmaf_neg": pooled["neg"]["mean"],
    }


def lumas(clip: Path, width: int, height: int) -> np.ndarray:
    """Return the luma of every frame as frames x height x width."""
    raw = clip.with_suffix(".gray")
    run(["-i", clip, "-vf", "extractplanes=y", "-f", "rawvideo", raw])
    return np.fromfile(raw, np.uint8).reshape(-1, height, width).astype(np.int16)


def flicker(restored: np.ndarray, source: np.ndarray) -> float:
    """Return how far the changes from frame to frame are from the original's, in levels of luma."""
    return float(np.abs(np.diff(restored, axis=0) - np.diff(source, axis=0)).mean())


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of `work` in ms, its programs included."""

    def spent() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    before = spent()
    work()
    return 1000 * (spent() - before)


def arnet() -> Callable[[np.ndarray], np.ndarray] | None:
    """Return pyanime4k's network arnet-hdn for a luma plane, or None where it is not installed."""
    if importlib.util.find_spec("pyanime4k") is None:
        return None
    processor: Any = importlib.import_module("pyanime4k").Processor(processor_type="cpu", model="arnet-hdn")
    return lambda plane: np.asarray(processor(np.ascontiguousarray(plane), 2.0)).reshape(2 * plane.shape[0], -1)


def measure(clip: Path, networks: dict[str, Any], *, pictures: int, start_s: float, short_side: int) -> dict[Any, Any]:
    """Print the rows of one clip; return the scores by side and way."""
    found: dict[Any, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, out = folder / "whole.mkv", folder / "out.mkv"
        width, height = original(clip, whole, pictures=pictures, start_s=start_s, short_side=short_side)
        truth = lumas(whole, 2 * width, 2 * height)
        halve = ["-vf", f"scale={width}:{height}:flags=bicubic", "-pix_fmt", "yuv420p"]
        for side, codec in SIDES.items():
            small = folder / "small.mkv"
            run(["-i", whole, *halve, *codec, small])
            ways: dict[str, Callable[[], object]] = {
                "lanczos": partial(run, ["-i", small, "-vf", "scale=2*iw:2*ih:flags=lanczos", *LOSSLESS, out])
            }
            pipe = Pipe(width, height, FPS)
            for way, network in networks.items():
                each = enlarging(pipe, network)
                ways[way] = partial(pass_through, ["-i", small], [*LOSSLESS, out], pipe, each=each)
            for way, work in ways.items():
                spent = cpu_ms(work) / len(truth)
                got = scores(out, whole, folder) | {"flicker": flicker(lumas(out, 2 * width, 2 * height), truth)}
                found[side, way] = got
                print(
                    f"{clip.stem[:14]:<14} {side:<10} {way:<10} {got['psnr']:7.2f} {got['vmaf']:6.1f}"
                    f" {got['vmaf_neg']:6.2f} {got['flicker']:7.2f} {spent:7.0f}",
                    flush=True,
                )
    return found


def summary(tables: list[dict[Any, Any]]) -> None:
    """Print the mean over clips of each way's gain over Lanczos, by side, and over the four compressed sides."""
    gains: dict[Any, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for table in tables:
        for (side, way), got in table.items():
            for key in COLUMNS:
                gain = got[key] - table[side, "lanczos"][key]
                gains[side, way][key].append(gain)
                if side != "clean":
                    gains["crf 23-28", way][key].append(gain)
    print(f"\nGain over Lanczos, mean of {len(tables)} clips (worst PSNR, highest flicker in brackets)")
    for (side, way), got in sorted(gains.items()):
        if way != "lanczos":
            means = {key: sum(values) / len(values) for key, values in got.items()}
            print(
                f"{side:<10} {way:<10} PSNR {means['psnr']:+.2f} ({min(got['psnr']):+.2f})  VMAF {means['vmaf']:+.2f}"
                f"  NEG {means['vmaf_neg']:+.2f}  flicker {means['flicker']:+.3f} ({max(got['flicker']):+.3f})"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--pictures", type=int, default=24, help="how many consecutive pictures of each clip")
    parser.add_argument("--start", type=float, default=0.0, help="where they begin, in seconds")
    parser.add_argument("--short-side", type=int, default=1080, help="larger clips are reduced to this height first")
    parser.add_argument("--threads", type=int, default=None, help="cores for the network")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FILE", help="other weights to measure")
    asked = parser.parse_args()
    networks: dict[str, Any] = {"Enhance": Enlarger(threads=asked.threads, weights=WEIGHTS)}
    for name, file in (one.split("=", 1) for one in asked.also):
        networks[name] = Enlarger(threads=asked.threads, weights=Path(file))
    if other := arnet():
        networks["arnet-hdn"] = other
    print(HEAD)
    options = {"pictures": asked.pictures, "start_s": asked.start, "short_side": asked.short_side}
    clips = asked.clips or [sample(name) for name in HELD_OUT]
    summary([measure(clip, networks, **options) for clip in clips])


if __name__ == "__main__":
    main()
