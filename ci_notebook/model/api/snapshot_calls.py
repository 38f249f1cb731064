"""Bodies of `POST /mediainfo` and `POST /snapshot`: properties and frames of a stored video."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.api.jobs import Input, Output
from ci_notebook.model.declaration.node import Node, Param

SnapshotFormat = Literal["jpg", "png"]
SnapshotMode = Literal["exactframe", "keyframe"]


class MediaInfoRequest(Node):
    """The body of `POST /mediainfo`; in XML `Request`."""

    input: Annotated[Input | None, Param("The video.", required=True)] = None


class SnapshotRequest(Node):
    """The body of `POST /snapshot`; in XML `Request`."""

    input: Annotated[Input | None, Param("The video.", required=True)] = None
    time: Annotated[float | None, Param("Time of the frame.", 0, unit="s", required=True)] = None
    width: Annotated[int | None, Param("Width; 0 keeps the aspect ratio.", 0, 4096, "px", default="0")] = None
    height: Annotated[int | None, Param("Height; 0 keeps the aspect ratio.", 0, 4096, "px", default="0")] = None
    mode: Annotated[
        SnapshotMode | None, Param("The exact frame, or the key frame before it.", default="exactframe")
    ] = None
    rotate: Annotated[Literal["auto", "off"] | None, Param("Apply the rotation metadata.", default="auto")] = None
    format: Annotated[SnapshotFormat | None, Param("Image format.", default="jpg")] = None
    output: Annotated[Output | None, Param("Where to store the image.", required=True)] = None


class SnapshotResponse(Node):
    """Where the image was stored; in XML `Response`."""

    output: Annotated[Output | None, Param("Where the image was stored.")] = None
