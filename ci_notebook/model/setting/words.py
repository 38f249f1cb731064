"""Settings in words: the same in tables, charts, captions and verdicts.

A value is `5`, `true`, `sdtohd`, `AUTO` or `left out`; a setting is named by what differs from the others:
`SharpenLevel 6, Resolution left out`.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ci_notebook.model.declaration.param import AUTO

LEFT_OUT: Final = "left out"
AUTO_WORD: Final = repr(AUTO)
NO_CHANGE: Final = "no change"
NAMED_LEAVES: Final = 3  # leaves that name a setting where no settings differ


def word_of(value: object) -> str:
    """Return a value in words; None is `left out`.

    >>> word_of(None), word_of(5.0), word_of(True)
    ('left out', '5', 'true')
    """
    if value is None:
        return LEFT_OUT
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or type(value).__name__ == "bool_":  # numpy's own is no bool
        return str(bool(value)).lower()
    if isinstance(value, numbers.Number) and not isinstance(value, numbers.Integral):
        return f"{value:g}"
    return str(value)


def short_name(path: str, among: Iterable[str] = ()) -> str:
    """Return the last part of a path; the last two parts where several of `among` end in the same.

    >>> short_name("MsSharpen.SharpenLevel")
    'SharpenLevel'
    """
    last = path.rpartition(".")[2]
    is_shared = sum(other.rpartition(".")[2] == last for other in among) > 1
    return ".".join(path.split(".")[-2:]) if is_shared else last


def distinct_names(keys: Sequence[str]) -> list[str]:
    """Return a name for each object key or path: its last part, with as many folders as tell different ones apart.

    >>> distinct_names(["input/a.mp4", "output/a.mp4", "input/b.mp4"])
    ['input/a.mp4', 'output/a.mp4', 'b.mp4']
    """
    parts = {key: key.replace("\\", "/").split("/") for key in keys}
    names = []
    for key in keys:
        others = [other for text, other in parts.items() if text != key]
        length = 1
        while length < len(parts[key]) and any(other[-length:] == parts[key][-length:] for other in others):
            length += 1
        names.append("/".join(parts[key][-length:]))
    return names


def leaves_in_words(words: Mapping[str, str]) -> str:
    """Return leaves and their values (path → word) as one text; `no change` without any.

    >>> leaves_in_words({"MsSharpen.SharpenLevel": "6", "SuperResolution.Resolution": "left out"})
    'SharpenLevel 6, Resolution left out'
    """
    return ", ".join(f"{short_name(path, words)} {word}" for path, word in words.items()) or NO_CHANGE


def setting_in_words(setting: Mapping[str, Any]) -> str:
    """Return every leaf of one setting, given as path → value, as one text; `no change` for an empty one."""
    return leaves_in_words({path: word_of(value) for path, value in setting.items()})


def settings_in_words(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each setting, given as path → value, by the leaves in which they differ.

    Where none differ, the first few leaves that are set name them all.

    >>> settings_in_words([{"MsSharpen.SharpenLevel": 6}, {}])
    ['SharpenLevel 6', 'SharpenLevel left out']
    """
    rows = [{path: word_of(value) for path, value in setting.items()} for setting in settings]
    paths = list(dict.fromkeys(path for row in rows for path in row))
    named = [path for path in paths if len({row.get(path) for row in rows}) > 1] or paths[:NAMED_LEAVES]
    return [leaves_in_words({path: row.get(path, LEFT_OUT) for path in named}) for row in rows]
