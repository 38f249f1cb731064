"""The enhancement stages of a setting. A stage is on when its node is present."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Auto, Node, Param
from ci_notebook.model.setting.transcode import Transcode


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
