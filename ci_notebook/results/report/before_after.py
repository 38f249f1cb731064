"""Before and after in one place: frames on top of each other, one shown at a time, without a script.

A view is a row of radio buttons and a stack of frames; the style sheet shows the frame whose button is selected.
It works with the mouse and the arrow keys; in print the frames are below each other.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.scores import HEADLINES
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.labels import count, number, setting_labels
from ci_notebook.results.verdict.run_pairs import values_per_frame

Views: TypeAlias = Mapping[str, Sequence[tuple[str, bytes]]]
"""Heading → label and JPEG of the frames that are shown in one place."""

# Up to so many frames get this width in px: fewer may be larger.
_WIDTHS: Final = ((10, 960), (20, 720), (40, 480))
_MOST: Final = 40


def views_of(
    runs: Sequence[Run], snapshot: Callable[[Path, float, int], bytes], sources: Mapping[str, Path]
) -> dict[str, list[tuple[str, bytes]]]:
    """Return one view per clip: its source, if known, and the output of every setting, all at one time.

    The time is where the settings differ most by a score with values per frame; otherwise the middle.
    """
    df = to_frame(runs)
    labels = setting_labels(df)
    clips: dict[str, list[int]] = {}
    for place, (run, clip) in enumerate(zip(runs, df["clip"], strict=True)):
        if run.output is not None and run.ok:
            clips.setdefault(clip, []).append(place)
    total = sum(len(places) + 1 for places in clips.values())
    width = next((px for most, px in _WIDTHS if total <= most), _WIDTHS[-1][1])
    views: dict[str, list[tuple[str, bytes]]] = {}
    for clip, places in list(clips.items()):
        if sum(map(len, views.values())) + len(places) > _MOST:
            break
        at = _moment([runs[place] for place in places], df["fps"].iloc[places[0]], df["duration_s"].iloc[places[0]])
        source = source_file(sources, runs[places[0]], clip)
        frames = [("source", snapshot(source, at, width))] if source is not None else []
        for place in places:
            output = runs[place].output
            assert output is not None  # noqa: S101 - only runs with an output are listed
            frames.append((str(labels.iloc[place]), snapshot(output, at, width)))
        views[f"{clip} at {number(at)} s"] = frames
    return views


def source_file(sources: Mapping[str, Path], run: Run, label: str) -> Path | None:
    """Return the local file of a run's clip, which `sources` names by its object key or by its label."""
    return next((sources[name] for name in (run.clip_key, label) if name and name in sources), None)


def views_html(views: Views, room: int, *, clips: int = 0) -> str:
    """Return the views as HTML of at most `room` bytes; frames that do not fit, of so many clips, are counted."""
    if not views:
        return ""
    frames, omitted = [], 0
    for place, (heading, pictures) in enumerate(views.items()):
        size = sum(len(jpeg) * 4 // 3 for _, jpeg in pictures) + 2_000
        if size > room:
            omitted += len(pictures)
            continue
        room -= size
        frames.append(_view(f"v{place}", heading, pictures))
    more = (
        f"<p>{count(omitted, 'picture')} left out, because the file would be too large to send.</p>" if omitted else ""
    )
    first = f"<p>The first {len(views)} of {clips} clips are shown.</p>" if len(views) < clips else ""
    return "<h2>Before and after</h2>\n" + "\n".join(frames) + more + first


def _view(name: str, heading: str, pictures: Sequence[tuple[str, bytes]]) -> str:
    buttons = "".join(
        f"<input type='radio' name='{name}' id='{name}-{at}'{' checked' if at == 0 else ''}>"
        f"<label for='{name}-{at}'>{escape(label)}</label>"
        for at, (label, _) in enumerate(pictures)
    )
    stack = "".join(
        f"<figure class='p{at}'><img alt='{escape(f'{heading}: {label}', quote=True)}' "
        f"src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}'>"
        f"<figcaption>{escape(heading)}: {escape(label)}</figcaption></figure>"
        for at, (label, jpeg) in enumerate(pictures)
    )
    rules = "".join(f"#{name}-{at}:checked~.stage .p{at}{{visibility:visible}}" for at in range(len(pictures)))
    named = f"role='group' aria-label='{escape(heading, quote=True)}'"
    return f"<style>{rules}</style><div class='view' {named}>{buttons}<div class='stage'>{stack}</div></div>"


def _moment(runs: Sequence[Run], fps: float, duration_s: float) -> float:
    """Return the time in s where the frames of the runs differ most, or the middle of the clip."""
    middle = 0.0 if np.isnan(_plain(duration_s)) else round(_plain(duration_s) / 2, 2)
    for on in (score.name for score in HEADLINES if score.per_frame):
        values = [values_per_frame(run, on) for run in runs]
        if all(values) and len(runs) > 1 and not np.isnan(_plain(fps)):
            shortest = min(map(len, values))
            spread = np.ptp(np.array([one[:shortest] for one in values]), axis=0)
            return round(int(spread.argmax()) * max(1, runs[0].every) / _plain(fps), 2)
    return middle


def _plain(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
