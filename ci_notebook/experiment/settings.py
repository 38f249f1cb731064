"""What a run is made with: a setting that is sent, or a template that the service stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ci_notebook.model.api.templates import Template
from ci_notebook.model.declaration.node import Node, Part, parts
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import check

TEMPLATE = "TemplateId"
Setting = VideoEnhance | Template
"""What a run is made with: a setting that is sent, or one that the service stores under a `TemplateId`."""
Place = tuple[Part, ...]
"""The way from `VideoEnhance` down to a leaf or a whole node."""


def resolved(settings: Iterable[Setting], get: Callable[..., Sequence[Template]]) -> list[Setting]:
    """Return the settings with what their templates hold, which `get(*ids)` tells, in one call.

    Raises `ParameterError` for a template that holds no setting.
    """
    listed = [checked(setting) for setting in settings]
    ids = dict.fromkeys(s.template_id or "" for s in listed if isinstance(s, Template) and s.video_enhance is None)
    found = dict(zip(ids, get(*ids), strict=True)) if ids else {}
    return [
        checked(found[s.template_id or ""], whole=True) if isinstance(s, Template) and s.video_enhance is None else s
        for s in listed
    ]


def checked(setting: Setting, *, whole: bool = False) -> Setting:
    """Return a setting that can be sent; a template must be `whole` if what it holds is needed."""
    if isinstance(setting, Template):
        if not setting.template_id:
            raise ParameterError("a template", setting, "one that the service stores under a TemplateId")
        if setting.tag not in (None, "VideoEnhance") or (whole and setting.video_enhance is None):
            raise ParameterError("a template", setting.template_id, "one of tag VideoEnhance, with a setting")
    elif isinstance(setting, VideoEnhance):
        check(setting)
    else:
        raise ParameterError("a sweep", setting, "VideoEnhance values and templates")
    return setting


def content(setting: Setting) -> VideoEnhance:
    """Return the setting itself, or what its template holds. Raises `ParameterError` when that is not known."""
    if isinstance(setting, VideoEnhance):
        return setting
    if setting.video_enhance is None:
        raise ParameterError("a template", setting.template_id, "one whose setting is known", "Ask the service.")
    return setting.video_enhance


def shown(setting: Setting) -> dict[str, Any]:
    """Return path → value of every leaf that is set; a stage that is on with nothing set shows as its own path."""
    if isinstance(setting, Template):
        held = shown(setting.video_enhance) if setting.video_enhance is not None else {}
        return {TEMPLATE: setting.template_id, **held}
    found = values(setting)
    for path, steps in nodes().items():
        node: Any = setting
        for step in steps:
            node = getattr(node, step.name) if isinstance(node, Node) else None
        if isinstance(node, Node) and not any(key.startswith(path + ".") for key in found):
            found[path] = "on"
    return found


def nodes() -> dict[str, Place]:
    """Return path → way of every node below `VideoEnhance`."""

    def below(node: type[Node], above: Place) -> Iterator[tuple[str, Place]]:
        for part in parts(node):
            if part.node is not None:
                steps = (*above, part)
                yield ".".join(step.tag for step in steps), steps
                if not part.many:
                    yield from below(part.node, steps)

    return dict(below(VideoEnhance, ()))
