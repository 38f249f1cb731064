"""What a view calls the clips that it is given: by name, and by more of the object key where two share a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ci_notebook.model.clip_labels import ClipIdentity, clip_labels

__all__ = ["content_of", "labels_of", "title_of"]


@runtime_checkable
class _HasName(Protocol):
    @property
    def name(self) -> str: ...


@runtime_checkable
class _HasKey(Protocol):
    @property
    def key(self) -> str: ...


@runtime_checkable
class _HasContent(Protocol):
    @property
    def md5(self) -> str: ...


def title_of(clip: object) -> str:
    """Return the name of a clip; without a name, its key; without a key, its text."""
    name = clip.name if isinstance(clip, _HasName) else ""
    key = clip.key if isinstance(clip, _HasKey) else ""
    return name or key or str(clip)


def content_of(clip: object) -> str:
    """Return the MD5 of a clip; empty if it is not known."""
    return clip.md5 if isinstance(clip, _HasContent) else ""


def labels_of(clips: Sequence[object]) -> list[str]:
    """Return one label per clip: its title, made longer where two clips share it."""
    keys = [clip.key if isinstance(clip, _HasKey) else "" for clip in clips]
    return clip_labels(
        [ClipIdentity(title_of(clip), key, content_of(clip)) for clip, key in zip(clips, keys, strict=True)]
    )
