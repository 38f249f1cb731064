"""Shrink clips to half, restore them by Lanczos and by Enhance, and print how near each comes to the original.

    python tests/benchmarks/bench_superres.py [CLIP ...] [--pictures 24] [--start 0]

Each clip is halved (bicubic) and enlarged again, once from the clean small clip and once from one
that x264 has compressed at crf 26. Scores are those of FFmpeg's filters against the original: luma
PSNR and SSIM, VMAF and VMAF-NEG (which gives nothing for mere sharpening). The times are CPU time
of a picture the whole way, decoding and lossless encoding included, in one run on one machine.

Without a clip the packaged sample is measured; the network was trained on pictures of that clip,
so its row shows that all is in order, not how well the network does on what it has never seen.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, enlarging, pass_through
from ci_notebook.engine.render.super_resolution.network import Enlarger
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample

FPS = "25"
LOSSLESS = ["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-an"]
HEAD = f"{'clip':<20} {'small side':<10} {'by':<8} {'PSNR-Y':>7} {'SSIM-Y':>7} {'VMAF':>6} {'NEG':>6} {'CPU ms':>8}"


def original(clip: Path, target: Path, *, pictures: int, start_s: float) -> tuple[int, int]:
    """Write the first pictures of a clip losslessly, cut to multiples of four; return the half size."""
    cut = "crop=trunc(iw/4)*4:trunc(ih/4)*4:0:0,format=yuv420p,setpts=N/25/TB"
    run(["-ss", start_s, "-i", clip, "-frames:v", pictures, "-vf", cut, "-r", FPS, *LOSSLESS, target])
    stream = media_info(target).stream
    assert stream is not None
    video = stream.video[0]
    return int(video.width or 0) // 2, int(video.height or 0) // 2


def scores(output: Path, source: Path, folder: Path) -> dict[str, float]:
    """Return psnr, ssim (luma), vmaf and vmaf_neg of a clip against its original."""
    models = r"version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=neg"
    log = folder / "vmaf.json"
    graph = (
        "[0:v]settb=1/25,setpts=N,split=3[a1][a2][a3];[1:v]settb=1/25,setpts=N,split=3[b1][b2][b3];"
        "[a1][b1]psnr=stats_file=psnr.log[p];[a2][b2]ssim=stats_file=ssim.log[s];"
        f"[a3][b3]libvmaf=model={models}:n_threads=2:log_fmt=json:log_path={log.name}[v]"
    )
    sinks = [word for label in "psv" for word in ("-map", f"[{label}]", "-f", "null", "-")]
    run(["-i", output, "-i", source, "-lavfi", graph, *sinks], cwd=folder)
    pooled = json.loads(log.read_text())["pooled_metrics"]
    return {
        "psnr": _mean((folder / "psnr.log").read_text(), r"psnr_y:(\S+)"),
        "ssim": _mean((folder / "ssim.log").read_text(), r" Y:(\S+)"),
        "vmaf": pooled["vmaf"]["mean"],
        "vmaf_neg": pooled["neg"]["mean"],
    }


def _mean(text: str, pattern: str) -> float:
    values = [float(value) for value in re.findall(pattern, text)]
    return sum(values) / len(values)


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of `work` in ms, its programs included."""

    def spent() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    before = spent()
    work()
    return 1000 * (spent() - before)


def measure(clip: Path, enlarger: Enlarger, *, pictures: int, start_s: float, note: str = "") -> None:
    """Print the four rows of one clip, and what Enhance gains."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, out = folder / "whole.mkv", folder / "out.mkv"
        width, height = original(clip, whole, pictures=pictures, start_s=start_s)
        halve = ["-vf", f"scale={width}:{height}:flags=bicubic", "-pix_fmt", "yuv420p"]
        for side, codec in (("clean", LOSSLESS), ("crf 26", ["-c:v", "libx264", "-crf", "26", "-an"])):
            small = folder / "small.mkv"
            run(["-i", whole, *halve, *codec, small])
            lanczos = ["-i", small, "-vf", "scale=2*iw:2*ih:flags=lanczos", *LOSSLESS, out]
            pipe = Pipe(width, height, FPS)
            enhance = partial(pass_through, ["-i", small], [*LOSSLESS, out], pipe, each=enlarging(pipe, enlarger))
            ways: dict[str, Callable[[], object]] = {"lanczos": partial(run, lanczos), "Enhance": enhance}
            found = {}
            for way, work in ways.items():
                spent = cpu_ms(work) / pictures
                found[way] = got = scores(out, whole, folder)
                print(
                    f"{clip.stem[:20]:<20} {side:<10} {way:<8} {got['psnr']:7.2f} {got['ssim']:7.4f}"
                    f" {got['vmaf']:6.1f} {got['vmaf_neg']:6.1f} {spent:8.0f}{note}"
                )
            gain = {key: found["Enhance"][key] - found["lanczos"][key] for key in found["lanczos"]}
            print(
                f"{'':<20} {'':<10} {'gain':<8} {gain['psnr']:+7.2f} {gain['ssim']:+7.4f}"
                f" {gain['vmaf']:+6.1f} {gain['vmaf_neg']:+6.1f}   ({2 * width}x{2 * height})",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--pictures", type=int, default=24, help="how many consecutive pictures of each clip")
    parser.add_argument("--start", type=float, default=0.0, help="where they begin, in seconds")
    parser.add_argument("--threads", type=int, default=None, help="cores for the network")
    asked = parser.parse_args()
    enlarger = Enlarger(threads=asked.threads)
    print(HEAD)
    for clip in asked.clips or [sample()]:
        note = "" if asked.clips else "  (trained on this clip)"
        measure(clip, enlarger, pictures=asked.pictures, start_s=asked.start, note=note)


if __name__ == "__main__":
    main()
