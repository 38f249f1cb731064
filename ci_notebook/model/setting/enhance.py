"""The enhancement stages of a setting. A stage is on when its node is present."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from ci_notebook.model.declaration.node import Auto, Node, Param
from ci_notebook.model.setting.transcode import Transcode

N = TypeVar("N", bound=Node)


class SuperResolution(Node):
    """Super-resolution: enlargement by a model. Present = on."""

    resolution: Annotated[
        Literal["sdtohd", "hdto4k"] | None,
        Param("Target size class: SD to HD, or HD to 4K.", required=True, common=True),
    ] = None
    enable_scale_up: Annotated[
        bool | None, Param("Scale the result up to the size of the target class.", default="false")
    ] = None
    version: Annotated[
        Literal["Base", "Enhance"] | None,
        Param("Base is cheaper and milder; Enhance is the remastering model.", default="Base", common=True),
    ] = None


class SDRtoHDR(Node):
    """Standard to high dynamic range. Present = on."""

    hdr_mode: Annotated[Literal["HLG", "HDR10"] | None, Param("HDR standard.", required=True, common=True)] = None


class ColorEnhance(Node):
    """Colour enhancement. Present = on. The service chooses the value of a parameter that is AUTO or absent."""

    contrast: Annotated[int | Auto | None, Param("Contrast.", 0, 100, common=True)] = None
    correction: Annotated[int | Auto | None, Param("Correction of colour casts and levels.", 0, 1000, common=True)] = (
        None
    )
    saturation: Annotated[int | Auto | None, Param("Saturation.", 0, 300, common=True)] = None


class MsSharpen(Node):
    """Detail enhancement. Present = on. The service chooses the value of a parameter that is AUTO or absent."""

    sharpen_level: Annotated[int | Auto | None, Param("Strength of sharpening.", 0, 10, common=True)] = None


class FrameEnhance(Node):
    """Frame interpolation. Present = on."""

    frame_doubling: Annotated[
        bool | None, Param("Double the frame rate by motion interpolation.", default="not documented", common=True)
    ] = None


class SwitchedColorEnhance(Node):
    """Colour enhancement in a VideoProcess. On when `enable` is True; the other parameters as in ColorEnhance."""

    enable: Annotated[bool | None, Param("Switch the stage on.", default="false")] = None
    contrast: Annotated[int | Auto | None, Param("Contrast.", 0, 100)] = None
    correction: Annotated[int | Auto | None, Param("Correction of colour casts and levels.", 0, 1000)] = None
    saturation: Annotated[int | Auto | None, Param("Saturation.", 0, 300)] = None


class SwitchedMsSharpen(Node):
    """Detail enhancement in a VideoProcess. On when `enable` is True; the other parameter as in MsSharpen."""

    enable: Annotated[bool | None, Param("Switch the stage on.", default="false")] = None
    sharpen_level: Annotated[int | Auto | None, Param("Strength of sharpening.", 0, 10)] = None


class VideoProcess(Node):
    """The stages of a job or template of the older kind VideoProcess, each with a switch."""

    color_enhance: Annotated[SwitchedColorEnhance | None, Param("Colour.")] = None
    ms_sharpen: Annotated[SwitchedMsSharpen | None, Param("Detail.")] = None


class VideoEnhance(Node):
    """One setting: the output's encoding and the enhancement stages.

    >>> VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    """

    transcode: Annotated[Transcode | None, Param("The output's encoding.")] = None
    super_resolution: Annotated[SuperResolution | None, Param("Enlargement.")] = None
    sdr_to_hdr: Annotated[SDRtoHDR | None, Param("Dynamic range.", tag="SDRtoHDR")] = None
    color_enhance: Annotated[ColorEnhance | None, Param("Colour.")] = None
    ms_sharpen: Annotated[MsSharpen | None, Param("Detail.")] = None
    frame_enhance: Annotated[FrameEnhance | None, Param("Motion.")] = None


def switched_on(process: VideoProcess) -> VideoEnhance:
    """Return the stages of a VideoProcess that are switched on, as a setting.

    >>> switched_on(VideoProcess(ms_sharpen=SwitchedMsSharpen(enable=True, sharpen_level=5)))
    VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    """
    color, sharpen = process.color_enhance, process.ms_sharpen
    return VideoEnhance(
        color_enhance=_without_switch(color, ColorEnhance) if color and color.enable is True else None,
        ms_sharpen=_without_switch(sharpen, MsSharpen) if sharpen and sharpen.enable is True else None,
    )


def _without_switch(stage: Node, cls: type[N]) -> N:
    """Return the stage without its switch. Values that were read are kept, also those that a leaf does not allow."""
    values = {name: value for name, value in stage.__dict__.items() if name != "enable" and name[0] != "_"}
    result = cls.__new__(cls)
    object.__setattr__(result, "__dict__", values)
    return result
