"""Scores: how an output compares with its source, and how pictures look by themselves.

VMAF rewards sharpening and contrast, VMAF-NEG does not: read both, and their difference as the
gain by enhancement. Both are blind to colour, and PSNR and SSIM fall when a knob works.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ci_notebook.media import look
from ci_notebook.media.ffmpeg import DEMUXERS, Progress, capabilities, run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.sampling import spread
from ci_notebook.model.errors import EngineError
from ci_notebook.model.media_info import MediaInfo, VideoStream

EVERY = 5  # VMAF of every fifth picture: 2.7 times as fast, and the mean moves by tenths
PSNR_MOST = 100.0  # dB, said for equal pictures, whose PSNR has no end
_HDR = ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over a clip, and the values they are means of.

    `pooled` maps `psnr` (dB, luma), `ssim` (luma, 0 to 1), `vmaf` and `vmaf_neg` (0 to 100) to
    their means. `pictures` maps the same names to one value a picture; VMAF's are those of every
    `every`-th picture, the others of all.
    """

    pooled: dict[str, float]
    pictures: dict[str, tuple[float, ...]]
    every: int


def measure(output: Path, source: Path, **more: Any) -> dict[str, float]:
    """Return the pooled scores of an output against its source. Takes and raises what `scores` does."""
    return scores(output, source, **more).pooled


def scores(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    crop: tuple[float, float, float, float] | None = None,
    rotate: float = 0.0,
    every: int = EVERY,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Scores:
    """Return what `measure` returns, and the values of single pictures beside it."""
    if crop or rotate:
        raise EngineError("a part of the source, or the source turned, is not compared yet", code="InvalidArgument")
    found = compare(output, source, start_s=start_s, every=every, on_progress=on_progress, cancel=cancel)
    return replace(found, pooled={**found.pooled, **by_itself(output)})


def compare(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    every: int = EVERY,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Scores:
    """Compare an output with its source, picture by picture, in one pass of FFmpeg.

    The source is scaled (bicubic) to the output's size and both are brought to the slower of the two
    rates. `start_s` says where in the source the output begins. Costs about 20 ms of both cores a
    1080p picture. Raises `EngineError` with the reason where a comparison would mean nothing: HDR
    against SDR, another length, another shape.
    """
    made, had = media_info(output), media_info(source)
    out, ref = first_video(made, output.name), first_video(had, source.name)
    length = _comparable(made, had, start_s)
    can = capabilities()
    if "libvmaf" not in can.filters:
        raise EngineError(f"the FFmpeg here ({can.version}) has no libvmaf. Use the one of imageio-ffmpeg.")
    with tempfile.TemporaryDirectory(prefix="ci-notebook-score-") as folder:
        begin = ["-ss", f"{start_s:.3f}"] if start_s else []
        safe = ["-format_whitelist", ",".join(DEMUXERS)]
        inputs: list[str | Path] = [
            *safe,
            "-i",
            output.resolve(),
            *begin,
            "-t",
            f"{length + 1:.3f}",
            *safe,
            "-i",
            source.resolve(),
        ]
        graph = _graph(out, ref, every)
        run(
            [*inputs, "-filter_complex", graph, "-map", "[p]", "-map", "[s]", "-map", "[v]", "-f", "null", "-"],
            total_s=length,
            on_progress=on_progress,
            cancel=cancel,
            cwd=Path(folder),
        )
        return _read(Path(folder), every)


def sharpness(path: Path, *, pictures: int = 8) -> float:
    """Return the mean variance of the Laplacian of luma over `pictures` pictures: fine detail, and noise."""
    return by_itself(path, pictures=pictures)["sharpness"]


def by_itself(path: Path, *, pictures: int = 8) -> dict[str, float]:
    """Return what needs no reference, as means over `pictures` pictures evenly spread.

    `sharpness` (variance of the Laplacian), `contrast` (RMS of luma, 0 to 0.5), `colourfulness`
    (Hasler and Süsstrunk), `noise` (Immerkær's sigma, of 255; fine texture counts too). Compare them
    only between clips of one size and one dynamic range.
    """
    rows = []
    for frame in spread(path, pictures):
        rgb = look.rgb_of(frame)
        luma = look.luma_of(rgb)
        rows.append((look.laplacian_variance(luma), look.contrast(luma), look.colourfulness(rgb), look.noise(luma)))
    names = ("sharpness", "contrast", "colourfulness", "noise")
    return {name: sum(row[i] for row in rows) / len(rows) for i, name in enumerate(names)}


def _comparable(made: MediaInfo, had: MediaInfo, start_s: float) -> float:
    """Return the common length in seconds, or raise the reason why there is none."""
    out, ref = first_video(made), first_video(had)
    if (out.color_transfer in _HDR) != (ref.color_transfer in _HDR):
        raise EngineError(
            f"HDR cannot be scored against SDR ({out.color_transfer} against {ref.color_transfer}): the numbers would "
            "compare codings of light, not pictures. Score the same setting without SDRtoHDR.",
            code="InvalidArgument",
        )
    length, whole = _length(made), _length(had) - start_s
    if abs(length - whole) > max(0.15, 2 / (ref.fps or 25)):
        raise EngineError(
            f"the output is {length:.2f} s long and the source {whole:.2f} s from {start_s:g} s on, so their pictures "
            "do not belong together. Say where in the source the output begins, and compare equal stretches.",
            code="InvalidArgument",
        )
    shape, had_shape = _shape(out), _shape(ref)
    if abs(shape / had_shape - 1) > 0.02:
        raise EngineError(
            f"the output's shape is {shape:.3f} to 1 and the source's {had_shape:.3f} to 1: it was cropped, turned or "
            "stretched, so their pictures do not belong together.",
            code="InvalidArgument",
        )
    return min(length, whole)


def _length(info: MediaInfo) -> float:
    return first_video(info).duration or (info.format.duration if info.format else None) or 0.0


def _shape(video: VideoStream) -> float:
    across, _, down = (video.sar or "1:1").partition(":")
    wide = (video.width or 1) * int(across or 1) / max(1, int(down or 1))
    turned = round((video.rotation or 0) / 90) % 2
    return (video.height or 1) / wide if turned else wide / (video.height or 1)


def _graph(out: VideoStream, ref: VideoStream, every: int) -> str:
    rate = min(out.fps or 25.0, ref.fps or 25.0)
    turned = round((out.rotation or 0) / 90) % 2
    width, height = (out.height, out.width) if turned else (out.width, out.height)
    kind = "yuv420p10le" if "10" in (out.pix_format or "") else "yuv420p"
    both = f"settb=AVTB,setpts=PTS-STARTPTS,fps={rate:.6g}"
    ends = f"setsar=1,format={kind},split=3"
    four_k = "_4k" if min(width or 0, height or 0) >= 2160 else ""
    models = "|".join(
        f"version=vmaf{four_k}_v0.6.1{neg}\\:name=vmaf{under}" for neg, under in (("", ""), ("neg", "_neg"))
    )
    threads = min(8, os.cpu_count() or 1)
    vmaf = f"log_fmt=json:log_path=vmaf.json:n_subsample={every}:n_threads={threads}:shortest=1:model='{models}'"
    scale = f"scale={width}:{height}:flags=bicubic+accurate_rnd:out_range=tv"
    return (
        f"[0:V:0]{both},scale=out_range=tv,{ends}[d1][d2][d3];"
        f"[1:V:0]{both},{scale},{ends}[r1][r2][r3];"
        f"[d1][r1]psnr=stats_file=psnr.txt:shortest=1[p];[d2][r2]ssim=stats_file=ssim.txt:shortest=1[s];"
        f"[d3][r3]libvmaf={vmaf}[v]"
    )


def _read(folder: Path, every: int) -> Scores:
    psnr = re.findall(r"psnr_y:(\S+)", (folder / "psnr.txt").read_text())
    ssim = re.findall(r"\bY:(\S+)", (folder / "ssim.txt").read_text())
    frames = json.loads((folder / "vmaf.json").read_text())["frames"]
    pictures = {
        "psnr": tuple(min(PSNR_MOST, float(value)) for value in psnr),
        "ssim": tuple(map(float, ssim)),
        "vmaf": tuple(float(frame["metrics"]["vmaf"]) for frame in frames),
        "vmaf_neg": tuple(float(frame["metrics"]["vmaf_neg"]) for frame in frames),
    }
    if not all(pictures.values()):
        raise EngineError("no picture of the output has one of the source beside it")
    return Scores({name: math.fsum(values) / len(values) for name, values in pictures.items()}, pictures, every)
