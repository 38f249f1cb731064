"""From the key to the picture: how long CompareView takes, in the kernel and in JupyterLab, and what it holds. Prints.

Run: python -m tests.benchmarks.bench_compare
The peer is what a notebook has without it: two pictures taken by `lab.look`'s snapshot at a time, again for every step.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from ci_notebook.media.frames import Frames
from ci_notebook.media.snapshot import encode_picture, picture
from tests.browser.jupyter import chromium, page_at, running_browser, running_server
from tests.frame_numbers import counting_clip

SIZES = {"640": "640x360", "1080p": "1920x1080"}
STEPS = 20
CELL = """\
import ci_notebook as ci
from pathlib import Path
lab = ci.connect()
view = ci.CompareView(lab, [Path("{name}-a.mp4"), Path("{name}-b.mp4")], at=5)
view"""
# Presses a key and waits until that picture is drawn; without `ahead` every press goes where nothing was fetched.
PRESS = """async ([key, count]) => {
    const root = document.querySelector('.cv').parentElement, pane = document.querySelector('.cv .wp-pane');
    const times = [];
    for (let step = 0; step < count; step++) {
        await new Promise(done => setTimeout(done, 250));
        const before = root.dataset.at, start = performance.now();
        const drawn = new Promise(done => {
            const seen = new MutationObserver(() => { if (root.dataset.at !== before) { seen.disconnect(); done(); } });
            seen.observe(root, { attributes: true });
        });
        pane.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, shiftKey: key.startsWith('Arrow') }));
        await drawn;
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - start);
    }
    return times;
}"""


def told(name: str, times: list[float]) -> None:
    print(f"     {name:52} median {statistics.median(times):7.1f} ms   slowest {max(times):7.1f} ms")


def timed(work: Any, count: int = STEPS) -> list[float]:
    times = []
    for step in range(count):
        start = time.perf_counter()
        work(step)
        times.append(1000 * (time.perf_counter() - start))
    return times


def in_the_kernel(folder: Path, name: str) -> None:
    print(f"{name}: two videos, a step, JPEGs 960 px wide at most, without the browser")
    paths = [folder / f"{name}-{side}.mp4" for side in "ab"]
    opened = [Frames(path) for path in paths]
    ours = timed(lambda step: [one.coded(10 + step, width=960) for one in opened])
    jumps = timed(lambda step: [one.coded((step * 37) % 100, width=960) for one in opened])
    apart = timed(lambda step: opened[0].difference(10 + step, opened[1], 10 + step, width=960))
    peer = timed(lambda step: [encode_picture(picture(path, (10 + step) / 25, width=960)) for path in paths])
    told("ours, a step on", ours)
    told("ours, a jump", jumps)
    told("ours, the difference of both, at full size", apart)
    told("peer, a snapshot of each by time", peer)
    print(f"     step: ours / peer = {statistics.median(ours) / statistics.median(peer):.2f}")
    held = sum(one.cached_frames * one.size[0] * one.size[1] * 1.5 for one in opened) / 1e6
    print(f"     decoded pictures held: {held:.0f} MB for both (bound 134 MB)")
    for one in opened:
        one.close()


def in_the_browser(desk: Any, name: str) -> None:
    desk.write(f"{name}.ipynb", CELL.format(name=name))
    desk.open(f"{name}.ipynb")
    desk.run_all()
    desk.page.wait_for_function("() => document.querySelector('.cv')?.parentElement.dataset.at === '5'", timeout=60_000)
    print(f"{name}: two videos in JupyterLab, from the key to both pictures drawn")
    told("a step on (the next two are fetched ahead)", desk.page.evaluate(PRESS, [".", STEPS]))
    told("ten pictures back, nothing fetched", desk.page.evaluate(PRESS, ["ArrowLeft", 2]))
    desk.page.keyboard.press("0")
    told("ten pictures on, nothing fetched", desk.page.evaluate(PRESS, ["ArrowRight", 6]))
    kernel = desk.ask("__import__('resource').getrusage(__import__('resource').RUSAGE_SELF).ru_maxrss")
    heap = desk.page.evaluate("() => performance.memory.usedJSHeapSize")
    print(f"     memory: kernel {kernel / 1024:.0f} MB at most, page's JavaScript heap {heap / 1e6:.0f} MB")
    desk.end_kernel()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        for name, size in SIZES.items():
            counting_clip(server.root / f"{name}-a.mp4", pictures=100, size=size, filters="noise=alls=3:allf=t")
            counting_clip(
                server.root / f"{name}-b.mp4", pictures=100, size=size, filters="noise=alls=1:allf=t,eq=contrast=1.1"
            )
            in_the_kernel(server.root, name)
        program = chromium()
        if program is None:
            print("no Chromium: the browser's part is left out")
            return
        with running_browser(program) as browser, page_at(server, browser, Path(folder) / "shots") as desk:
            for name in SIZES:
                in_the_browser(desk, name)
    print(f"memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    main()
