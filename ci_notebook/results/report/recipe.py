"""The lines of Python that repeat the runs, and the versions that made them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.clip_labels import run_clip_labels
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.declaration.paths import resolve, value_at, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.labels import LEFT_OUT, varying
from ci_notebook.results.verdict.verdict import Verdict


def recipe(runs: Sequence[Run], verdicts: Sequence[Verdict], *, setup: str = "") -> tuple[str, str]:
    """Return the lines that repeat the runs, and the versions and clips as text."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    labels = run_clip_labels(runs)
    clips = list(dict.fromkeys((label, run.clip_key, run.clip_md5) for run, label in zip(runs, labels, strict=True)))
    names = ", ".join(repr(clip) for clip, _, _ in clips)
    lines = [
        "import ci_notebook as ci",
        "from ci_notebook import *",
        "",
        setup or "lab = ci.connect()",
        f"clips = [lab.upload(name) for name in [{names}]]",
        _settings(settings, runs),
        "runs = lab.run(clips, settings)",
        *_calls(verdicts),
        'runs.report("report.html")',
    ]
    versions = ", ".join(f"{name} {version(name)}" for name in ("ci-notebook", "pandas", "matplotlib"))
    clips_text = "; ".join(f"{clip}: MD5 {md5}" for clip, _, md5 in clips if md5)
    return "\n".join(lines), f"{versions}, Python {platform.python_version()}{f'. {clips_text}' if clips_text else ''}"


def version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "from a checkout"


def _settings(settings: Sequence[VideoEnhance], runs: Sequence[Run]) -> str:
    """Return the settings as a grid where they form one, else as a list."""
    grid_text = _grid(settings, runs)
    if grid_text:
        return f"settings = {grid_text}"
    return "settings = [\n" + "".join(f"    {setting!r},\n" for setting in settings) + "]"


def _grid(settings: Sequence[VideoEnhance], runs: Sequence[Run]) -> str:
    names = varying(to_frame(runs))
    try:
        places = {name: resolve(VideoEnhance, name) for name in names}
    except ParameterError:  # grid() cannot name a leaf of a repeated node
        return ""
    if not names or not all(leaf.single for leaf in places.values()):
        return ""
    base = settings[0]
    for leaf in places.values():
        base = with_value(base, leaf, None)
    values_of: dict[str, list[Any]] = {
        name: list(dict.fromkeys(value_at(setting, leaf) for setting in settings)) for name, leaf in places.items()
    }
    try:
        same = set(grid(base, **values_of)) == set(settings)
    except ParameterError:  # some combination cannot be sent, so the settings were no grid
        return ""
    if not same:
        return ""
    short = {name: name if _is_ambiguous(name) else name.rpartition(".")[2] for name in names}
    plain = [f"{short[name]}={values!r}" for name, values in values_of.items() if "." not in short[name]]
    dotted = [f"{short[name]!r}: {values!r}" for name, values in values_of.items() if "." in short[name]]
    base_text = "" if base == VideoEnhance() else f"{base!r}, "
    return f"ci.grid({base_text}{', '.join([*plain, *(['**{' + ', '.join(dotted) + '}'] if dotted else [])])})"


def _is_ambiguous(name: str) -> bool:
    try:
        return resolve(VideoEnhance, name.rpartition(".")[2]).path != name
    except ParameterError:
        return True


def _calls(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the calls that repeat the verdicts, in one call for those that were corrected together."""
    if len({one.parameter for one in verdicts if one.compared > 1}) > 1:
        return [f'ci.all_verdicts(runs, on="{verdicts[0].on}")']
    return list(dict.fromkeys(_call(one) for one in verdicts))


def _call(one: Verdict) -> str:
    name = one.parameter.rpartition(".")[2]
    named = one.parameter if _is_ambiguous(one.parameter) else name
    first, second = (_literal(one.parameter, word) for word in (one.first, one.second))
    if one.compared > 1:
        return f'ci.verdicts(runs, "{named}", on="{one.on}", baseline={first})'
    return f'ci.verdict(runs, "{named}", {first}, {second}, on="{one.on}")'


def _literal(path: str, word: str) -> str:
    if word == LEFT_OUT:
        return "None"
    if word == repr(AUTO):
        return "AUTO"
    kind = resolve(VideoEnhance, path).part.kind
    return word.capitalize() if kind is bool else word if kind in (int, float) else repr(word)
