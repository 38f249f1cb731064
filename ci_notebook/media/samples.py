"""The clips that ship with us: real, freely licensed, small. `samples/PROVENANCE.md` says where from."""

from __future__ import annotations

from pathlib import Path

from ci_notebook.model.errors import ParameterError

FOLDER = Path(__file__).parent.parent / "samples"


def samples() -> tuple[str, ...]:
    """Return the names that `sample` takes.

    >>> samples()
    ('city', 'coffee', 'meadow', 'portrait', 'raccoon')
    """
    return tuple(sorted(path.stem for path in FOLDER.glob("*.mp4")))


def sample(name: str = "city") -> Path:
    """Return the path of a clip that ships with us; nothing is fetched.

    >>> sample("city").name
    'city.mp4'

    Raises `ParameterError` listing the names for one that does not ship.
    """
    if name not in samples():
        raise ParameterError(
            "the name of a sample", name, f"one of {', '.join(samples())}", "Or pass a path of your own."
        )
    return FOLDER / f"{name}.mp4"
