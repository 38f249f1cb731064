"""Requests whose setting is not under `VideoEnhance`: stages of other kinds of jobs, and ids of templates.

Invariant: the result is one `VideoEnhance`; everything that it cannot hold is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.templates import Template
from ci_notebook.model.declaration.node import parts
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.model.setting.watermark import Watermark

__all__ = ["TEMPLATE_IDS", "FindTemplate", "ResolvedOperation", "StoredSetting", "gather_stages", "resolve_templates"]

FindTemplate = Callable[[str], Template]
"""Returns a template of the service by its id."""

TEMPLATE_IDS: Final = ("template_id", "transcode_template_id")
"""The keywords of `submit` that can stand for a setting."""

_STAGES: Final = frozenset(part.tag for part in parts(VideoEnhance))
# Jobs of the tag VideoProcess hold their stages in this node, each with a switch `Enable`.
_OLD_CONTAINER: Final = "VideoProcess"


class StoredSetting(NamedTuple):
    """A setting that the service stores: the keywords of `submit` that name it, its name, and its content."""

    ids: dict[str, str]
    name: str
    setting: VideoEnhance


class ResolvedOperation(NamedTuple):
    """An operation without ids of templates; the stored setting that it had; and what is not in it, by name."""

    operation: Operation
    stored: StoredSetting | None
    ignored: list[str]


def gather_stages(root: Any) -> list[str]:
    """Move the stages of each `Operation` below a parsed root into `VideoEnhance`; return what has no place there.

    Jobs of the tags Transcode, VideoProcess, SDRtoHDR and SuperResolution hold their stages outside of it. A stage
    with `Enable` false is left out. An operation that has a `VideoEnhance` stays as it is.
    """
    ignored: list[str] = []
    for operation in list(root.iter("Operation")):
        if operation.find("VideoEnhance") is not None:
            continue
        old = operation.find(_OLD_CONTAINER)
        found = [(operation, child) for child in operation if child.tag in _STAGES]
        found += [(old, child) for child in (old if old is not None else ()) if child.tag in _STAGES]
        if old is not None:
            others = [child for child in old if child.tag not in _STAGES]
            ignored += [f"{_OLD_CONTAINER}.{child.tag}" for child in others]
            operation.remove(old)
        enhance = operation.makeelement("VideoEnhance", {})
        for _, stage in found:
            switch = stage.find("Enable")
            if switch is not None:
                stage.remove(switch)
            if switch is not None and (switch.text or "").strip().lower() == "false":
                ignored.append(f"{stage.tag} (Enable is false)")
            else:
                enhance.append(stage)
        if len(enhance):
            for stage in [child for child in operation if child.tag in _STAGES]:
                operation.remove(stage)
            operation.append(enhance)
    return ignored


def resolve_templates(operation: Operation, find: FindTemplate | None) -> ResolvedOperation:
    """Return an operation in which the contents of templates take the place of their ids.

    `TemplateId` overrides `VideoEnhance`, as in the service. Raises `ParameterError` where the setting is in a
    template that `find` does not return; other templates that it does not return are ignored by name.
    """
    setting, ids, names, ignored = operation.video_enhance, dict[str, str](), list[str](), list[str]()
    if operation.template_id:
        template = _found(operation.template_id, find, must=setting is None)
        content = template.setting if template else None
        if isinstance(content, Transcode):  # the TemplateId of a Transcode job
            setting = dataclasses.replace(setting or VideoEnhance(), transcode=content)
        elif isinstance(content, VideoEnhance):
            setting, ids["template_id"] = content, operation.template_id
            names.append((template and template.name) or operation.template_id)
        elif setting is None:
            raise ParameterError.plain(f"The template {operation.template_id} contains no stage of this panel.")
        else:
            ignored.append(f"TemplateId {operation.template_id}")
    if operation.transcode_template_id:
        template = _found(operation.transcode_template_id, find)
        if template is not None and isinstance(template.setting, Transcode):
            setting = dataclasses.replace(setting or VideoEnhance(), transcode=template.setting)
            if ids:
                ids["transcode_template_id"] = operation.transcode_template_id
                names.append(template.name or operation.transcode_template_id)
        else:
            ignored.append(f"TranscodeTemplateId {operation.transcode_template_id}")
    marks = _stored_watermarks(operation, find, ignored)
    changes: dict[str, Any] = {"watermark": marks} if marks else {}
    resolved = dataclasses.replace(
        operation, video_enhance=setting, template_id=None, template_name=None, transcode_template_id=None,
        watermark_template_id=(), **changes,
    )  # fmt: skip
    stored = StoredSetting(ids, " and ".join(names), setting) if ids and setting is not None else None
    return ResolvedOperation(resolved, stored, ignored)


def _stored_watermarks(operation: Operation, find: FindTemplate | None, ignored: list[str]) -> tuple[Watermark, ...]:
    """Return the watermarks that an operation names by id, and add what is missing or overridden to `ignored`."""
    marks = []
    for one in operation.watermark_template_id:
        template = _found(one, find)
        if template is not None and isinstance(template.setting, Watermark):
            marks.append(template.setting)
        else:
            ignored.append(f"WatermarkTemplateId {one}")
    if marks and operation.watermark:
        ignored.append("Watermark (its templates override it)")
    return tuple(marks)


def _found(template_id: str, find: FindTemplate | None, *, must: bool = False) -> Template | None:
    if find is None:
        if must:
            raise ParameterError.plain(
                f"The setting is in the template {template_id}, and this lab has no templates to read it from."
            )
        return None
    try:
        return find(template_id)
    except CIError as error:
        if must:
            raise ParameterError.plain(f"The template {template_id} cannot be read: {error}") from error
        return None
