"""Settings stored by the service under a `TemplateId` (§6)."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Node, Param, parts
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Audio, AudioMix, Container, TimeInterval, Transcode, TransConfig, Video
from ci_notebook.model.setting.watermark import Watermark

TemplateTag = Literal["VideoEnhance", "Watermark", "Transcode"]

# The page of VideoEnhance and the console say 64 characters of Chinese, letters, digits, _ - *.
_NAME = r"[0-9A-Za-z_\-*\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+"
_NAME_TEXT = "at most 64 characters of Chinese, letters, digits, _ - *"


class TransTpl(Node):
    """A Transcode template in a reply; in a request the same nodes stand bare."""

    time_interval: Annotated[TimeInterval | None, Param("A stretch of the source.")] = None
    container: Annotated[Container | None, Param("Container.", required=True)] = None
    video: Annotated[Video | None, Param("Pictures.")] = None
    audio: Annotated[Audio | None, Param("Sound.")] = None
    trans_config: Annotated[TransConfig | None, Param("When source and wish do not fit.")] = None
    audio_mix: Annotated[AudioMix | None, Param("Sound to mix in.")] = None
    audio_mix_array: Annotated[tuple[AudioMix, ...], Param("Sounds to mix in.", at_most=2)] = ()


class TemplateRequest(Node):
    """What is sent to create or replace a template; on the wire `Request`."""

    tag: Annotated[TemplateTag | None, Param("Kind.", required=True)] = None
    name: Annotated[str | None, Param("Name.", required=True, pattern=_NAME, allowed=_NAME_TEXT, max_chars=64)] = None
    video_enhance: Annotated[VideoEnhance | None, Param("The setting, for VideoEnhance.")] = None
    watermark: Annotated[Watermark | None, Param("The mark, for Watermark.")] = None
    container: Annotated[Container | None, Param("Container, for Transcode.")] = None
    video: Annotated[Video | None, Param("Pictures, for Transcode.")] = None
    audio: Annotated[Audio | None, Param("Sound, for Transcode.")] = None
    trans_config: Annotated[TransConfig | None, Param("When source and wish do not fit.")] = None
    time_interval: Annotated[TimeInterval | None, Param("A stretch of the source.")] = None
    audio_mix: Annotated[AudioMix | None, Param("Sound to mix in.")] = None
    audio_mix_array: Annotated[tuple[AudioMix, ...], Param("Sounds to mix in.", at_most=2)] = ()


class Template(Node):
    """One template as the service tells it."""

    tag: Annotated[str | None, Param("Kind.", reply=True)] = None
    template_id: Annotated[str | None, Param("Id.", reply=True)] = None
    name: Annotated[str | None, Param("Name.", reply=True)] = None
    bucket_id: Annotated[str | None, Param("Bucket.", reply=True)] = None
    category: Annotated[str | None, Param("Custom or Official.", reply=True)] = None
    video_enhance: Annotated[VideoEnhance | None, Param("The setting.", reply=True)] = None
    watermark: Annotated[Watermark | None, Param("The mark.", reply=True)] = None
    trans_tpl: Annotated[TransTpl | None, Param("The encoding.", reply=True)] = None
    create_time: Annotated[str | None, Param("Made at.", reply=True)] = None
    update_time: Annotated[str | None, Param("Changed at.", reply=True)] = None

    @property
    def setting(self) -> VideoEnhance | Watermark | Transcode | None:
        """What is stored, as the value that it was made from: a setting, a mark, or an encoding."""
        if self.trans_tpl is None:
            return self.video_enhance or self.watermark
        stored = self.trans_tpl
        return Transcode(**{part.name: getattr(stored, part.name) for part in parts(TransTpl)})


class NonExistTID(Node):
    """An id that no template has; the page's sample wraps it so."""

    template_id: Annotated[str | None, Param("Id.", reply=True)] = None


class TemplateResponse(Node):
    """The answer to create, update, list and delete."""

    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    total_count: Annotated[int | None, Param("How many there are.", reply=True)] = None
    page_number: Annotated[int | None, Param("This page.", reply=True)] = None
    page_size: Annotated[int | None, Param("Length of a page.", reply=True)] = None
    template: Annotated[Template | None, Param("The template.", reply=True)] = None
    template_list: Annotated[tuple[Template, ...], Param("Templates.", reply=True)] = ()
    non_exist_tids: Annotated[
        tuple[NonExistTID, ...], Param("Ids that no template has.", reply=True, tag="NonExistTIDs")
    ] = ()
    template_id: Annotated[str | None, Param("What was deleted.", reply=True)] = None
