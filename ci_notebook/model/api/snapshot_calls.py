"""Looking at a stored video: `POST /mediainfo` and `POST /snapshot` (§11)."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.api.jobs import Input, Output
from ci_notebook.model.declaration.node import Node, Param

SnapshotFormat = Literal["jpg", "png"]
SnapshotMode = Literal["exactframe", "keyframe"]


class MediaInfoRequest(Node):
    """What is posted to `/mediainfo`; on the wire `Request`."""

    input: Annotated[Input | None, Param("The video.", required=True)] = None


class SnapshotRequest(Node):
    """What is posted to `/snapshot`; on the wire `Request`."""

    input: Annotated[Input | None, Param("The video.", required=True)] = None
    time: Annotated[float | None, Param("Which picture.", 0, unit="s", required=True)] = None
    width: Annotated[int | None, Param("Width; 0 follows.", 0, 4096, "px", default="0")] = None
    height: Annotated[int | None, Param("Height; 0 follows.", 0, 4096, "px", default="0")] = None
    mode: Annotated[SnapshotMode | None, Param("Exact, or the key frame before.", default="exactframe")] = None
    rotate: Annotated[Literal["auto", "off"] | None, Param("Follow the rotation metadata.", default="auto")] = None
    format: Annotated[SnapshotFormat | None, Param("Kind of picture.", default="jpg")] = None
    output: Annotated[Output | None, Param("Where the picture goes.", required=True)] = None


class SnapshotResponse(Node):
    """Where the picture went; on the wire `Response`."""

    output: Annotated[Output | None, Param("Where the picture went.")] = None
