"""Readable file names for outputs: the clip, what differs between the outputs, and the ending of the file.

Invariant: a name is allowed on Linux, macOS and Windows, has at most `MAX_NAME_BYTES` bytes, and names that are made
together differ, also where letter case is ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from ci_notebook.model.setting.words import settings_in_words

__all__ = ["MAX_NAME_BYTES", "NamedOutput", "file_names", "safe_name"]

MAX_NAME_BYTES: Final = 120
_STEM_BYTES: Final = 60  # of the clip, so that the setting keeps its room
_ID_LETTERS: Final = 8
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*]+')
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\.|$)", re.I)
_ENDING: Final = re.compile(r"\.\w{1,8}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class NamedOutput:
    """The parts of an output's name: its clip, the setting as path → value, the id of its job, and its object key."""

    clip: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    job_id: str = ""
    key: str = ""


def file_names(outputs: Sequence[NamedOutput]) -> list[str]:
    """Return one file name per output: `<clip>-<setting>.<ending>`, with the end of the job id where two would agree.

    The setting is named by the parameters in which the outputs differ; where none differ, by its first three.

    >>> file_names([NamedOutput(clip="holiday.mov", setting={"MsSharpen.SharpenLevel": 5}, key="out/a.mp4")])
    ['holiday-SharpenLevel-5.mp4']
    """
    words = settings_in_words([one.setting for one in outputs])
    has_words = any(one.setting for one in outputs)
    stems, endings = list[str](), list[str]()
    for one, text in zip(outputs, words, strict=True):
        stem = _cut(PurePosixPath(one.clip.replace("\\", "/")).stem, _STEM_BYTES)
        # Without any parameter the job id names the output, so that it is never named like its clip.
        setting = text.replace(", ", "-").replace(" ", "-") if has_words else _short_id(one) or "result"
        ending = PurePosixPath(one.key).suffix
        endings.append(ending.lower() if _ENDING.fullmatch(ending) else "")
        stems.append("-".join(filter(None, (stem, setting))))
    names = [_named(stem, "", ending) for stem, ending in zip(stems, endings, strict=True)]
    ids = [_short_id(one) for one in outputs]
    double = _double(names)
    names = [
        _named(stem, f"-{ids[at]}" if at in double and ids[at] else "", endings[at]) for at, stem in enumerate(stems)
    ]
    used, unique = set[str](), list[str]()
    for at, name in enumerate(names):
        number = 1
        while _key(name) in used:
            number += 1
            name = _named(stems[at], f"-{ids[at]}-{number}" if ids[at] else f"-{number}", endings[at])  # noqa: PLW2901
        used.add(_key(name))
        unique.append(name)
    return unique


def safe_name(text: str, *, max_bytes: int = MAX_NAME_BYTES) -> str:
    r"""Return a text as a name that every file system allows; `video` if nothing is left of it.

    >>> safe_name("../day 1/a:b\n.mp4"), safe_name("NUL.mp4"), safe_name("...")
    ('_day 1_a_b_.mp4', '_NUL.mp4', 'video')
    """
    text = unicodedata.normalize("NFC", text)
    # Control characters, marks that reorder text, halves of characters, and what is not assigned.
    text = "".join("_" if unicodedata.category(char)[0] == "C" else char for char in text)
    text = _FORBIDDEN.sub("_", text).lstrip(" .-~").rstrip(" .")
    if _RESERVED.match(text):
        text = f"_{text}"
    return _cut(text, max_bytes).rstrip(" .") or "video"


def _short_id(output: NamedOutput) -> str:
    return re.sub(r"\W", "", output.job_id, flags=re.ASCII)[-_ID_LETTERS:]


def _named(stem: str, mark: str, ending: str) -> str:
    room = MAX_NAME_BYTES - len(mark.encode()) - len(ending)
    return f"{safe_name(stem, max_bytes=room)}{mark}{ending}"


def _double(names: Sequence[str]) -> set[int]:
    keys = [_key(name) for name in names]
    return {at for at, key in enumerate(keys) if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _cut(text: str, max_bytes: int) -> str:
    """Return the beginning of a text, whole characters only."""
    return text.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
