"""Embed digital watermarks in clips, process the clips as videos usually are, and print the texts read back.

    python -m tests.benchmarks.bench_digital_watermark [CLIP ...] [--seconds 3] [--start 0] [--messages ...]

A number in the table is the margin in dB above the level at which reading fails (at 6 dB half the
amplitude would have done); -- is a message that was not read, WRONG one that was read wrongly. Each
clip is marked as a job does it, encoded by x264 at crf 23 ("as is"), and that file takes each
route. Before: what the watermark costs in luma PSNR, in VMAF against the same clip encoded without it,
and in size of the file. Then: the time it adds to a picture, the time of measuring a clip and of reading
one, and how many readings of unmarked clips and of wrong keys found anything. `--messages` chooses the
texts. Times are of one run on one machine; what is compared takes turns.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from ci_notebook.engine.render.digital_watermark.pattern import amplitude, blend_filter, extract, pattern, psnr
from ci_notebook.engine.render.digital_watermark.strength import needed_strength
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample, samples
from ci_notebook.media.scoring.score import compare
from ci_notebook.model.setting.shape import Size

MESSAGES = {
    "16 letters": "ci_notebook-2026",
    "16 Chinese": "数据万象视频增强实验室的隐形水印",
    "64 letters": "ci_notebook-2026" * 4,
    "64 Chinese": "数据万象视频增强实验室的隐形水印" * 4,
}
_X264 = ("-c:v", "libx264", "-preset", "medium")
_X265 = ("-c:v", "libx265", "-preset", "fast", "-x265-params", "log-level=error")
JOURNEYS: dict[str, tuple[str, ...]] = {
    "as is": (),
    "x264 crf 28": (*_X264, "-crf", "28"),
    "x265 crf 28": (*_X265, "-crf", "28"),
    "av1 crf 40": ("-c:v", "libsvtav1", "-preset", "10", "-crf", "40"),
    "1 s cut, crf 23": ("-ss", "0.7", "-t", "1", *_X264, "-crf", "23"),
    "half, veryfast": ("-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", *_X264[:3], "veryfast", "-crf", "23"),
    "half, crf 23": ("-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", *_X264, "-crf", "23"),
}


def margin(path: Path, message: str) -> str:
    """Return what was read, as the table shows it."""
    found = extract(path)
    if found.message is None:
        return "--"
    return f"{found.margin_db:.1f}" if found.message == message else "WRONG"


def journeys(clip: Path, folder: Path, messages: list[str]) -> None:
    """Print a row a message for one clip."""
    stream = media_info(clip).stream
    assert stream is not None
    width, height = int(stream.video[0].width or 0), int(stream.video[0].height or 0)
    print(f"\n{clip.stem}, {width}x{height}")
    print(
        f"{'message':<12} {'rms':>5} {'grid':>6} {'PSNR':>5} {'VMAF':>5} {'size':>6} "
        + " ".join(f"{name:>15}" for name in JOURNEYS)
    )
    encode(clip, folder / "plain.mp4", None)
    for name in messages:
        message = MESSAGES[name]
        strength = needed_strength(clip, message, Size(width, height), amplitude(width, height, message))
        still = pattern(message, width, height, amplitude=strength.level, coarse=strength.coarse)
        (folder / "mark.y4m").write_bytes(still)
        encode(clip, folder / "marked.mp4", folder / "mark.y4m")
        row = []
        for arguments in JOURNEYS.values():
            if arguments:
                run(["-i", folder / "marked.mp4", *arguments, "-an", folder / "after.mp4"])
            row.append(margin(folder / ("after.mp4" if arguments else "marked.mp4"), message))
        grown = (folder / "marked.mp4").stat().st_size / (folder / "plain.mp4").stat().st_size - 1
        vmaf = compare(folder / "marked.mp4", folder / "plain.mp4", every=1).pooled["vmaf"]
        cells = " ".join(f"{one:>15}" for one in row)
        grid = "coarse" if strength.coarse else "fine"
        costs = f"{psnr(strength.level):>5.1f} {vmaf:>5.1f} {grown:>+6.0%}"
        print(f"{name:<12} {strength.level:>5.2f} {grid:>6} {costs} {cells}", flush=True)
    wrong = [extract(folder / "marked.mp4", key=b"key %d" % number).message for number in range(4)]
    unmarked = [extract(folder / "plain.mp4").message]
    print(f"read where nothing is: {sum(one is not None for one in [*wrong, *unmarked])} of {len(wrong + unmarked)}")


def encode(clip: Path, output: Path, mark: Path | None) -> None:
    """Encode a clip at crf 23, with or without the mark."""
    if mark is None:
        run(["-i", clip, "-an", "-pix_fmt", "yuv420p", *_X264, "-crf", "23", output])
        return
    graph = blend_filter("0:v", "1:v", "out", pixel_format="yuv420p")
    run(["-i", clip, "-i", mark, "-filter_complex", graph, "-map", "[out]", *_X264, "-crf", "23", output])


def times(folder: Path, *, rounds: int = 5, pictures: int = 48) -> None:
    """Print what the mark adds to a picture at 1080p, without encoding, and what reading one costs."""
    source = ["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=24,format=yuv420p"]
    (folder / "hd.y4m").write_bytes(pattern("ci_notebook", 1920, 1080, amplitude=1.5))
    graph = blend_filter("0:v", "1:v", "out", pixel_format="yuv420p")
    sink = ["-frames:v", str(pictures), "-f", "null", "-"]
    plain, marked = [], []
    for _ in range(rounds):
        plain.append(processor_s([*source, *sink]))
        inputs: list[str | Path] = [*source, "-i", folder / "hd.y4m"]
        marked.append(processor_s([*inputs, "-filter_complex", graph, "-map", "[out]", *sink]))
    added = (statistics.median(marked) - statistics.median(plain)) / pictures
    run([*source, "-frames:v", str(pictures), "-c:v", "libx264", "-preset", "ultrafast", folder / "hd.mp4"])
    before = time.perf_counter()
    read = extract(folder / "hd.mp4").pictures
    reading = time.perf_counter() - before
    before = time.perf_counter()
    needed_strength(folder / "hd.mp4", "ci_notebook", Size(1920, 1080), 1.5)
    print(f"\n1920x1080: measuring how much a clip needs takes {time.perf_counter() - before:.1f} s elapsed")
    print(f"1920x1080: the mark adds {added * 1e3:.1f} ms of processor time a picture")
    print(f"reading an unmarked clip (the most expensive case): {reading:.2f} s elapsed for {read} pictures")


def processor_s(arguments: list[str | Path]) -> float:
    """Return the seconds of processor time that one run of FFmpeg took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure the clips that were named, or the packaged samples."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("clips", nargs="*", type=Path)
    ask.add_argument("--seconds", type=float, default=3.0)
    ask.add_argument("--start", type=float, default=0.0)
    ask.add_argument("--messages", nargs="*", choices=MESSAGES, default=["16 letters"])
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in asked.clips or [sample(name) for name in samples()]:
            cut = folder / f"{clip.stem}.mkv"
            run(["-ss", asked.start, "-t", asked.seconds, "-i", clip, "-an", "-c:v", "libx264", "-crf", "8", cut])
            journeys(cut, folder, asked.messages)
        times(folder)


if __name__ == "__main__":
    main()
