"""The input of a run: a setting that is sent, or a template that the service stores."""

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
"""The input of a run: a setting that is sent, or one that the service stores under a `TemplateId`."""
Steps = tuple[Part, ...]
"""The parts from `VideoEnhance` down to a leaf or a whole node."""


def resolved(settings: Iterable[Setting], get: Callable[..., Sequence[Template]]) -> list[Setting]:
    """Return the settings; templates without content are completed by one call of `get(*ids)`.

    Raises `ParameterError` for a template without a setting.
    """
    entries = [checked(setting) for setting in settings]
    ids = dict.fromkeys(s.template_id or "" for s in entries if isinstance(s, Template) and s.video_enhance is None)
    templates = dict(zip(ids, get(*ids), strict=True)) if ids else {}
    return [
        checked(templates[s.template_id or ""], whole=True)
        if isinstance(s, Template) and s.video_enhance is None
        else s
        for s in entries
    ]


def checked(setting: Setting, *, whole: bool = False) -> Setting:
    """Return a setting after checking that it can be sent; a `whole` template must have its content."""
    if isinstance(setting, Template):
        if not setting.template_id:
            raise ParameterError.plain("This template has no TemplateId. Store it with templates.create() first.")
        if setting.tag not in (None, "VideoEnhance") or (whole and setting.video_enhance is None):
            raise ParameterError.plain(
                f"The template {setting.template_id!r} is not for video enhancement. Use one with Tag VideoEnhance."
            )
    elif isinstance(setting, VideoEnhance):
        check(setting)
    else:
        raise ParameterError.plain(
            f"A sweep contains VideoEnhance settings and templates, not {type(setting).__name__} ({setting!r:.80})."
        )
    return setting


def content(setting: Setting) -> VideoEnhance:
    """Return the setting, or the content of a template. Raises `ParameterError` when the content is unknown."""
    if isinstance(setting, VideoEnhance):
        return setting
    if setting.video_enhance is None:
        raise ParameterError.plain(
            f"The content of the template {setting.template_id!r} is unknown. Read it with templates.get() first."
        )
    return setting.video_enhance


def listed(setting: Setting) -> dict[str, Any]:
    """Return path → value of every leaf that is set; a stage without any leaf is listed as `on`."""
    if isinstance(setting, Template):
        leaves = listed(setting.video_enhance) if setting.video_enhance is not None else {}
        return {TEMPLATE: setting.template_id, **leaves}
    paths = values(setting)
    for path, steps in nodes().items():
        node: Any = setting
        for step in steps:
            node = getattr(node, step.name) if isinstance(node, Node) else None
        if isinstance(node, Node) and not any(key.startswith(path + ".") for key in paths):
            paths[path] = "on"
    return paths


def nodes() -> dict[str, Steps]:
    """Return path → steps of every node below `VideoEnhance`."""

    def below(node: type[Node], above: Steps) -> Iterator[tuple[str, Steps]]:
        for part in parts(node):
            if part.node is not None:
                steps = (*above, part)
                yield ".".join(step.tag for step in steps), steps
                if not part.many:
                    yield from below(part.node, steps)

    return dict(below(VideoEnhance, ()))
