"""`EnhancePanel`: what is asked of one clip by hand, its Python and XML beside it, and one job a press.

The rules of this file: the panel, its Python and its XML always agree; a text that is not taken
is marked and changes nothing; results leave the panel as plain outputs. What a panel knows stands
in `sheet`; here are its traits, what a front end may ask of it, and what asks the lab.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

from IPython import get_ipython
from IPython.display import display

from ci_notebook.model.api.jobs import Operation, Request
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import check
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.enhance.controls import asked
from ci_notebook.widgets.enhance.export import asked_text, curl_text, marks_of, request_text
from ci_notebook.widgets.enhance.price_line import Pricing
from ci_notebook.widgets.enhance.schema import stages
from ci_notebook.widgets.enhance.start_from import Shelf, presets_shown
from ci_notebook.widgets.enhance.state import DEEDS, Sheet
from ci_notebook.widgets.enhance.submit import IDLE, Lab, Sending, SentJob
from ci_notebook.widgets.enhance.traits import Face
from ci_notebook.widgets.preview.pane import Sight
from ci_notebook.widgets.shared.error_text import said
from ci_notebook.widgets.shared.output import Trace
from ci_notebook.widgets.shared.persistence import Memory


class EnhancePanel(Face):
    """A panel for one job: switches, sliders, marks, Python, XML, price and Submit, all from the declarations.

    `value` is the last setting in which nothing was refused, `watermarks` and `digital_watermark` are
    the marks beside it. With a `key` the panel comes back with what its controls held after the kernel
    was restarted, if the lab has a `state_dir` and `setting` is still the one it began with. Raises
    `ParameterError` for a `setting` that could not be sent.
    """

    def __init__(self, lab: Lab, clip: Any, setting: VideoEnhance | None = None, *, key: str | None = None) -> None:
        start = asked(check(setting) if setting is not None else VideoEnhance())
        self._lab, self._clip = lab, clip
        self._memory = Memory(getattr(lab, "state_dir", None), key, asked_text(start))
        self._sheet = Sheet(start, *(self._memory.read() or ()))
        self._sending = Sending(lab, clip, say=self._show_status, fail=self._mark)
        self._shelf = (
            Shelf(lab.templates, show=self._show_templates, tell=self._tell) if hasattr(lab, "templates") else None
        )
        self._pricing = self._pricing_of(lab)
        self._told: Operation | None = None
        self._sight = Sight(lab, clip, send=self.send)
        offers = {
            "price": self._pricing, "templates": self._shelf, "curl": getattr(lab, "bucket", None),
            "preview": getattr(lab, "previews", None),
        }  # fmt: skip
        super().__init__(
            title=getattr(clip, "name", "") or getattr(clip, "key", "") or str(clip),
            schema=stages(),
            presets=presets_shown(),
            offers=[name for name, there in offers.items() if there is not None],
            status=IDLE,
            **self._sheet.traits(),
            **self._texts(),
        )
        self.on_msg(self._take)

    @property
    def value(self) -> VideoEnhance:
        """The last setting in which nothing was refused. Assign to set every control but those of the marks."""
        return self._sheet.setting

    @value.setter
    def value(self, setting: VideoEnhance) -> None:
        self._put(video_enhance=check(setting))

    @property
    def watermarks(self) -> tuple[Watermark, ...]:
        """The visible marks that go with the setting, at most three. Assign any iterable of them."""
        return self._sheet.asked.watermark

    @watermarks.setter
    def watermarks(self, marks: Iterable[Watermark]) -> None:
        self._put(watermark=tuple(check(mark) for mark in marks))

    @property
    def digital_watermark(self) -> DigitalWatermark | None:
        """The hidden text that goes with the setting, or None."""
        return self._sheet.asked.digital_watermark

    @digital_watermark.setter
    def digital_watermark(self, mark: DigitalWatermark | None) -> None:
        self._put(digital_watermark=mark if mark is None else check(mark))

    @property
    def request(self) -> Request:
        """The whole request that Submit would send."""
        return self._lab.request(self._clip, self.value, **marks_of(self._sheet.asked))

    @property
    def trace(self) -> Trace:
        """The results, as the output that stays in the notebook."""
        return self._sending.trace

    @property
    def job(self) -> SentJob | None:
        """The job that was submitted last."""
        return self._sending.job

    @property
    def error(self) -> Exception | None:
        """What went wrong with the last press, or None."""
        return self._sending.error

    def set(self, name: str, value: object) -> None:
        """Set one leaf, by its path or an unambiguous ending of it, and switch on the nodes above it.

        None leaves it out, and with it the nodes above it that hold nothing else. Raises
        `ParameterError` if the leaf does not take the value. What is still missing elsewhere is
        in `problems`.
        """
        self._sheet.set(name, value)
        self._show()

    def undo(self) -> None:
        """Take the last change back, if there is one."""
        self._do("undo", {})

    def redo(self) -> None:
        """Make again what was taken back, unless something else was done meanwhile."""
        self._do("redo", {})

    def paste(self, text: str) -> str:
        """Take a request, reply or template as XML, or Python as the panel writes it; return what was taken.

        Nothing in it is run. Raises `ParameterError` or `MalformedXML` for a text that is none of these.
        """
        return self._do("paste", {"text": text})

    def to_cell(self) -> None:
        """Put the panel's Python into a new cell: call it from a cell, in any notebook."""
        shell = get_ipython()
        if shell is None:
            raise ParameterError("a new cell", None, "a notebook", "Print panel.python instead.")
        shell.set_next_input(self.python)

    def submit(self) -> None:
        """Do what the Submit button does: send one job in the background, unless one is under way."""
        self._press(uuid.uuid4().hex)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing submitted here is under way; return False if that took too long."""
        return self._sending.wait(timeout_s)

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until price and templates that were asked for are told; return False if that took too long."""
        if self._shelf is not None:
            self._shelf.wait(timeout_s)
        return self._pricing is None or self._pricing.wait(timeout_s)

    def close(self) -> None:
        """Close the panel and its layout. A job that was sent goes on; its result still appears."""
        for one in (getattr(self, "_pricing", None), getattr(self, "_sight", None)):  # a refused setting made neither
            if one is not None:
                one.close()
        if self.comm is not None:
            self.layout.close()
        super().close()

    def __repr__(self) -> str:
        return f"EnhancePanel({self.title!r}, {self.value!r})"

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
        self.trace.show()

    def _pricing_of(self, lab: Any) -> Pricing | None:
        if not hasattr(lab, "price"):
            return None
        is_free = getattr(lab, "engine", None) is not None
        return Pricing(lambda setting: lab.price(self._clip, [setting]), self._show_price, is_free=is_free)

    def _put(self, **named: Any) -> None:
        self._sheet.take(**named)
        self._show()

    def _show(self) -> None:
        """Show what the sheet holds, in one message."""
        with self.hold_sync():
            for name, value in {**self._sheet.traits(), **self._texts()}.items():
                setattr(self, name, value)
        self._memory.write(self._sheet.held, self._sheet.good)

    def _texts(self) -> dict[str, str]:
        """Return Python and XML of what is asked, if that is new, and have its price told."""
        operation = self._sheet.asked
        if operation is self._told:
            return {}
        self._told = operation
        if self._pricing is not None:
            self._pricing.ask(self.value)
        xml = request_text(self.request) if marks_of(operation) else self._lab.xml(self.value)
        return {"python": asked_text(operation), "xml": xml}

    def _do(self, what: str, content: dict[str, Any]) -> str:
        words = self._sheet.do(what, content)
        self._show()
        return words

    def _take(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        what = content.get("do")
        if what == "sight":
            self._sight.take(content)
        if what not in DEEDS and what not in _DEEDS:
            return
        press = str(content.get("press") or uuid.uuid4().hex)
        try:
            if edit := content.get("edit"):  # of a hand, before what was pressed
                with self.hold_sync():
                    self._hear(str(content.get("view")), int(edit["number"]))
                    self._sheet.edit(edit["values"], edit["on"])
                    self._show()
            if what in DEEDS:
                self._tell(self._do(str(what), content))
            else:
                _DEEDS[str(what)](self, {**content, "press": press})
        except Exception as error:  # noqa: BLE001  the front end's call ends here, so the panel says it
            if what == "submit":
                self._sending.fail(error, press)
            else:
                self._tell(error=said(error))

    def _press(self, press: str) -> None:
        self._sending.press(press, self._sheet.asked, next(iter(self.problems.values()), ""))

    def _copy(self, content: dict[str, Any]) -> None:
        what = str(content["what"])
        if self.problems:
            raise ParameterError("a copy", what, "a panel in which nothing is refused", "Mend what is marked first.")
        text = {"python": lambda: self.python, "xml": lambda: request_text(self.request), "curl": self._curl}[what]()
        self.send({"do": "copied", "what": what, "text": text, "view": content.get("view")})

    def _curl(self) -> str:
        return curl_text(self.request, getattr(self._lab, "bucket", ""), getattr(self._lab, "region", ""))

    def _read_templates(self, _content: dict[str, Any]) -> None:
        if self._shelf is not None:
            self._shelf.read()

    def _template(self, content: dict[str, Any]) -> None:
        if self._shelf is not None:
            name, setting = self._shelf.setting(str(content["id"]))
            self._put(video_enhance=setting)
            self._tell(f"Set to the template {name}.")

    def _keep(self, content: dict[str, Any]) -> None:
        if self.problems:
            raise ParameterError("a template", content["name"], "a setting in which nothing is refused")
        if self._shelf is not None:
            self._shelf.keep(str(content["name"]), self.value)

    def _mark(self, error: Exception) -> None:
        if isinstance(error, ParameterError):
            self._sheet.refuse(error.path, str(error))
            self.problems = self._sheet.problems


_DEEDS: Final[dict[str, Callable[[EnhancePanel, dict[str, Any]], None]]] = {
    "edit": lambda panel, content: None,
    "submit": lambda panel, content: panel._press(content["press"]),
    "copy": EnhancePanel._copy,
    "templates": EnhancePanel._read_templates,
    "template": EnhancePanel._template,
    "keep": EnhancePanel._keep,
}
