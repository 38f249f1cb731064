"""Result of a job as plain HTML that needs no kernel, no script and no network."""

from __future__ import annotations

from html import escape
from pathlib import PurePosixPath
from typing import Any

from ci_notebook.model.api.jobs import JobsDetail, Operation
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.html import bold, html_table, picture_html, table_html
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.words import settings_in_words
from ci_notebook.widgets.ports import JobReply

__all__ = ["facts", "facts_html", "marks_html", "operation_html", "result_html", "state_html"]


def result_html(setting: VideoEnhance, job: JobReply, before: bytes | None = None, after: bytes | None = None) -> str:
    """Return state, setting, facts and both frames of a job (JPEGs, embedded as they are).

    A missing fact or frame is left out. Every text is escaped.
    """
    (words,) = settings_in_words([values(setting)])
    pictures = "".join(
        picture_html(jpeg, "jpeg", caption, width_px=480)
        for jpeg, caption in (
            (before, f"Before: {_source_name(job)}"),
            (after, f"After: {words}"),
        )
        if jpeg
    )
    return (
        f"{state_html(job.detail)}<div style='display:flex;flex-wrap:wrap;gap:0 24px;align-items:flex-start'>"
        f"{_setting_html(setting, job.detail.operation)}{marks_html(job.detail.operation)}"
        f"{facts_html(job.detail)}</div>"
        f"<div>{pictures}</div>"
    )


def _source_name(job: JobReply) -> str:
    source = job.detail.input.object if job.detail.input else ""
    return PurePosixPath(source or "").name or "the source"


def state_html(detail: JobsDetail) -> str:
    """Return one line: id and state of the job, and the reason if it failed."""
    text = f"Job <code>{escape(detail.job_id or '')}</code> · <b>{escape(detail.state or '')}</b>"
    if detail.state == "Failed":
        text += f" – {escape(detail.code or '')}: {escape(detail.message or '')}"
    elif detail.note:
        text += f" – {escape(detail.note)}"
    return f"<p style='margin:8px 0 4px'>{text}</p>"


def operation_html(operation: Operation, note: str = "") -> str:
    """Return the setting (or its template) and watermarks of an operation, below a note."""
    line = f"<p style='margin:8px 0 4px'>{escape(note)}</p>" if note else ""
    return line + _setting_html(operation.setting or VideoEnhance(), operation) + marks_html(operation)


def _setting_html(setting: VideoEnhance, operation: Operation | None) -> str:
    """Return the setting; of a job that names a template instead, its id and name."""
    if operation is None or not operation.template_id:
        return setting._repr_html_()
    rows = [("TemplateId", operation.template_id, ""), ("TemplateName", operation.template_name, "")]
    return html_table("Template", [row for row in rows if row[1]])


def marks_html(operation: Operation | None) -> str:
    """Return one table per watermark; empty without any."""
    if operation is None:
        return ""
    marks = [*operation.watermark, operation.digital_watermark]
    return "".join(mark._repr_html_() for mark in marks if mark is not None)


def facts_html(detail: JobsDetail) -> str:
    """Return a table of the facts of the output; empty if the reply has none."""
    rows = list(facts(detail).items())
    return table_html(rows, caption=bold("Result"), row_heads=True) if rows else ""


def facts(detail: JobsDetail) -> dict[str, str]:
    """Return the most important facts of the output, as texts with units."""
    info = detail.operation.media_info if detail.operation else None
    file = info.format if info else None
    video = info.stream.video[0] if info and info.stream and info.stream.video else None
    texts: dict[str, str | None] = {
        "Object": ", ".join(detail.output_keys) or None,
        "Picture": f"{video.width} × {video.height} px" if video and video.width and video.height else None,
        "Frame rate": _number(video and video.fps, "g", " fps"),
        "Codec": video.codec_name if video else None,
        "Duration": _number(file and file.duration, ".2f", " s"),
        "Bit rate": _number(file and file.bitrate, ".0f", " kbps"),
        "Size": _bytes(file.size) if file and file.size is not None else None,
    }
    return {name: text for name, text in texts.items() if text}


def _number(value: Any, form: str, unit: str) -> str | None:
    # A reply may contain a text instead of a number; it is shown unchanged.
    return None if value is None else f"{value:{form}}{unit}" if isinstance(value, int | float) else str(value)


def _bytes(size: Any) -> str:
    if not isinstance(size, int):
        return str(size)
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
