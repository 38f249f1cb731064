"""Which packages are here, held against what the project asks for; and which front ends will show a widget."""

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

from ci_notebook._version import __version__
from ci_notebook.doctor.findings import Finding

NAME: Final = "ci-notebook"
# What an extra is for, and what is lost without it. `test` is the project's own business.
EXTRAS: Final = {
    "local": "the embedded engine, live previews and scores",
    "enhance": "the network behind SuperResolution's version Enhance",
    "fonts": "Chinese in visible watermarks",
    "lab": "JupyterLab and the dashboard",
    "optuna": "searches that learn from every run",
    "dask": "jobs on other processes and machines",
}
_FRONT_ENDS: Final = {"jupyterlab": "JupyterLab", "notebook": "Jupyter Notebook", "voila": "Voila"}
_EXTENSIONS: Final = {"anywidget": "anywidget", "@jupyter-widgets/jupyterlab-manager": "ipywidgets"}


def look_at_packages() -> Iterator[Finding]:
    """Yield findings on Python, the packages that are always needed, and each extra."""
    yield Finding("Packages", "ci-notebook", "OK", f"{__version__} on Python {platform.python_version()}")
    wanted = _requirements()
    wrong = [text for one in wanted.get("", []) if (text := _wrong(one))]
    here = ", ".join(f"{one.name} {_version(one.name)}" for one in wanted.get("", []) if _version(one.name))
    if wrong:
        yield Finding("Packages", "needed", "problem", "; ".join(wrong), f"python -m pip install -U {NAME}")
    else:
        yield Finding("Packages", "needed", "OK", here)
    for extra, gives in EXTRAS.items():
        yield _of_extra(extra, gives, wanted.get(extra, []))


def look_at_front_ends() -> Iterator[Finding]:
    """Yield findings on what shows a notebook, and on the parts of widgets that live in the browser."""
    here = [f"{title} {_version(name)}" for name, title in _FRONT_ENDS.items() if _version(name)]
    inside = " This runs in a notebook's kernel." if "ipykernel" in sys.modules else ""
    if here:
        yield Finding("Jupyter", "front ends", "OK", f"{', '.join(here)}.{inside}")
    else:
        told = f"none in this environment (another one's, VS Code's or a server's may be used).{inside}"
        yield Finding("Jupyter", "front ends", "warning", told, f"python -m pip install '{NAME}[lab]'")
    folders = [Path(sys.prefix), Path.home() / ".local"]
    folders += [Path(one) for one in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if one]
    for below, package in _EXTENSIONS.items():
        spots = [
            folder / part / below for folder in folders for part in ("share/jupyter/labextensions", "labextensions")
        ]
        if any(spot.is_dir() for spot in spots):
            yield Finding("Jupyter", f"widgets: {package}", "OK", "its part for the browser is installed")
        else:
            remedy = f"python -m pip install --force-reinstall {package}, in the environment that JupyterLab runs from"
            told = "its part for the browser was not found: panels show as text"
            yield Finding("Jupyter", f"widgets: {package}", "warning", told, remedy)


def _of_extra(extra: str, gives: str, wanted: list[Requirement]) -> Finding:
    missing = [one.name for one in wanted if not _version(one.name)]
    old = [text for one in wanted if one.name not in missing and (text := _wrong(one))]
    remedy = f"python -m pip install -U '{NAME}[{extra}]'"
    if missing:
        told = f"not installed ({', '.join(missing)}); it gives {gives}"
        return Finding("Packages", f"extra {extra}", "warning" if extra == "local" else "OK", told, remedy)
    if old:
        return Finding("Packages", f"extra {extra}", "problem", "; ".join(old), remedy)
    return Finding("Packages", f"extra {extra}", "OK", ", ".join(f"{one.name} {_version(one.name)}" for one in wanted))


def _requirements() -> dict[str, list[Requirement]]:
    """Return extra → what it needs beyond other extras; "" is what is needed always."""
    try:
        texts = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # run from a clone
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
        extras = project["optional-dependencies"].items()
        texts = [*project["dependencies"], *(f'{one}; extra == "{extra}"' for extra, ones in extras for one in ones)]
    found: dict[str, list[Requirement]] = {}
    for one in map(Requirement, texts):
        for extra in ("", *EXTRAS):
            is_meant = one.marker is None or one.marker.evaluate({"extra": extra})
            if one.name != NAME and is_meant and one not in found.get("", []):
                found.setdefault(extra, []).append(one)
    return found


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _wrong(one: Requirement) -> str:
    version = _version(one.name)
    if not version:
        return f"{one.name} is missing"
    is_good = one.specifier.contains(version, prereleases=True)
    return "" if is_good else f"{one.name} is {version}, and {one.specifier} is needed"
