"""Lists of JobsDetail to frames: ours, the SDK with json_normalize, pandas.read_xml, and lxml by hand.

    python -m tests.benchmarks.bench_frame [jobs]

Prints microseconds of CPU time a job, the ratios of targets G3, and the memory of G4. Asserts nothing.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from lxml import etree

from tests.results.jobs_xml import done, response

NUMBERS = {
    "Progress", "Width", "Height", "Fps", "Bitrate", "Size", "Duration", "NumFrames", "Rotation", "SampleRate",
    "Channel", "Contrast", "Correction", "Saturation", "SharpenLevel", "Crf", "JobLevel",
}  # fmt: skip
TIMES = {"CreationTime", "StartTime", "EndTime"}


def by_hand(path: Path) -> pd.DataFrame:
    """Walk every job, one list a leaf that occurs, one conversion a column: what a careful script would do."""
    lists: dict[str, list[tuple[int, str]]] = {}
    count = 0
    for _, job in etree.iterparse(str(path), tag="JobsDetail"):
        stack = [("", job)]
        while stack:
            prefix, element = stack.pop()
            for child in element:
                name = prefix + child.tag
                if len(child):
                    stack.append((name + ".", child))
                elif child.text:
                    lists.setdefault(name, []).append((count, child.text))
        count += 1
        job.clear()
        while job.getprevious() is not None:
            del job.getparent()[0]
    made = {}
    for name, found in lists.items():
        leaf = name.rpartition(".")[2]
        if leaf in NUMBERS:
            values = np.full(count, np.nan)
            for row, text in found:
                values[row] = float(text)
            made[name] = values
        else:
            texts: list[str | None] = [None] * count
            for row, text in found:
                texts[row] = text
            made[name] = pd.to_datetime(pd.Series(texts), utc=True) if name in TIMES else texts
    return pd.DataFrame(made)


def ours(path: Path) -> pd.DataFrame:
    """Read with `read_jobs`."""
    from ci_notebook.results.dataframe import read_jobs

    return read_jobs(path)


def ours_from_nodes(path: Path) -> pd.DataFrame:
    """Read into the model first, then `to_frame`: what a client does."""
    from ci_notebook.model.api.jobs import Response
    from ci_notebook.results.dataframe import to_frame
    from ci_notebook.wire.xml import loads

    return to_frame(loads(Response, path.read_bytes()))


def sdk(path: Path) -> pd.DataFrame:
    """Do as the official SDK does (`xml_to_dict`), and flatten."""
    from qcloud_cos.cos_comm import xml_to_dict

    return pd.json_normalize(xml_to_dict(path.read_bytes())["JobsDetail"])


def read_xml(path: Path) -> pd.DataFrame:
    """Let pandas read 18 leaves; it cannot tell equal tags in different nodes apart."""
    tags = ["Code", "Message", "JobId", "State", "Progress", "CreationTime", "StartTime", "EndTime", "QueueId", "Tag"]
    tags += ["BucketId", "Object", "Region", "TemplateId", "Duration", "Size", "UserData", "JobLevel"]
    return pd.read_xml(str(path), iterparse={"JobsDetail": tags}, parser="lxml")


WAYS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "lxml by hand": by_hand, "ours": ours, "ours, through the model": ours_from_nodes, "SDK + json_normalize": sdk,
    "pandas.read_xml": read_xml,
}  # fmt: skip


def write(path: Path, count: int) -> None:
    """Write an answer that lists `count` jobs."""
    with path.open("wb") as file:
        file.write(b"<Response>")
        for number in range(count):
            file.write(done(number).encode())
        file.write(b"</Response>")


def cpu_us(way: Callable[[Path], pd.DataFrame], path: Path, count: int, times: int = 5) -> float:
    """Return the least CPU time a job, in microseconds."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        way(path)
        best = min(best, time.process_time() - start)
    return best / count * 1e6


def peak_mib(name: str, path: Path) -> tuple[float, float]:
    """Return the peak memory of reading once in a fresh process: above what it had before, and in all, in MiB."""
    code = "import sys, pathlib as p, tests.benchmarks.bench_frame as b; b.peak(sys.argv[1], p.Path(sys.argv[2]))"
    told = subprocess.run([sys.executable, "-c", code, name, str(path)], check=True, capture_output=True, text=True)
    before, after = map(int, told.stdout.split())
    return (after - before) / 1024, after / 1024


def peak(name: str, path: Path) -> None:
    """Print the peak memory of this process before and after reading once, in KiB."""
    small = path.with_name("one.xml")
    small.write_bytes(response(done(1)))
    WAYS[name](small)  # what is imported on the way is not counted
    before = peak_kib()
    kept = WAYS[name](path)
    print(before, peak_kib() if len(kept) else 0)


def peak_kib() -> int:
    """Return the peak memory of this program. Linux's ru_maxrss would tell that of its parent, if larger."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.xml"
        write(path, count)
        size = path.stat().st_size
        print(f"{count} jobs, {size / count:.0f} bytes of XML a job")
        slow = min(count, 1000)
        small = Path(folder) / "small.xml"
        write(small, slow)
        us = {name: cpu_us(way, path, count) for name, way in list(WAYS.items())[:2]}
        us |= {name: cpu_us(way, small, slow, 2) for name, way in list(WAYS.items())[2:]}
        for name, spent in us.items():
            print(f"  {name:26s} {spent:7.0f} us a job   {spent / us['lxml by hand']:5.2f} x by hand")
        print(f"G3: {us['ours'] / us['lxml by hand']:.2f} x floor (target 1.25),", end=" ")
        print(f"{us['ours'] / us['SDK + json_normalize']:.2f} x SDK (target 0.30)")
        large = Path(folder) / "large.xml"
        write(large, 20 * count)
        used, whole = peak_mib("ours", large)
        print(f"G4: {20 * count} jobs, {large.stat().st_size / 1e6:.0f} MB of XML:", end=" ")
        print(f"{used * 1024 / (20 * count):.1f} kB a job (target 6), {whole:.0f} MiB in all (target 600 at 100,000)")


if __name__ == "__main__":
    main()
