"""The monitor with 1,000 jobs: what it costs the kernel, the wire and the page. Prints; asserts nothing.

The peer is what is usually done: a table of all jobs as HTML, sent again at each poll.

Run: python -m tests.benchmarks.bench_monitor
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median as middle

import ipywidgets

import ci_notebook as ci
from ci_notebook.model.api.jobs import JobsDetail
from tests.benchmarks.bench_panel import recorded
from tests.browser.jupyter import chromium, page_at, running_browser, running_server
from tests.ledger_jobs import fill

JOBS = 1000
CELL = """\
import ci_notebook as ci
from tests.ledger_jobs import fill
lab = ci.connect(home={home!r})
clip = lab.upload(ci.sample())
ids = fill(lab, clip, {jobs})"""
MONITOR = "monitor = ci.Monitor(lab)\nmonitor"
DRAWN = """async ([cell, total]) => {
    const start = performance.now();
    window.jupyterapp.commands.execute('notebook:run-cell');
    while (!document.querySelector('.ci-monitor .ci-chip')?.textContent.startsWith(`All ${total}`)) await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""  # noqa: E501
SCROLL = """async () => {
    const grid = document.querySelector('.ci-jgrid'), times = [];
    let before = performance.now();
    for (let at = 0; at < 60; at += 1) {
        grid.scrollTop = at * (grid.scrollHeight - grid.clientHeight) / 59;
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - before);
        before = performance.now();
    }
    return times;
}"""
FILTER = """async () => {
    const box = document.querySelector('.ci-jwords'), grid = document.querySelector('.ci-jgrid'), times = [];
    for (const words of ['c', 'co', 'contrast', 'contrast 3', '']) {
        const start = performance.now();
        box.value = words;
        box.dispatchEvent(new Event('input'));
        await new Promise(requestAnimationFrame);
        grid.getBoundingClientRect();
        times.push(performance.now() - start);
    }
    return times;
}"""


def cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def report_kernel(home: Path) -> None:
    with ci.connect(home=home) as lab, recorded() as sent:
        fill(lab, lab.upload(ci.sample()), JOBS)
        monitor = ci.Monitor(lab)
        sent.clear()
        first = cpu_ms(monitor.refresh)
        print(f"     first reading of {JOBS} jobs, engine included {first:9.1f} ms CPU, {len(sent)} messages, ", end="")
        print(f"{sum(sent) / 1000:.1f} kB")
        sent.clear()
        whole = cpu_ms(lambda: monitor.send({"do": "all", "rows": monitor._list.rows()}))
        print(f"     all rows to a page                       {whole:9.1f} ms CPU, {sum(sent) / 1000:.1f} kB")
        monitor._is_greeted = True  # a page is there from here on
        sent.clear()
        still = middle(cpu_ms(monitor.refresh) for _ in range(10))
        print(f"     a poll without news                      {still:9.1f} ms CPU, {len(sent)} messages")
        running = [monitor.jobs[0]]
        moves = []
        sent.clear()
        for percent in range(1, 51):
            now = JobsDetail(**{**_parts(running[0]), "state": "Running", "progress": percent})
            moves.append(cpu_ms(lambda now=now: monitor._list.update([now])))
        ours = sum(sent) / len(sent)
        print(f"     a job's progress                         {middle(moves):9.1f} ms CPU, {ours:.0f} bytes")
        table = ipywidgets.HTML()
        rows = monitor._list.rows()
        sent.clear()
        peer = []
        for at in range(5):
            peer.append(cpu_ms(lambda at=at: setattr(table, "value", f"<!--{at}-->{_plain(rows)}")))
        theirs = sum(sent) / len(sent)
        print(f"     the peer's, all rows as HTML             {middle(peer):9.1f} ms CPU, {theirs:.0f} bytes,", end=" ")
        print(f"{theirs / ours:.0f} × ours")
        monitor.close()


def _parts(job: JobsDetail) -> dict[str, object]:
    return {name: value for name, value in vars(job).items() if name[0] != "_" and name != "unknown"}


def _plain(rows: dict[str, dict[str, object]]) -> str:
    cells = (
        "".join(f"<td>{row[name]}</td>" for name in ("clip", "set", "state", "pct", "cost", "why"))
        for row in rows.values()
    )
    return f"<table>{''.join(f'<tr>{one}</tr>' for one in cells)}</table>"


def report_page(home: Path) -> None:
    program = chromium()
    if program is None:
        print("     no Chromium is installed, so nothing of the page")
        return
    with (
        running_server(home) as server, running_browser(program) as browser,
        page_at(server, browser, home / "shots") as desk,
    ):  # fmt: skip
        desk.write("bench.ipynb", CELL.format(home=str(home / "lab"), jobs=JOBS), MONITOR)
        desk.open("bench.ipynb")
        desk.command("notebook:run-all-cells")
        desk.page.wait_for_function(
            f"() => document.querySelector('.ci-chip')?.textContent === 'All {JOBS}'", timeout=120_000
        )
        desk.page.evaluate("document.querySelector('.ci-monitor').remove()")
        desk.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
        drawn = desk.page.evaluate(DRAWN, ["", JOBS])
        print(f"     cell to {JOBS} jobs in the page              {drawn:9.0f} ms")
        nodes = desk.page.evaluate("document.querySelectorAll('.ci-jspace .ci-jrow').length")
        frames = sorted(desk.page.evaluate(SCROLL))
        print(f"     scrolling, a picture every               {middle(frames):9.1f} ms, worst {frames[-1]:.0f}", end="")
        print(f"; {nodes} rows are nodes")
        typed = desk.page.evaluate(FILTER)
        print(f"     a letter in the filter                   {middle(typed):9.1f} ms, slowest {max(typed):.0f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        report_kernel(Path(name) / "kernel")
        if "--no-page" not in sys.argv:
            (Path(name) / "page").mkdir()
            report_page(Path(name) / "page")


if __name__ == "__main__":
    main()
