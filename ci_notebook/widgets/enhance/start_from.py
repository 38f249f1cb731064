"""Settings to start from: the presets that ship with us, and the templates that the service keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ci_notebook.model.api.templates import Template
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.presets import PRESETS
from ci_notebook.widgets.shared.error_text import said

Rows = list[dict[str, str]]


class Templates(Protocol):
    """What the service keeps."""

    def list(self, *, tag: str = "", category: str = "Custom") -> Iterable[Template]:
        """Return the templates of a kind and category."""

    def create(self, name: str, what: Any) -> Template:
        """Store a setting under a new id."""


def presets_shown() -> Rows:
    """Return name and purpose of every preset."""
    return [{"name": one.name, "about": one.about} for one in PRESETS]


class Shelf:
    """The service's templates. What asks the service runs in a thread, so that the kernel stays free.

    `show` gets id, name and category of those that were read, `tell` what there is to say.
    """

    def __init__(self, templates: Templates, *, show: Callable[[Rows], object], tell: Callable[..., object]) -> None:
        self._templates, self._show, self._tell = templates, show, tell
        self._read: dict[str, Template] = {}
        self._thread: threading.Thread | None = None

    def read(self) -> None:
        """Read every template that holds a setting, and show them."""
        self._aside(str)

    def keep(self, name: str, setting: VideoEnhance) -> None:
        """Store a setting as a template, say the name that the service gave it, and read them again."""

        def work() -> str:
            made = self._templates.create(name.strip(), setting)
            return f"Kept by the service as the template {made.name or name}."

        self._aside(work)

    def setting(self, template_id: str) -> tuple[str, VideoEnhance]:
        """Return name and setting of a template that was read. Raises `ParameterError`."""
        found = self._read.get(template_id)
        if found is None or found.video_enhance is None:
            raise ParameterError("a template", template_id, "one that was read from the service", "Read them again.")
        return found.name or template_id, found.video_enhance

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until what was asked of the service is done."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _aside(self, work: Callable[[], str]) -> None:
        def run() -> None:
            try:
                words = work()
                self._read = self._all()
                self._show(
                    [
                        {"id": id, "name": one.name or id, "category": one.category or ""}
                        for id, one in self._read.items()
                    ]
                )
                self._tell(words)
            except Exception as error:  # noqa: BLE001  the top of a worker: the panel says it
                self._tell(error=said(error))

        self._thread = threading.Thread(target=run, name="panel-templates", daemon=True)
        self._thread.start()

    def _all(self) -> dict[str, Template]:
        listed = (
            one
            for category in ("Custom", "Official")
            for one in self._templates.list(tag="VideoEnhance", category=category)
        )
        return {one.template_id: one for one in listed if one.template_id and one.video_enhance is not None}
