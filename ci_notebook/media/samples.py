"""The clips that ship with the package: freely licensed, small, most of them real. Sources: `samples/PROVENANCE.md`."""

from __future__ import annotations

from pathlib import Path

from ci_notebook.model.errors import ParameterError

__all__ = ["sample", "samples"]

FOLDER = Path(__file__).parent.parent / "samples"


def samples() -> tuple[str, ...]:
    """Return the names that `sample` takes.

    >>> samples()
    ('city', 'coffee', 'meadow', 'portrait', 'raccoon', 'screen', 'technician', 'telescope')
    """
    return tuple(sorted(path.stem for path in FOLDER.glob("*.mp4")))


def sample(name: str = "city") -> Path:
    """Return the path of a clip that ships with the package, without a download.

    >>> sample("city").name
    'city.mp4'

    Raises `ParameterError` listing the names for any other name.
    """
    if name not in samples():
        raise ParameterError("name", name, f"one of {', '.join(samples())}", "Or pass the path of another file.")
    return FOLDER / f"{name}.mp4"
