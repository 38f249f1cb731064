"""Labels of clips for people: the name, made longer where two clips share it.

Invariant: equal labels mean one clip, and one clip has one label. The identity of a clip is its object key and the MD5
of its content, as far as they are known. Nothing groups by a name.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, Literal, NamedTuple, Protocol

__all__ = ["ClipIdentity", "HasClip", "clip_id", "clip_labels", "run_clip_labels"]

_HASH_LENGTHS: Final = (6, 12, 32)


class ClipIdentity(NamedTuple):
    """What is known of a clip: its name, its object key, and the MD5 of its content; each may be empty."""

    name: str
    key: str = ""
    md5: str = ""


class HasClip(Protocol):
    """A run: one setting on one clip."""

    @property
    def clip(self) -> str: ...  # noqa: D102
    @property
    def clip_key(self) -> str: ...  # noqa: D102
    @property
    def clip_md5(self) -> str: ...  # noqa: D102


def clip_id(run: HasClip) -> str:
    """Return what two runs that can be compared share: the content of their clip, else its object key, else its name.

    Objects of equal content are one clip here: they are no two samples.
    """
    return run.clip_md5 or run.clip_key or run.clip


def run_clip_labels(runs: Iterable[HasClip]) -> list[str]:
    """Return the label of the clip of each run, in their order."""
    return clip_labels([ClipIdentity(run.clip, run.clip_key, run.clip_md5) for run in runs])


def clip_labels(clips: Sequence[ClipIdentity]) -> list[str]:
    """Return one label per entry: equal for one clip, different for two.

    A clip is called by its name. Clips that share a name are called by the end of their object keys that tells them
    apart, and by the beginning of their MD5 where the keys are equal.

    >>> clip_labels([ClipIdentity("0001.mp4", "day1/0001.mp4", "a"), ClipIdentity("0001.mp4", "day2/0001.mp4", "b")])
    ['day1/0001.mp4', 'day2/0001.mp4']
    """
    ids = _ids(clips)
    first: dict[ClipIdentity, ClipIdentity] = {}
    for place, one in zip(ids, clips, strict=True):
        first.setdefault(place, one)
    by_name: dict[str, list[ClipIdentity]] = {}
    for place, one in first.items():
        by_name.setdefault(_as_seen(_name(one)), []).append(place)
    labels: dict[ClipIdentity, str] = {}
    for same in by_name.values():
        name = _name(first[same[0]])
        labels |= {same[0]: name} if len(same) == 1 else _apart(name, {place: first[place] for place in same})
    labels = _unique(labels)
    return [labels[place] for place in ids]


def _ids(clips: Sequence[ClipIdentity]) -> list[ClipIdentity]:
    """Return the identity of each entry. One that lacks its content or key joins the only clip that it can mean."""
    whole = {one._replace(name="") for one in clips if one.key and one.md5}
    by_key, by_md5 = _grouped(whole, "key"), _grouped(whole, "md5")

    def of(one: ClipIdentity) -> ClipIdentity:
        known = by_key.get(one.key, set()) if one.key else by_md5.get(one.md5, set()) if one.md5 else set()
        is_whole = bool(one.key and one.md5)
        return next(iter(known)) if len(known) == 1 and not is_whole else one._replace(name="")

    by_name: dict[str, set[ClipIdentity]] = {}
    for one in clips:
        if one.key or one.md5:
            by_name.setdefault(one.name, set()).add(of(one))
    ids = []
    for one in clips:
        named = by_name.get(one.name, set())
        is_known = bool(one.key or one.md5)
        ids.append(of(one) if is_known else next(iter(named)) if len(named) == 1 else ClipIdentity(one.name))
    return ids


def _grouped(clips: Iterable[ClipIdentity], field: Literal["key", "md5"]) -> dict[str, set[ClipIdentity]]:
    groups: dict[str, set[ClipIdentity]] = {}
    for one in clips:
        groups.setdefault(getattr(one, field), set()).add(one)
    return groups


def _name(clip: ClipIdentity) -> str:
    return clip.name or PurePosixPath(clip.key).name or clip.key


def _as_seen(text: str) -> str:
    """Return a text so that two spellings of one character (`é`) are equal."""
    return unicodedata.normalize("NFC", text)


def _apart(name: str, clips: Mapping[ClipIdentity, ClipIdentity]) -> dict[ClipIdentity, str]:
    """Return labels for clips that share a name."""
    parts = {place: PurePosixPath(clip.key).parts for place, clip in clips.items()}
    longest = max(map(len, parts.values()))
    for length in range(1, longest + 1):
        tails = {place: "/".join(one[-length:]) for place, one in parts.items()}
        if len(set(map(_as_seen, tails.values()))) == len(clips) and all(tails.values()):
            return {place: tail if tail.endswith(name) else f"{name} ({tail})" for place, tail in tails.items()}
    for length in _HASH_LENGTHS:
        hashes = {place: clip.md5[:length] for place, clip in clips.items()}
        if len(set(hashes.values())) == len(clips):
            return {place: f"{name} ({md5})" if md5 else name for place, md5 in hashes.items()}
    return dict.fromkeys(clips, name)


def _unique(labels: Mapping[ClipIdentity, str]) -> dict[ClipIdentity, str]:
    """Return the labels, numbered where they are equal: a clip without a key may be called as the label of another."""
    uses, taken = Counter[str](), set(labels.values())
    unique = {}
    for place, label in labels.items():
        uses[label] += 1
        number, candidate = uses[label], label
        while number > 1 and (candidate := f"{label} ({number})") in taken:
            number += 1
        taken.add(candidate)
        unique[place] = candidate
    return unique
