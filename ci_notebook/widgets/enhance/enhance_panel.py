"""`EnhancePanel`: edit one setting for one clip, with its Python, XML, price and preview, and submit it.

Invariant: controls, Python and XML of the panel always agree; an invalid text is marked and changes nothing; results
are plain outputs of the cell. `PanelState` holds the state; this module has the actions of the page and the calls to
the lab.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

import traitlets
from IPython import get_ipython

from ci_notebook.model.api.jobs import Operation, Request
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import check
from ci_notebook.model.setting.source_rules import hdr_in_line, refuse_hdr_source
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.clip_titles import title_of
from ci_notebook.widgets.enhance.controls import json_of, operation_of, setting_of_json
from ci_notebook.widgets.enhance.export import curl_text, marks_of, operation_text, request_text
from ci_notebook.widgets.enhance.other_requests import StoredSetting
from ci_notebook.widgets.enhance.panel_state import STATE_ACTIONS, PanelState, SavedControls
from ci_notebook.widgets.enhance.price_line import PriceDisplay
from ci_notebook.widgets.enhance.schema import stages
from ci_notebook.widgets.enhance.start_from import SettingLike, TemplatesList, preset_rows, setting_from
from ci_notebook.widgets.enhance.submission import IDLE, Submission
from ci_notebook.widgets.enhance.traits import PanelTraits
from ci_notebook.widgets.file_ports import video_files_of
from ci_notebook.widgets.files.take_away import TakeAway
from ci_notebook.widgets.ports import EnhanceLab, SubmittedJob
from ci_notebook.widgets.preview.pane import PreviewPane
from ci_notebook.widgets.shared.base_view import ViewValue, error_text
from ci_notebook.widgets.shared.clip_lines import ClipLines
from ci_notebook.widgets.shared.job_change_lines import JobChangeLines

__all__ = ["EnhancePanel"]


class EnhancePanel(PanelTraits):
    """A panel for one job: switches, sliders, watermarks, Python, XML, price, preview and Submit.

    `setting` is a `VideoEnhance`, the name of a preset ("Crisp detail"), or a dict of parameters
    ({"MsSharpen.SharpenLevel": 5}). `value` is the last valid setting. It is a trait that can be observed, linked and
    assigned in each of these forms; an invalid value raises `ParameterError` and changes nothing. `watermarks` and
    `digital_watermark` are the last valid watermarks; `output` shows the results and stays in the notebook. With a
    `key` the panel restores its controls after a restart of the kernel, if the lab has a `state_dir` and `setting`
    has not changed. Raises `ParameterError` for an invalid `setting`.

    >>> import ci_notebook as ci
    >>> lab = ci.connect()
    >>> panel = ci.EnhancePanel(lab, lab.upload(ci.sample()))
    >>> panel.value = {"SharpenLevel": 5}
    >>> panel.value
    VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    >>> panel.close()
    """

    value = ViewValue[VideoEnhance, SettingLike](
        lambda panel, value: panel._take(value),
        read=lambda panel, json: panel.value if json == json_of(panel.value) else setting_of_json(json),
        write=json_of,
        refuse=lambda panel, error: panel._show_message(error=str(error)),
        help="The last valid setting. Assign one to set all controls except those of the watermarks.",
    )

    @checks_keywords
    def __init__(
        self, lab: EnhanceLab, clip: Any, setting: SettingLike | None = None, *, key: str | None = None
    ) -> None:
        start = operation_of(setting_from(setting))
        self._lab, self._clip = lab, clip
        self._clip_lines = ClipLines(lab.clip_facts, [clip], self._show_clip_line)
        self.on_close(self._clip_lines.close)
        self._hdr = hdr_in_line(self._clip_lines.known[0])
        self._saved = SavedControls(lab.state_dir, key, operation_text(start))
        self._templates = (
            TemplatesList(lab.templates, show=self._show_templates, report=self._show_message)
            if lab.templates is not None
            else None
        )
        find = self._templates.find if self._templates is not None else None
        self._state = PanelState(start, *(self._saved.read() or ()), find_template=find, hdr=self._hdr)
        self._submission = Submission(
            lab, clip, on_status=self._show_status, on_error=self._mark, on_result=self._add_result
        )
        self._done: dict[str, SubmittedJob] = {}
        self._take_away = TakeAway(video_files_of(lab), lambda item: (self._done[item], self._names()[item]), self.send)
        self.on_close(self._take_away.close)
        self.output = self._submission.output
        self._price_line = self._price_line_of(lab)
        self._change_lines = JobChangeLines(lab, clip, self._show_job_changes)
        self.on_close(self._change_lines.close)
        self._described: Operation | None = None
        self._preview = PreviewPane(lab.previews, clip, send=self.send)
        self.on_close(self._preview.close)
        features = {
            "price": self._price_line is not None, "templates": self._templates is not None, "curl": bool(lab.bucket),
            "preview": lab.previews is not None,
        }  # fmt: skip
        super().__init__(
            title=title_of(clip),
            clip_line=self._clip_lines.known[0],
            schema=stages(),
            presets=preset_rows(),
            features=[name for name, is_offered in features.items() if is_offered],
            status=IDLE,
            **self._state.traits(),
            **self._texts(),
        )
        self.on_msg(self._receive)
        self._clip_lines.start()
        self.on_msg(self._take_away.receive)

    @property
    def watermarks(self) -> tuple[Watermark, ...]:
        """The visible watermarks, at most three. Assign any iterable of them."""
        return self._state.operation.watermark

    @watermarks.setter
    def watermarks(self, marks: Iterable[Watermark]) -> None:
        self._replace(watermark=tuple(check(mark) for mark in marks))

    @property
    def digital_watermark(self) -> DigitalWatermark | None:
        """The invisible watermark, or None."""
        return self._state.operation.digital_watermark

    @digital_watermark.setter
    def digital_watermark(self, mark: DigitalWatermark | None) -> None:
        self._replace(digital_watermark=mark if mark is None else check(mark))

    @property
    def request(self) -> Request:
        """The complete request that Submit would send."""
        sent = self._state.sent
        return self._lab.request(self._clip, None if sent.template_id else self._state.setting, **marks_of(sent))

    @property
    def template_id(self) -> str | None:
        """The TemplateId that Submit sends instead of the setting; None if it sends the setting.

        Assign the id of a template to set the controls to its setting and to submit by its id, as long as the
        setting is not changed; assign None to submit the setting itself.
        """
        return self._state.sent.template_id

    @template_id.setter
    def template_id(self, template_id: str | None) -> None:
        if template_id is None:
            self._state.submit_by_template(False)
        else:
            self._state.apply_stored(self._stored_setting(template_id), by_template=True)
        self._show()

    @property
    def job(self) -> SubmittedJob | None:
        """The job that was submitted last."""
        return self._submission.job

    @property
    def error(self) -> Exception | None:
        """The exception of the last submission, or None."""
        return self._submission.error

    def set(self, name: str, value: object) -> None:
        """Set one parameter, by its path or an unambiguous ending of it, and switch on the stages above it.

        None leaves it out, and also the stages above it that become empty. Raises `ParameterError` if the parameter
        does not accept the value. Parameters that are still missing are in `problems`.
        """
        self._state.set(name, value)
        self._show()

    def undo(self) -> None:
        """Undo the last change, if there is one."""
        self._do("undo", {})

    def redo(self) -> None:
        """Repeat the last undone change, unless something else was changed meanwhile."""
        self._do("redo", {})

    def paste(self, text: str) -> str:
        """Apply a request, reply or template as XML, or the Python that the panel shows; return a summary.

        Pasted code is never executed. Raises `ParameterError` or `MalformedXML` for any other text.
        """
        return self._do("paste", {"text": text})

    def to_cell(self) -> None:
        """Put the Python of the panel into a new cell. Call it from a cell, in any notebook."""
        shell = get_ipython()
        if shell is None:
            raise ParameterError.plain("to_cell() works only in a notebook. Use print(panel.python) instead.")
        shell.set_next_input(self.python)

    def submit(self) -> None:
        """Do the same as the Submit button: send one job in the background, unless one is running."""
        self._submit(uuid.uuid4().hex)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until no job of this panel is running; return False after the timeout."""
        return self._submission.wait(timeout_s)

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until price, templates and the lines about clip and job are there; return False after the timeout."""
        if not (self._clip_lines.wait(timeout_s) and self._change_lines.wait(timeout_s)):
            return False
        if self._templates is not None:
            self._templates.wait(timeout_s)
        return self._price_line is None or self._price_line.wait(timeout_s)

    def close(self) -> None:
        """Close the panel and its layout. A submitted job continues; its result still appears."""
        super().close()

    def __repr__(self) -> str:
        return f"EnhancePanel({self.title!r}, {self.value!r})"

    def _ipython_display_(self) -> None:
        self.display_widget()
        self.output.show()

    def _stored_setting(self, template_id: str) -> StoredSetting:
        if self._templates is None:
            raise ParameterError.plain("This lab has no templates.")
        if not isinstance(template_id, str) or not template_id:
            raise ParameterError(
                "template_id", template_id, "the id of a stored template, such as template.template_id"
            )
        template = self._templates.find(template_id)
        if template.video_enhance is None:
            raise ParameterError.plain(f"The template {template_id} is not for video enhancement.")
        return StoredSetting({"template_id": template_id}, template.name or template_id, template.video_enhance)

    def _price_line_of(self, lab: EnhanceLab) -> PriceDisplay | None:
        estimate = lab.price
        if estimate is None:
            return None
        line = PriceDisplay(
            lambda setting: estimate(self._clip, [setting]), self._show_price, is_free=lab.engine is not None
        )
        self.on_close(line.close)
        return line

    @traitlets.default("value")
    def _first_value(self) -> VideoEnhance:
        return self._state.setting

    def _take(self, value: SettingLike) -> None:
        if value is None:
            raise ParameterError.plain("The value cannot be None. Assign ci.VideoEnhance() to leave everything out.")
        setting = setting_from(value)
        refuse_hdr_source(setting, self._hdr, title_of(self._clip))
        self._replace(video_enhance=setting)

    def _show_clip_line(self, lines: list[str]) -> None:
        super()._show_clip_line(lines)
        if hdr := hdr_in_line(lines[0]):
            self._hdr = hdr
            self._state.set_hdr(hdr)
            self._show()

    def _replace(self, **named: Any) -> None:
        self._state.replace(**named)
        self._show()

    def _show(self) -> None:
        """Update all traits in one message, and save the controls."""
        with self.hold_sync():
            for name, value in {**self._state.traits(), **self._texts()}.items():
                setattr(self, name, value)
            type(self).value.publish(self, self._state.setting)
        self._saved.write(self._state.controls, self._state.valid)

    def _texts(self) -> dict[str, str]:
        """Return Python and XML of the operation and ask for its price; nothing if it has not changed."""
        operation = self._state.sent
        if operation == self._described:
            return {}
        self._described = operation
        if self._price_line is not None:
            self._price_line.submit(self._state.setting)
        self._change_lines.ask(self._state.setting)
        xml = request_text(self.request) if marks_of(operation) else self._lab.xml(self._state.setting)
        return {"python": operation_text(operation), "xml": xml}

    def _do(self, action: str, content: dict[str, Any]) -> str:
        text = self._state.do(action, content)
        self._show()
        return text

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        action = content.get("do")
        if action == "preview":
            self._preview.receive(content)
        if action not in STATE_ACTIONS and action not in _PANEL_ACTIONS:
            return
        token = str(content.get("press") or uuid.uuid4().hex)
        try:
            if edit := content.get("edit"):  # edits that were made before the click
                with self.hold_sync():
                    self._acknowledge(str(content.get("view")), int(edit["number"]))
                    self._state.edit(edit["values"], edit["nodes"])
                    self._show()
            if action in STATE_ACTIONS:
                self._show_message(self._do(str(action), content), action=str(action))
            else:
                _PANEL_ACTIONS[str(action)](self, {**content, "press": token})
        except Exception as error:  # noqa: BLE001  top of a call from the page: the panel shows the error
            if action == "submit":
                self._submission.fail(error, token)
            else:
                self._show_message(error=error_text(error))

    def _submit(self, token: str) -> None:
        self._submission.submit(token, self._state.sent, next(iter(self.problems.values()), ""))

    def _copy(self, content: dict[str, Any]) -> None:
        what = str(content["what"])
        if self.problems:
            raise ParameterError.plain("Nothing was copied: correct the marked parameters first.")
        text = {"python": lambda: self.python, "xml": lambda: request_text(self.request), "curl": self._curl}[what]()
        self.send({"do": "copied", "what": what, "text": text, "view": content.get("view")})

    def _curl(self) -> str:
        return curl_text(self.request, self._lab.bucket, self._lab.region)

    def _load_templates(self, _content: dict[str, Any]) -> None:
        if self._templates is not None:
            self._templates.load()

    def _apply_template(self, content: dict[str, Any]) -> None:
        if self._templates is not None:
            stored = self._templates.stored(str(content["id"]))
            self._state.apply_stored(stored, by_template=False)
            self._show()
            self._show_message(f"Set to the template {stored.name}.")

    def _submit_by_template(self, content: dict[str, Any]) -> None:
        self._state.submit_by_template(bool(content.get("on")))
        self._show()

    def _save_template(self, content: dict[str, Any]) -> None:
        if self.problems:
            raise ParameterError.plain("The template was not saved: correct the marked parameters first.")
        if self._templates is not None:
            self._templates.save(str(content["name"]), self.value)

    def _add_result(self, job: SubmittedJob) -> None:
        if job.detail.output_keys and self._take_away.is_offered:
            self._done[job.detail.job_id or ""] = job
            self.result_files = [{"item": item, "name": name} for item, name in reversed(self._names().items())]

    def _names(self) -> dict[str, str]:
        """Return the file name of each result, by the parameters in which the results differ."""
        return dict(zip(self._done, self._take_away.names([*self._done.values()]), strict=True))

    def _mark(self, error: Exception) -> None:
        if isinstance(error, ParameterError):
            self._state.mark(error.path, str(error))
            self.problems = self._state.problems


_PANEL_ACTIONS: Final[dict[str, Callable[[EnhancePanel, dict[str, Any]], None]]] = {
    "edit": lambda panel, content: None,
    "submit": lambda panel, content: panel._submit(content["press"]),
    "copy": EnhancePanel._copy,
    "load_templates": EnhancePanel._load_templates,
    "apply_template": EnhancePanel._apply_template,
    "save_template": EnhancePanel._save_template,
    "by_template": EnhancePanel._submit_by_template,
}
