"""Before and after in one place: pictures on top of each other, one shown at a time, without a script.

Each view is a row of radio buttons and a stack of pictures; the style sheet shows the picture whose
button is chosen. It works by mouse and by arrow keys; on paper the pictures stand below each other.
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
from ci_notebook.results.verdict.run_pairs import pictures_of

Views: TypeAlias = Mapping[str, Sequence[tuple[str, bytes]]]
"""Heading → label and JPEG of the pictures that are shown in one place."""

# Width of the pictures for up to so many of them: fewer may be larger.
_WIDTHS: Final = ((10, 960), (20, 720), (40, 480))
_MOST: Final = 40


def views_of(
    runs: Sequence[Run], snapshot: Callable[[Path, float, int], bytes], sources: Mapping[str, Path]
) -> dict[str, list[tuple[str, bytes]]]:
    """Return a view a clip: its source, if known, and what every setting made of it, all at one moment.

    The moment is where the settings differ most by the score that there is a value a picture of;
    otherwise the middle.
    """
    df = to_frame(runs)
    labels = setting_labels(df)
    clips: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        if run.output is not None and run.ok:
            clips.setdefault(run.clip, []).append(place)
    wanted = sum(len(places) + 1 for places in clips.values())
    width = next((px for most, px in _WIDTHS if wanted <= most), _WIDTHS[-1][1])
    made: dict[str, list[tuple[str, bytes]]] = {}
    for clip, places in list(clips.items()):
        if sum(map(len, made.values())) + len(places) > _MOST:
            break
        at = _moment([runs[place] for place in places], df["fps"].iloc[places[0]], df["duration_s"].iloc[places[0]])
        shown = [("source", snapshot(sources[clip], at, width))] if clip in sources else []
        for place in places:
            output = runs[place].output
            assert output is not None  # noqa: S101 - chosen above for having one
            shown.append((str(labels.iloc[place]), snapshot(output, at, width)))
        made[f"{clip} at {number(at)} s"] = shown
    return made


def views_html(views: Views, room: int, *, clips: int = 0) -> str:
    """Return the views as HTML of at most `room` bytes; what does not fit is counted in words, of so many clips."""
    if not views:
        return ""
    shown, left = [], 0
    for place, (heading, pictures) in enumerate(views.items()):
        size = sum(len(jpeg) * 4 // 3 for _, jpeg in pictures) + 2_000
        if size > room:
            left += len(pictures)
            continue
        room -= size
        shown.append(_view(f"v{place}", heading, pictures))
    more = f"<p>{count(left, 'picture')} left out, since the file would be too large to send.</p>" if left else ""
    first = f"<p>The first {len(views)} of {clips} clips are shown.</p>" if len(views) < clips else ""
    return "<h2>Before and after</h2>\n" + "\n".join(shown) + more + first


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
    """Return the time in s where the runs' pictures differ most, or the middle of the clip."""
    middle = 0.0 if np.isnan(_plain(duration_s)) else round(_plain(duration_s) / 2, 2)
    for on in (score.name for score in HEADLINES if score.per_frame):
        values = [pictures_of(run, on) for run in runs]
        if all(values) and len(runs) > 1 and not np.isnan(_plain(fps)):
            shortest = min(map(len, values))
            spread = np.ptp(np.array([one[:shortest] for one in values]), axis=0)
            return round(int(spread.argmax()) * max(1, runs[0].every) / _plain(fps), 2)
    return middle


def _plain(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
