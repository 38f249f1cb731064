"""SuperResolution's version Enhance: a small network that doubles a frame's size.

The network enlarges luma. The two chroma planes, in which the eye sees little detail, are enlarged by
Lanczos. `weights/WEIGHTS.md` says what the network is, how it was trained and what it gains. It runs on
onnxruntime, which comes with the extra `enhance`.

A frame here is FFmpeg's yuv420p as bytes: the luma plane, then U, then V, of half the size (rounded up)
in both directions.

Why a missing onnxruntime fails the job instead of falling back to Lanczos: a comparison of Base with
Enhance would compare Base with itself, and nobody would notice.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ci_notebook.model.errors import EngineError

INSTALL = "python -m pip install 'ci-notebook[enhance]'"
WEIGHTS = Path(__file__).parent / "weights" / "enhance_x2.onnx"

_REACH = 8  # rows above and below that a pixel depends on: eight 3x3 convolutions
_STRIP_PIXELS = 500_000  # pixels per strip: about 250 MB. A whole 1080p frame would take 1 GB

Plane = np.ndarray[Any, np.dtype[Any]]  # of bytes, or of pairs of bytes for ten bits


def available() -> bool:
    """Return whether Enhance can run here, that is, whether onnxruntime is installed. Loads nothing.

    >>> isinstance(available(), bool)
    True
    """
    return importlib.util.find_spec("onnxruntime") is not None


class Enlarger:
    """The loaded network: call it with a luma plane to get one of twice the width and height.

    `threads` is the number of cores per frame; by default two, or one if the machine has one. Safe to call
    from several threads at once. Costs about 55 ms of one core for 640x360, and 0.2 s to load. Raises
    `EngineError` with the remedy when onnxruntime is missing or does not load.
    """

    def __init__(self, *, threads: int | None = None, weights: Path = WEIGHTS) -> None:
        runtime = require()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or min(2, os.cpu_count() or 1)
        options.inter_op_num_threads = 1
        # Waiting threads would burn the core that FFmpeg needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors only: warnings on standard error would clutter a notebook
        self._session = runtime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def __call__(self, luma: Plane) -> Plane:
        """Return `luma`, uint8 of height x width, enlarged to uint8 of 2 height x 2 width."""
        if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
            raise ValueError(f"A luma plane must be uint8, height x width (got {luma.dtype} of shape {luma.shape}).")
        height, width = luma.shape
        rows = max(4 * _REACH, _STRIP_PIXELS // width)
        if height <= rows:
            return self._run(luma)
        out: Plane = np.empty((2 * height, 2 * width), dtype=np.uint8)
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            above, below = min(top, _REACH), min(height - bottom, _REACH)
            strip = self._run(luma[top - above : bottom + below])
            out[2 * top : 2 * bottom] = strip[2 * above : strip.shape[0] - 2 * below]
        return out

    def _run(self, luma: Plane) -> Plane:
        enlarged: Plane = self._session.run(None, {"luma": np.ascontiguousarray(luma)})[0]
        return enlarged


def enlarge_chroma(plane: Plane, width: int, height: int) -> Plane:
    """Return a chroma plane, uint8 or float32, enlarged by two to `width` x `height` with Lanczos.

    Before and after, the samples of 4:2:0 video are left of the center of their pixels. Enlarging as if
    they were centered would shift the color by half an output pixel.
    """
    padded = np.pad(plane, ((0, 0), (0, 1)), mode="edge")
    box = (0.125, 0.0, width / 2 + 0.125, height / 2)
    return np.asarray(Image.fromarray(padded).resize((width, height), Image.Resampling.LANCZOS, box=box))


def enlarge(picture: bytes, width: int, height: int, *, enlarger: Enlarger, deep: bool = False) -> bytes:
    """Return a frame of `width` x `height` as one of 2 `width` x 2 `height`.

    `deep` takes and returns yuv420p10le, ten bits in little-endian pairs of bytes. Raises `EngineError`
    for a frame of the wrong size.
    """
    data = np.frombuffer(picture, dtype="<u2" if deep else np.uint8)
    across, down = (width + 1) // 2, (height + 1) // 2
    if data.size != width * height + 2 * across * down:
        raise EngineError(f"A frame of {width}x{height} was expected, but it has {len(picture)} bytes.")
    luma, chroma = data[: width * height].reshape(height, width), data[width * height :].reshape(2, down, across)
    if deep:
        planes = [_enlarge_deep(luma, enlarger), *(_enlarge_chroma_deep(one, width, height) for one in chroma)]
    else:
        planes = [enlarger(luma), *(enlarge_chroma(one, width, height) for one in chroma)]
    return b"".join(plane.tobytes() for plane in planes)


def frame_bytes(width: int, height: int, *, deep: bool = False) -> int:
    """Return the size of a frame in bytes."""
    return (width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)) * (2 if deep else 1)


def _enlarge_deep(luma: Plane, enlarger: Enlarger) -> Plane:
    """Enlarge ten bits: the upper eight with the network, the remainder with Lanczos.

    So a slow gradient with steps finer than eight bits gets no bands.
    """
    upper = np.minimum((luma + 2) >> 2, 255).astype(np.uint8)
    rest = luma.astype(np.float32) - 4 * upper.astype(np.float32)
    height, width = luma.shape
    fine = np.asarray(Image.fromarray(rest).resize((2 * width, 2 * height), Image.Resampling.LANCZOS))
    return _ten_bits(4 * enlarger(upper).astype(np.float32) + fine)


def _enlarge_chroma_deep(plane: Plane, width: int, height: int) -> Plane:
    return _ten_bits(enlarge_chroma(plane.astype(np.float32), width, height))


def _ten_bits(values: Any) -> Plane:
    rounded: Plane = np.clip(np.rint(values), 0, 1023).astype("<u2")
    return rounded


@functools.cache
def loaded(threads: int | None = None) -> Enlarger:
    """Return the network, loaded once per process and number of threads. Raises what `Enlarger` raises."""
    return Enlarger(threads=threads)


def require() -> Any:
    """Return onnxruntime. Raises `EngineError` naming the leaf and the remedy where it is missing."""
    try:
        return importlib.import_module("onnxruntime")  # lazy: it comes with an extra, and takes 0.1 s
    except ImportError as problem:
        reason = "is not installed" if not available() else f"does not load ({problem})"
        raise EngineError(
            f"VideoEnhance.SuperResolution.Version Enhance needs onnxruntime, which {reason}. "
            f"Install it: {INSTALL}. Or use Version Base.",
            code="ResourceNotSupported",
        ) from problem
