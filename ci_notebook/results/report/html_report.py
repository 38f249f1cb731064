"""The report: one HTML file that opens anywhere, with no kernel, no network and scripts off.

The page contains everything (style, charts, frames), escapes every text, and forbids the browser to load anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final, TypeAlias

import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.clip_labels import run_clip_labels
from ci_notebook.model.html import table_html
from ci_notebook.results.charts.style import highest
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.inline_chart import ChartAxes, figure_html
from ci_notebook.results.labels import (
    all_words,
    count,
    in_words,
    listed,
    number,
    setting_labels,
    short_name,
    varying,
    word_of,
)
from ci_notebook.results.report.before_after import Views, views_html, views_of
from ci_notebook.results.report.chart_choice import charts_of, headline_of
from ci_notebook.results.report.recipe import recipe
from ci_notebook.results.run_table import alike, count_text, score_notes, table
from ci_notebook.results.verdict.verdict import Verdict, all_verdicts

Snapshot: TypeAlias = Callable[[Path, float, int], bytes]
"""Takes a video, a time in s and a width in px; returns the frame there as JPEG."""

BYTES: Final = 5_000_000  # mail servers accept this; frames are left out for the rest
_CSS: Final = (Path(__file__).parent / "report.css").read_text("utf-8")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report(
    runs: Iterable[Run],
    path: str | Path,
    *,
    question: str = "",
    verdicts: Iterable[Verdict] | None = None,
    pictures: Views | None = None,
    snapshot: Snapshot | None = None,
    sources: Mapping[str, Path] | None = None,
    setup: str = "",
) -> Path:
    """Write one HTML file about runs and return its path.

    `question` is the headline; by default it is made from what varies. `verdicts` are those to show; by default
    every value of what varies is compared with the lowest, and an empty list shows none. `pictures` maps a heading
    to `(label, JPEG)` pairs that are shown in one place, one at a time; by default they are taken by `snapshot`
    from the outputs of the runs and from `sources` (object key or label of a clip → its local file). `setup` is the
    line of Python that makes the `lab` of the recipe. The file stays below 5 MB: frames that do not fit are left
    out, and the page says so.
    """
    listed_runs = list(runs)
    df = to_frame(listed_runs)
    judged = list(_judged(listed_runs, df) if verdicts is None else verdicts)
    clips, labels, lost = 0, run_clip_labels(listed_runs), ""
    if pictures is None and snapshot is not None:
        pictures, lost = _views(listed_runs, snapshot, sources or {})
        clips = len({label for run, label in zip(listed_runs, labels, strict=True) if run.ok and run.output})
    parts = [
        _head(listed_runs, df, question),
        _part("The answer", lambda: _answers(judged)),
        _part("The settings", lambda: _settings(listed_runs, df)),
        lost,
    ]
    tail = [
        _part("The charts", lambda: _charts(listed_runs)),
        _part("The table of the runs", lambda: _numbers(listed_runs, df)),
        _part("The versions of the scores", lambda: _scored_with(df)),
        _part("The alignment", lambda: _alignment(listed_runs, df)),
        _part("The price", lambda: _price(df)),
        _part("The recipe", lambda: _recipe(listed_runs, judged, setup)),
    ]
    room = BYTES - sum(len(part.encode()) for part in (*parts, *tail)) - 50_000
    page = _page(question or _question(df), [*parts, views_html(pictures or {}, room, clips=clips), *tail])
    path = Path(path)
    path.write_text(page, "utf-8", errors="backslashreplace")
    return path


def _part(name: str, make: Callable[[], str]) -> str:
    """Return a part of the page; where it cannot be made, a sentence that says why, since the runs are paid for."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest of the report is worth having
        return f"<p>{escape(f'{name} could not be made: {type(error).__name__}: {error}')}</p>"


def _views(
    runs: Sequence[Run], snapshot: Snapshot, sources: Mapping[str, Path]
) -> tuple[dict[str, list[tuple[str, bytes]]], str]:
    """Return the frames of the runs, and as for `_part` why there are none."""
    views: dict[str, list[tuple[str, bytes]]] = {}
    lost = _part("Before and after", lambda: views.update(views_of(runs, snapshot, sources)) or "")
    return views, lost


def _page(title: str, parts: Sequence[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>\n{_CSS}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(runs: Sequence[Run], df: pd.DataFrame, question: str) -> str:
    clips = list(dict.fromkeys(run_clip_labels(runs)))
    named = f": {listed(clips[:4])}" + (f" and {len(clips) - 4} more" if len(clips) > 4 else "") if clips else ""
    days = df["created"].dropna().dt.strftime("%Y-%m-%d")
    when = f" Jobs of {days.min()}{f' to {days.max()}' if days.min() != days.max() else ''}." if len(days) else ""
    cost = df["cost_cny"].sum()
    on = headline_of(df)
    best = f"{number(float(highest(df[df[on].notna()], on)[on]), 4)}" if on else ""
    facts = [(count_text(runs), "runs"), (str(len(clips)), "clip" if len(clips) == 1 else "clips")]
    facts += [(f"{number(float(cost), 4)} CNY", "price by the list")] if df["cost_cny"].notna().any() else []
    facts += [(best, f"highest {on}")] if on else []
    cells = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for value, name in facts)
    lead = f"Video enhancement of {count(len(clips), 'clip')}{named}.{when}"
    title = f"<h1>{escape(question or _question(df))}</h1>\n<p class='lead'>{escape(lead)}</p>"
    return f"{title}\n<ul class='facts'>{cells}</ul>"


def _question(df: pd.DataFrame) -> str:
    names = [short_name(name) for name in varying(df)]
    return f"What do {listed(names)} do to these videos?" if len(names) > 1 else (
        f"What does {names[0]} do to these videos?" if names else "What are the results of these runs?"
    )  # fmt: skip


def _answers(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return ""
    # Certain answers come first: readers open the page for them.
    ordered = sorted(verdicts, key=lambda one: (not one.is_sure, one.answer == "refused"))
    cards = "\n".join(f"<div class='answer'>{one._repr_html_()}</div>" for one in ordered)
    return f"<h2>Answer</h2>\n<div class='answers'>{cards}</div>"


def _settings(runs: Sequence[Run], df: pd.DataFrame) -> str:
    rows = []
    for name in varying(df):
        present = set(in_words(df, name))
        rows.append((name, ", ".join(word for word in all_words(df, name) if word in present)))
    common = ", ".join(f"{path} {word_of(value)}" for path, value in alike(runs, set(varying(df))).items())
    same = f"<p>The same in all: {escape(common)}.</p>" if common else ""
    if not rows:
        return f"<h2>Settings</h2>\n{same}" if same else ""
    return f"<h2>What was varied</h2>\n<div class='wide'>{table_html(rows, row_heads=True)}</div>\n{same}"


def _charts(runs: Sequence[Run]) -> str:
    figures = [_part("A chart", functools.partial(_drawn, chart)) for chart in charts_of(runs)]
    figures = [figure for figure in figures if figure]
    return "<h2>Charts</h2>\n<div class='charts'>" + "\n".join(figures) + "</div>" if figures else ""


def _drawn(chart: Callable[[], Axes]) -> str:
    axes = chart()
    figure = axes.get_figure(root=True)
    return figure_html(figure, axes.description) if figure is not None and isinstance(axes, ChartAxes) else ""


def _numbers(runs: Sequence[Run], df: pd.DataFrame) -> str:
    runs_html = table(runs)
    for name in varying(df):  # a path may wrap after its dots, so that the scores have room
        runs_html = runs_html.replace(f">{name}<", f">{name.replace('.', '.<wbr>')}<")
    return f"<h2>Every run</h2>\n<div class='wide'>{runs_html}</div>\n{_meaning(df)}"


def _scored_with(df: pd.DataFrame) -> str:
    """Return the models of VMAF v1, and why scores are missing."""
    models = dict.fromkeys(df["vmaf_v1_model"].dropna())
    texts = [f"VMAF v1 by the model{'s' if len(models) > 1 else ''} {listed(list(models))}."] if models else []
    return "\n".join(f"<p>{escape(text)}</p>" for text in (*texts, *score_notes(df)))


def _alignment(runs: Sequence[Run], df: pd.DataFrame) -> str:
    """Return how the outputs were aligned before scoring: one line where all are alike, else a table."""
    labels = zip(runs, df["clip"], setting_labels(df), strict=True)
    aligned = [(run, str(clip), label) for run, clip, label in labels if run.alignment]
    if not aligned:
        return ""
    texts = dict.fromkeys(str(run.alignment) for run, _, _ in aligned)
    head = "<h2>Alignment before scoring</h2>\n"
    if len(texts) == 1:
        return f"{head}<p>The same for every scored run: {escape(next(iter(texts)))}.</p>"
    rows = [(clip, label, str(run.alignment)) for run, clip, label in aligned]
    return f"{head}<div class='wide'>{table_html(rows, head=('clip', 'setting', 'alignment'))}</div>"


def _meaning(df: pd.DataFrame) -> str:
    against = set(df["score_against"].dropna())
    if not headline_of(df):
        return ""
    text = "VMAF rewards sharpening and contrast, VMAF-NEG does not: their difference is the gain by enhancement."
    if against == {"reference"}:
        text += " The scores compare with a true reference: they measure how near the result comes to it."
    elif "reference" not in against:
        text += (
            " The scores compare with the source that was enhanced: they measure change, so PSNR and SSIM fall when a "
            "setting works."
        )
    return f"<p class='lead' style='margin-top:.7rem'>{escape(text)}</p>"


def _price(df: pd.DataFrame) -> str:
    known = df["cost_cny"].dropna()
    if known.empty:
        return ""
    unknown = len(df) - len(known)
    more = f" The price of {count(unknown, 'run')} is unknown and not included." if unknown else ""
    text = (
        f"{number(float(known.sum()), 4)} CNY for {count(len(known), 'run')} by the price list, from "
        f"{number(float(known.min()))} to {number(float(known.max()))} CNY a run; without storage, requests, traffic "
        f"and transcoding. Runs on the embedded engine cost nothing: this is what the cloud would have charged.{more}"
    )
    return f"<h2>Price</h2>\n<p>{escape(text)}</p>"


def _recipe(runs: Sequence[Run], verdicts: Sequence[Verdict], setup: str) -> str:
    lines, versions = recipe(runs, verdicts, setup=setup)
    return (
        f"<h2>How to repeat it</h2>\n<pre>{escape(lines)}</pre>\n"
        f"<footer>{escape(versions)}. This page loads nothing and runs nothing.</footer>"
    )


def _judged(runs: list[Run], df: pd.DataFrame) -> Iterable[Verdict]:
    """Return the verdicts that are shown by default."""
    return all_verdicts(runs) if headline_of(df) else []
