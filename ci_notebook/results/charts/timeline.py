"""The timeline: when each job waited and when it ran."""

from __future__ import annotations

from typing import Final

import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.results.charts.style import COLORS, Data, axes_or_new, described, frame_of, once
from ci_notebook.results.labels import count, number, setting_labels

_LOOK: Final = {
    "waiting": ("0.8", ""), "Success": (COLORS[0], ""), "Failed": (COLORS[1], "//"), "Cancel": (COLORS[3], "xx"),
    "Running": (COLORS[2], ".."), "Pause": (COLORS[4], "--"), "Submitted": ("0.6", ""),
}  # fmt: skip


def compute_timeline(data: Data) -> pd.DataFrame:
    """Return a row a stretch of a job: `row`, `name`, `phase`, `from_s`, `to_s`, in seconds since the first job came.

    A job waits from its creation to its start, then is in what became of it (`Success`, `Failed` …)
    until its end; a job that is not over lasts until the last time that any job tells. Jobs without a
    time are left out.
    """
    df = frame_of(data).reset_index(drop=True)
    kept = df[df["created"].notna()]
    names, first = setting_labels(df), kept["created"].min()
    last = kept[["created", "started", "ended"]].max(axis=None) if len(kept) else first
    clips = df["clip"].nunique() > 1
    rows = []
    kept = kept.assign(name=names[kept.index]).sort_values(["created", "started"], kind="stable")
    for place, (_, row) in enumerate(kept.iterrows()):
        name = f"{row['clip']}, {row['name']}" if clips else row["name"]
        begun = row["started"] if pd.notna(row["started"]) else None
        ended = row["ended"] if pd.notna(row["ended"]) else last
        rows.append((place, name, "waiting", row["created"], begun or ended))
        if begun is not None:
            rows.append((place, name, str(row["state"]), begun, ended))
    made = pd.DataFrame(rows, columns=["row", "name", "phase", "from_s", "to_s"])
    for column in ("from_s", "to_s"):
        made[column] = [(moment - first).total_seconds() for moment in made[column]]
    kinds = {"row": "Int64", "name": "string", "phase": "string", "from_s": "Float64", "to_s": "Float64"}
    return made.astype(kinds)


def plot_timeline(data: Data, ax: Axes | None = None) -> Axes:
    """Draw a bar a job over time, waiting in grey, then by what became of it, and return the axes."""
    data = once(data)
    made = compute_timeline(data)
    rows = made.drop_duplicates("row")
    axes = axes_or_new(ax, width_in=8.2, height_in=min(10.0, 1.5 + 0.3 * len(rows)))
    # Services tell whole seconds: a job that began and ended in one is a thin line, and not nothing.
    thin = 0.006 * float(made["to_s"].max()) if len(made) else 0.0
    for phase, part in made.groupby("phase", sort=False):
        color, hatch = _LOOK.get(str(phase), ("black", ""))
        widths = (part["to_s"] - part["from_s"]).astype(float).clip(lower=0.0 if phase == "waiting" else thin)
        axes.barh(part["row"].astype(float), widths, left=part["from_s"].astype(float), height=0.6, color=color,
                  hatch=hatch, edgecolor="white", linewidth=0.5, label=str(phase))  # fmt: skip
    if len(rows) <= 25:
        axes.set_yticks(rows["row"].astype(float), list(rows["name"]))
    else:
        axes.set_ylabel("job")
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("time since the first job was accepted [s]")
    if len(rows):
        axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return described(axes, describe_timeline(data))


def describe_timeline(data: Data) -> str:
    """Return in one sentence how many jobs there were and how long they waited and ran."""
    made = compute_timeline(data)
    if made.empty:
        return "No job tells when it was accepted."
    length = (made["to_s"] - made["from_s"]).astype(float)
    waiting = made["phase"] == "waiting"
    phases = made.loc[~waiting, "phase"].value_counts()
    told = ", ".join(f"{many} {phase}" for phase, many in phases.items())
    ran = f"; the middle one ran {number(float(length[~waiting].median()))} s" if (~waiting).any() else ""
    return (
        f"{count(made['row'].nunique(), 'job')} in {number(float(made['to_s'].max()))} s ({told or 'none begun'}); the "
        f"middle one waited {number(float(length[waiting].median()))} s{ran}."
    )
