"""Settings to start from: presets of the package, templates of the service, and the `setting` of a constructor."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ci_notebook.model.api.templates import Template
from ci_notebook.model.declaration.paths import resolve, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.presets import PRESETS, preset
from ci_notebook.model.setting.rules import check
from ci_notebook.widgets.enhance.other_requests import StoredSetting
from ci_notebook.widgets.ports import TemplatesPort
from ci_notebook.widgets.shared.base_view import error_text

__all__ = ["SettingLike", "TemplatesList", "preset_rows", "setting_from"]

Rows = list[dict[str, str]]
SettingLike = VideoEnhance | str | Mapping[str, object]
"""A setting, the name of a preset, or a dict that maps parameters to values."""


def setting_from(value: SettingLike | None) -> VideoEnhance:
    """Return the setting that a user means: a setting, a preset by its name, or a dict of parameters.

    >>> setting_from({"MsSharpen.SharpenLevel": 5})
    VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))

    Raises `ParameterError` for an unknown preset or parameter, a value out of range, or another type.
    """
    if value is None:
        return VideoEnhance()
    if isinstance(value, VideoEnhance):
        return check(value)
    if isinstance(value, str):
        return _preset(value)
    if isinstance(value, Mapping):
        setting = VideoEnhance()
        for name, leaf_value in value.items():
            if isinstance(leaf_value, Mapping):
                raise ParameterError.plain(
                    f"A setting cannot be a nested dict ({name!r} is one). Write one path per parameter, "
                    'such as {"MsSharpen.SharpenLevel": 5}.'
                )
            setting = with_value(setting, resolve(VideoEnhance, str(name)), leaf_value)
        return check(setting)
    raise ParameterError.plain(
        f"A setting cannot be a {type(value).__name__}. Pass a ci.VideoEnhance, the name of a preset, "
        'or a dict such as {"MsSharpen.SharpenLevel": 5}.'
    )


def _preset(name: str) -> VideoEnhance:
    names = {one.name.lower(): one.name for one in PRESETS}
    if name.lower() in names:
        return preset(names[name.lower()])
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[near[0]]!r}? " if near else ""
    raise ParameterError.plain(f"There is no preset {name!r}. {hint}The presets are {', '.join(names.values())}.")


def preset_rows() -> Rows:
    """Return name and purpose of every preset."""
    return [{"name": one.name, "about": one.about} for one in PRESETS]


class TemplatesList:
    """Templates of the service. Requests run in a thread, so that the kernel is not blocked.

    `show` receives id, name and category of the templates; `report` receives a message or an error.
    """

    def __init__(
        self, templates: TemplatesPort, *, show: Callable[[Rows], object], report: Callable[..., object]
    ) -> None:
        self._templates, self._show, self._report = templates, show, report
        self._loaded: dict[str, Template] = {}
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Load every template that contains a setting, and show them."""
        self._start(str)

    def save(self, name: str, setting: VideoEnhance) -> None:
        """Store a setting as a template, report the name that the service gave it, and load the list again."""

        def work() -> str:
            template = self._templates.create(name.strip(), setting)
            return f"Saved as the template {template.name or name}."

        self._start(work)

    def stored(self, template_id: str) -> StoredSetting:
        """Return the setting of a loaded template. Raises `ParameterError`."""
        template = self._loaded.get(template_id)
        if template is None or template.video_enhance is None:
            raise ParameterError.plain(
                f"The template {template_id} is not in the list. Open “Start from” again to reload the list."
            )
        return StoredSetting({"template_id": template_id}, template.name or template_id, template.video_enhance)

    def find(self, template_id: str) -> Template:
        """Return a template of any kind by its id. Asks the service, unless the template is loaded."""
        return self._loaded.get(template_id) or self._templates.get(template_id)[0]

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until all requests to the service are answered."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _start(self, work: Callable[[], str]) -> None:
        def run() -> None:
            try:
                text = work()
                self._loaded = self._load_all()
                self._show(
                    [
                        {"id": id, "name": one.name or id, "category": one.category or ""}
                        for id, one in self._loaded.items()
                    ]
                )
                self._report(text)
            except Exception as error:  # noqa: BLE001  top of a thread: the panel shows the error
                self._report(error=error_text(error))

        self._thread = threading.Thread(target=run, name="panel-templates", daemon=True)
        self._thread.start()

    def _load_all(self) -> dict[str, Template]:
        templates: Any = (
            one
            for category in ("Custom", "Official")
            for one in self._templates.list(tag="VideoEnhance", category=category)
        )
        return {one.template_id: one for one in templates if one.template_id and one.video_enhance is not None}
