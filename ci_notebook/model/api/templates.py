"""Templates: settings stored by the service under a `TemplateId`."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Node, Param, parts
from ci_notebook.model.setting.enhance import (
    SuperResolution,
    SwitchedColorEnhance,
    SwitchedMsSharpen,
    VideoEnhance,
    VideoProcess,
    switched_on,
)
from ci_notebook.model.setting.transcode import Audio, AudioMix, Container, TimeInterval, Transcode, TransConfig, Video
from ci_notebook.model.setting.watermark import Watermark

TemplateTag = Literal["VideoEnhance", "Watermark", "Transcode", "SuperResolution", "VideoProcess"]

# The API page of VideoEnhance templates and the console allow 64 characters: Chinese, letters, digits, _ - *.
_NAME = r"[0-9A-Za-z_\-*\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+"
_NAME_TEXT = "at most 64 characters of Chinese, letters, digits, _ - *"


class TransTpl(Node):
    """A Transcode template in a reply. In a request the same nodes are direct children of the root."""

    time_interval: Annotated[TimeInterval | None, Param("A section of the source.")] = None
    container: Annotated[Container | None, Param("Container.", required=True)] = None
    video: Annotated[Video | None, Param("Video encoding.")] = None
    audio: Annotated[Audio | None, Param("Audio encoding.")] = None
    trans_config: Annotated[TransConfig | None, Param("Handling of a mismatch between source and setting.")] = None
    audio_mix: Annotated[AudioMix | None, Param("Audio to mix in.")] = None
    audio_mix_array: Annotated[tuple[AudioMix, ...], Param("Audio tracks to mix in.", at_most=2)] = ()


class TemplateRequest(Node):
    """The body that creates or replaces a template; in XML `Request`."""

    tag: Annotated[TemplateTag | None, Param("Type of template.", required=True)] = None
    name: Annotated[str | None, Param("Name.", required=True, pattern=_NAME, allowed=_NAME_TEXT, max_chars=64)] = None
    video_enhance: Annotated[VideoEnhance | None, Param("The setting, for VideoEnhance.")] = None
    watermark: Annotated[Watermark | None, Param("The watermark, for Watermark.")] = None
    container: Annotated[Container | None, Param("Container, for Transcode.")] = None
    video: Annotated[Video | None, Param("Video encoding, for Transcode.")] = None
    audio: Annotated[Audio | None, Param("Audio encoding, for Transcode.")] = None
    trans_config: Annotated[TransConfig | None, Param("Handling of a mismatch between source and setting.")] = None
    time_interval: Annotated[TimeInterval | None, Param("A section of the source.")] = None
    audio_mix: Annotated[AudioMix | None, Param("Audio to mix in.")] = None
    audio_mix_array: Annotated[tuple[AudioMix, ...], Param("Audio tracks to mix in.", at_most=2)] = ()
    resolution: Annotated[Literal["sdtohd", "hdto4k"] | None, Param("Target size class, for SuperResolution.")] = None
    enable_scale_up: Annotated[
        bool | None, Param("Scale the result up to the size of the class, for SuperResolution.", default="false")
    ] = None
    version: Annotated[Literal["Base", "Enhance"] | None, Param("Model, for SuperResolution.", default="Base")] = None
    color_enhance: Annotated[SwitchedColorEnhance | None, Param("Colour, for VideoProcess.")] = None
    ms_sharpen: Annotated[SwitchedMsSharpen | None, Param("Detail, for VideoProcess.")] = None

    @property
    def encoding(self) -> Transcode:
        """The encoding of a Transcode template in the form that VideoEnhance contains."""
        return Transcode(**{part.name: getattr(self, part.name) for part in parts(Transcode)})

    @property
    def super_resolution(self) -> SuperResolution:
        """The stage of a SuperResolution template."""
        return SuperResolution(resolution=self.resolution, enable_scale_up=self.enable_scale_up, version=self.version)

    @property
    def video_process(self) -> VideoProcess:
        """The stages of a VideoProcess template, with their switches."""
        return VideoProcess(color_enhance=self.color_enhance, ms_sharpen=self.ms_sharpen)


class Template(Node):
    """One template as the service describes it."""

    tag: Annotated[str | None, Param("Type of template.", reply=True)] = None
    template_id: Annotated[str | None, Param("Id.", reply=True)] = None
    name: Annotated[str | None, Param("Name.", reply=True)] = None
    bucket_id: Annotated[str | None, Param("Bucket.", reply=True)] = None
    category: Annotated[str | None, Param("Custom or Official.", reply=True)] = None
    video_enhance: Annotated[VideoEnhance | None, Param("The setting.", reply=True)] = None
    super_resolution: Annotated[SuperResolution | None, Param("The stage, for SuperResolution.", reply=True)] = None
    video_process: Annotated[VideoProcess | None, Param("The stages, for VideoProcess.", reply=True)] = None
    watermark: Annotated[Watermark | None, Param("The watermark.", reply=True)] = None
    trans_tpl: Annotated[TransTpl | None, Param("The encoding.", reply=True)] = None
    create_time: Annotated[str | None, Param("Time of creation.", reply=True)] = None
    update_time: Annotated[str | None, Param("Time of the last change.", reply=True)] = None

    @property
    def setting(self) -> VideoEnhance | Watermark | Transcode | None:
        """The content of the template: a setting, a watermark, or an encoding. Single stages are a setting."""
        if self.super_resolution is not None:
            return VideoEnhance(super_resolution=self.super_resolution)
        if self.video_process is not None:
            return switched_on(self.video_process)
        if self.trans_tpl is None:
            return self.video_enhance or self.watermark
        content = self.trans_tpl
        return Transcode(**{part.name: getattr(content, part.name) for part in parts(TransTpl)})


class NonExistTID(Node):
    """An id that does not exist, wrapped as in the sample of the API page."""

    template_id: Annotated[str | None, Param("Id.", reply=True)] = None


class TemplateResponse(Node):
    """The answer to create, update, list and delete."""

    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    total_count: Annotated[int | None, Param("Total number.", reply=True)] = None
    page_number: Annotated[int | None, Param("Number of this page.", reply=True)] = None
    page_size: Annotated[int | None, Param("Entries per page.", reply=True)] = None
    template: Annotated[Template | None, Param("The template.", reply=True)] = None
    template_list: Annotated[tuple[Template, ...], Param("Templates.", reply=True)] = ()
    non_exist_tids: Annotated[
        tuple[NonExistTID, ...], Param("Ids that do not exist.", reply=True, tag="NonExistTIDs")
    ] = ()
    template_id: Annotated[str | None, Param("Id of the deleted template.", reply=True)] = None
