"""Templates of a bucket: settings that the service stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ci_notebook.client.connection.http import Sender
from ci_notebook.client.paging import PAGE_SIZE, pages, required
from ci_notebook.model.api.templates import Template, TemplateRequest, TemplateResponse
from ci_notebook.model.declaration.node import parts
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.model.html import bold, table_html
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import check
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.model.setting.watermark import Watermark
from ci_notebook.model.setting.words import setting_in_words
from ci_notebook.wire.operations import CALL

Content = VideoEnhance | Watermark | Transcode


class TemplateList(tuple[Template, ...]):
    """Templates as a tuple that shows itself as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        names = ", ".join(one.name or one.template_id or "" for one in self)
        return f"<{len(self)} template{'' if len(self) == 1 else 's'}{': ' if names else ''}{names}>"

    def _repr_html_(self) -> str:
        rows = [
            (one.name or "", one.template_id or "", one.tag or "",
             setting_in_words(values(one.setting)) if one.setting else "")
            for one in self
        ]  # fmt: skip
        caption = bold(f"{len(self)} template{'' if len(self) == 1 else 's'}")
        return table_html(rows, head=("name", "id", "type", "parameters"), caption=caption, row_heads=True)


class Templates:
    """The templates of a bucket: settings, watermarks and encodings stored under a `TemplateId`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def create(self, name: str, content: Content) -> Template:
        """Store a setting, a watermark or an encoding under a new id, and return the template.

        A name has at most 64 characters: Chinese, letters, digits, `_`, `-` and `*`. The service allows no
        space, so a space becomes `_`; the returned template has the final name.
        """
        body = check(_template_request(name, content))
        return required(self._sender.ask(CALL["create_template"], TemplateResponse, body=body).template)

    def update(self, template_id: str | Template, name: str, content: Content) -> Template:
        """Replace the name and content of a template, and return it."""
        body = check(_template_request(name, content))
        answer = self._sender.ask(
            CALL["update_template"], TemplateResponse, body=body, names={"id": _id_of(template_id)}
        )
        return required(answer.template)

    def get(self, *ids: str | Template) -> TemplateList:
        """Return templates by their ids, in that order. Raises `NotFound` with the ids that do not exist."""
        wanted = [_id_of(one) for one in ids]
        answer = self._sender.ask(CALL["list_templates"], TemplateResponse, query={"ids": ",".join(wanted)})
        templates = {one.template_id: one for one in answer.template_list}
        missing = [one for one in wanted if one not in templates]
        if missing:
            raise NotFound("TemplateNotFound", f"There is no template with the id {', '.join(missing)}.", status=404)
        return TemplateList(templates[one] for one in wanted)

    def list(self, *, tag: str = "", name: str = "", category: str = "Custom") -> TemplateList:
        """Return the matching templates; `name` is the start of a name, `category` is Custom or Official."""
        filters = {name: value for name, value in (("tag", tag), ("name", name), ("category", category)) if value}

        def page(number: int) -> tuple[Iterable[Template], int | None]:
            query = {**filters, "pageNumber": str(number), "pageSize": str(PAGE_SIZE)}
            answer = self._sender.ask(CALL["list_templates"], TemplateResponse, query=query)
            return answer.template_list, answer.total_count

        return TemplateList(pages(page, lambda template: template.template_id))

    def delete(self, template_id: str | Template) -> None:
        """Delete a template, named by its id or as it was returned. Its jobs keep their settings."""
        self._sender.send(CALL["delete_template"], names={"id": _id_of(template_id)})


def _id_of(template: object) -> str:
    value = template.template_id if isinstance(template, Template) else template
    if not isinstance(value, str) or not value:
        raise ParameterError.plain(
            f"A template is named by its id, such as 't1a2b…', or is a Template (got {value!r:.80})."
        )
    return value


def _template_request(title: str, content: Content) -> TemplateRequest:
    name = title.replace(" ", "_")
    if isinstance(content, VideoEnhance):
        return TemplateRequest(tag="VideoEnhance", name=name, video_enhance=content)
    if isinstance(content, Watermark):
        return TemplateRequest(tag="Watermark", name=name, watermark=content)
    if not isinstance(content, Transcode):
        kind = type(content).__name__
        raise ParameterError.plain(f"A template stores a VideoEnhance, a Watermark or a Transcode, not a {kind}.")
    # In a request the children of Transcode are direct children of the root; in a reply they are in TransTpl.
    children = {part.name: getattr(content, part.name) for part in parts(Transcode)}
    return dataclasses.replace(TemplateRequest(tag="Transcode", name=name), **children)
