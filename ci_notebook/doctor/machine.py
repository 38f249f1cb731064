"""Checks of this machine: FFmpeg with its encoders, filters and models, disk space, and the source of the keys."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from ci_notebook._folders import lab_home
from ci_notebook.client.connection.credentials import explain
from ci_notebook.doctor.findings import Finding, at_home
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.vmaf_v1 import MODELS as V1_MODELS

_MB: Final = 1_000_000
# Enough for the clips, results and journal of an afternoon; below the second limit one job may not fit.
_ROOMY_MB, _TIGHT_MB = 2000, 200
_FILTERS: Final = ("libvmaf", "xpsnr", "psnr", "ssim", "minterpolate", "zscale", "overlay")
_MODELS: Final = ("vmaf_v0.6.1", "vmaf_v0.6.1neg", "vmaf_4k_v0.6.1", "vmaf_4k_v0.6.1neg")
_OURS: Final = "python -m pip install -U 'ci-notebook[local]'"


def look_at_ffmpeg() -> Iterator[Finding]:
    """Yield findings on the FFmpeg program: its version, and which needs of the engine it does not meet."""
    try:
        from ci_notebook.engine.render.output.encoders import AUDIO_ENCODERS, VIDEO_ENCODERS  # lazy: an extra's
        from ci_notebook.media.ffmpeg import capabilities

        can = capabilities()
    except (CIError, ImportError) as error:
        why = f": {error.name} is not installed" if isinstance(error, ImportError) else ""
        yield Finding("FFmpeg", "program", "warning", f"not found{why}; jobs can run on the cloud only", _OURS)
        return
    yield Finding("FFmpeg", "program", "OK", f"{can.version}, {at_home(can.program)}")
    codecs = VIDEO_ENCODERS | AUDIO_ENCODERS
    absent = [f"{codec} ({encoder})" for codec, encoder in codecs.items() if encoder not in can.encoders]
    yield _of("encoders", absent, f"{len(codecs)} of {len(codecs)} codecs of the API can be encoded")
    absent = [name for name in _FILTERS if name not in can.filters]
    yield _of("filters", absent, ", ".join(_FILTERS))
    if "libvmaf" in can.filters:
        from ci_notebook.media.scoring.libvmaf import has_model  # lazy, as above: it needs numpy

        yield _of("VMAF models", [name for name in _MODELS if not has_model(name)], ", ".join(_MODELS))
        absent = [name for name in V1_MODELS if not has_model(name)]
        found = _of("VMAF v1 models", absent, f"all {len(V1_MODELS)}")
        # Without them everything else works: the scores come without VMAF v1 and banding.
        yield replace(found, state="warning") if absent else found


def look_at_disk(given: Path | str | None) -> Finding:
    """Return the finding on the folder of `connect`, which holds the engine's store, the journal and downloads."""
    remedy = "export CI_NOTEBOOK_HOME=/path/of/a/folder"
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            folder = home = lab_home(given)
    except ParameterError as error:
        return Finding("Disk", "home", "problem", str(error), remedy)
    if notes:
        return Finding("Disk", "home", "warning", str(notes[0].message), remedy)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free_mb = shutil.disk_usage(folder).free / _MB
    detail = f"{at_home(home)}: {free_mb / 1000:.1f} GB free"
    elsewhere = "Set CI_NOTEBOOK_HOME to a folder with free space, or pass `ci.connect(home=…)`."
    if not folder.is_dir():
        return Finding("Disk", "home", "problem", f"{at_home(folder)} is a file, not a folder", elsewhere)
    if not os.access(folder, os.W_OK) or not _can_write(folder):
        return Finding("Disk", "home", "problem", f"{at_home(home)} cannot be written to", elsewhere)
    if free_mb < _ROOMY_MB:
        return Finding("Disk", "home", "problem" if free_mb < _TIGHT_MB else "warning", detail, elsewhere)
    return Finding("Disk", "home", "OK", detail)


def _can_write(folder: Path) -> bool:
    """Try it: the permissions do not show a read-only or special file system."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def look_at_keys() -> Finding:
    """Return the finding on the source of the keys. It shows no key."""
    lines = [line for line in explain().splitlines() if not line.startswith("the arguments")]
    used = next((line for line in lines if ": USED" in line), "")
    refused = next((line for line in lines if ": REFUSED" in line), "")
    if refused:
        remedy = "Fix or remove that source: the keys of another account are never used in its place."
        return Finding("Keys", "source", "problem", refused, remedy)
    if not used:
        remedy = "For the cloud set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY; the embedded engine needs none."
        return Finding("Keys", "source", "warning", "not found; " + "; ".join(lines), remedy)
    return Finding("Keys", "source", "OK", used)


def _of(name: str, absent: list[str], here: str) -> Finding:
    if not absent:
        return Finding("FFmpeg", name, "OK", here)
    remedy = f"{_OURS}, and unset IMAGEIO_FFMPEG_EXE" if os.environ.get("IMAGEIO_FFMPEG_EXE") else _OURS
    return Finding("FFmpeg", name, "problem", f"missing: {', '.join(absent)}", remedy)
