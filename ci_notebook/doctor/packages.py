"""Checks of the installed packages against the requirements, and of the front ends that can show widgets."""

from __future__ import annotations

import os
import platform
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from ci_notebook._folders import account_home
from ci_notebook._version import __version__
from ci_notebook.doctor.findings import Finding

NAME: Final = "ci-notebook"
# Extra → its purpose. The extra `test` is for developers and not checked.
EXTRAS: Final = {
    "local": "the embedded engine, live previews and scores",
    "enhance": "the network behind SuperResolution's version Enhance",
    "motion": "optical flow for FrameDoubling; without it FFmpeg's minterpolate makes the new frames",
    "fonts": "Chinese in visible watermarks",
    "tables": "Parquet and Excel files",
    "lab": "JupyterLab and the dashboard",
    "optuna": "searches that learn from every run",
    "socks": "the cloud through a SOCKS proxy",
    "dask": "jobs on other processes and machines",
}
_FRONT_ENDS: Final = {"jupyterlab": "JupyterLab", "notebook": "Jupyter Notebook", "voila": "Voila"}
_EXTENSIONS: Final = {"anywidget": "anywidget", "@jupyter-widgets/jupyterlab-manager": "ipywidgets"}


def look_at_packages() -> Iterator[Finding]:
    """Yield findings on Python, the required packages, and each extra."""
    yield Finding("Packages", "ci-notebook", "OK", f"{__version__} on Python {platform.python_version()}")
    requirements = _requirements()
    problems = [text for one in requirements.get("", []) if (text := _problem_of(one))]
    installed = ", ".join(f"{one.name} {_version(one.name)}" for one in requirements.get("", []) if _version(one.name))
    if problems:
        yield Finding("Packages", "needed", "problem", "; ".join(problems), f"python -m pip install -U {NAME}")
    else:
        yield Finding("Packages", "needed", "OK", installed)
    for extra, purpose in EXTRAS.items():
        yield _of_extra(extra, purpose, requirements.get(extra, []))


def look_at_front_ends() -> Iterator[Finding]:
    """Yield findings on the front ends, and on the browser parts of the widgets."""
    here = [f"{title} {_version(name)}" for name, title in _FRONT_ENDS.items() if _version(name)]
    inside = " This runs in a notebook's kernel." if "ipykernel" in sys.modules else ""
    if here:
        yield Finding("Jupyter", "front ends", "OK", f"{', '.join(here)}.{inside}")
    else:
        detail = f"none in this environment; VS Code, a server or another environment may provide one.{inside}"
        yield Finding("Jupyter", "front ends", "warning", detail, f"python -m pip install '{NAME}[lab]'")
    home = account_home()
    folders = [Path(sys.prefix), *([home / ".local"] if home else [])]
    folders += [Path(one) for one in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if one]
    for below, package in _EXTENSIONS.items():
        spots = [
            folder / part / below for folder in folders for part in ("share/jupyter/labextensions", "labextensions")
        ]
        if any(spot.is_dir() for spot in spots):
            yield Finding("Jupyter", f"widgets: {package}", "OK", "the browser part is installed")
        else:
            remedy = f"python -m pip install --force-reinstall {package}, in the environment that JupyterLab runs from"
            detail = "the browser part was not found: panels show as text"
            yield Finding("Jupyter", f"widgets: {package}", "warning", detail, remedy)


def _of_extra(extra: str, purpose: str, requirements: list[Requirement]) -> Finding:
    missing = [one.name for one in requirements if not _version(one.name)]
    outdated = [text for one in requirements if one.name not in missing and (text := _problem_of(one))]
    remedy = f"python -m pip install -U '{NAME}[{extra}]'"
    if missing:
        detail = f"not installed ({', '.join(missing)}); it provides {purpose}"
        return Finding("Packages", f"extra {extra}", "warning" if extra == "local" else "OK", detail, remedy)
    if outdated:
        return Finding("Packages", f"extra {extra}", "problem", "; ".join(outdated), remedy)
    return Finding(
        "Packages", f"extra {extra}", "OK", ", ".join(f"{one.name} {_version(one.name)}" for one in requirements)
    )


def _requirements() -> dict[str, list[Requirement]]:
    """Return extra → its requirements without those of other extras; "" maps to those that are always needed."""
    try:
        texts = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # run from a clone
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
        extras = project["optional-dependencies"].items()
        texts = [*project["dependencies"], *(f'{one}; extra == "{extra}"' for extra, ones in extras for one in ones)]
    requirements: dict[str, list[Requirement]] = {}
    for one in map(Requirement, texts):
        for extra in ("", *EXTRAS):
            is_meant = one.marker is None or one.marker.evaluate({"extra": extra})
            if one.name != NAME and is_meant and one not in requirements.get("", []):
                requirements.setdefault(extra, []).append(one)
    return requirements


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _problem_of(one: Requirement) -> str:
    version = _version(one.name)
    if not version:
        return f"{one.name} is missing"
    is_good = one.specifier.contains(version, prereleases=True)
    return "" if is_good else f"{one.name} is {version}, but {one.specifier} is needed"
