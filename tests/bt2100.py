"""ITU-R BT.2100, BT.2087 and BT.2124 in numpy, written from the formulas of the recommendations.

Independent of the package: no number and no function here comes from it. Light is in cd/m², R'G'B' is 0 to 1.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.ffmpeg import find_ffmpeg

Numbers = NDArray[Any]

WHITE = 203.0  # diffuse white, BT.2408
_PEAK = 1000.0  # of the HLG display, whose system gamma is 1.2
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
# CIE x and y of red, green and blue; white is D65.
_POINTS = {
    "bt709": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "smpte432": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_KR_KB = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt2020nc": (0.2627, 0.0593)}
_TAGS = {"smpte2084": 16, "arib-std-b67": 18}

# BT.2100 table 4: PQ
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# BT.2100 table 5: HLG
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073

# R'G'B' of a chart: greys, the colors of skin, sky and leaves, and saturated ones.
CHART = np.array([
    (1, 1, 1), (0.75, 0.75, 0.75), (0.5, 0.5, 0.5), (0.409, 0.409, 0.409), (0.2, 0.2, 0.2), (0.05, 0.05, 0.05),
    (0.8, 0.2, 0.2), (0.2, 0.7, 0.2), (0.2, 0.25, 0.8), (0.85, 0.65, 0.55), (0.6, 0.45, 0.35), (0.9, 0.8, 0.1),
    (0.1, 0.7, 0.8), (0.7, 0.2, 0.7), (0.95, 0.5, 0.1), (0.3, 0.5, 0.3),
])  # fmt: skip
# Greys of light in cd/m², up to highlights.
RAMP = np.array([0.1, 1, 5, 10, 26, 50, 80, 100, 150, 203, 300, 400, 500, 650, 800, 1000.0])[:, None] * np.ones(3)


def bt1886(rgb: Numbers) -> Numbers:
    """Return the light of SDR whose white is diffuse white."""
    return WHITE * np.clip(rgb, 0, None) ** 2.4


def inverse_bt1886(light: Numbers) -> Numbers:
    return (np.clip(light, 0, None) / WHITE) ** (1 / 2.4)


def pq_eotf(rgb: Numbers) -> Numbers:
    power = np.clip(rgb, 0, 1) ** (1 / _M2)
    return 10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def pq_inverse(light: Numbers) -> Numbers:
    power = (np.clip(light, 0, None) / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def hlg_eotf(rgb: Numbers) -> Numbers:
    """Return the light of the display: the OOTF multiplies all three by a power of the scene's luminance."""
    scene = np.where(rgb <= 0.5, np.clip(rgb, 0, None) ** 2 / 3, (np.exp((rgb - _C) / _A) + _B) / 12)
    luminance = np.maximum(scene @ _LUMINANCE, 1e-12)[..., None]
    return _PEAK * scene * luminance**0.2


def hlg_inverse(light: Numbers) -> Numbers:
    share = np.clip(light, 0, None) / _PEAK
    luminance = np.maximum(share @ _LUMINANCE, 1e-12)[..., None]
    scene = share * luminance ** ((1 - 1.2) / 1.2)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), _A * np.log(np.maximum(12 * scene - _B, 1e-12)) + _C)


EOTF = {"smpte2084": pq_eotf, "arib-std-b67": hlg_eotf}
INVERSE = {"smpte2084": pq_inverse, "arib-std-b67": hlg_inverse}


def in_primaries(light: Numbers, source: str, target: str) -> Numbers:
    """Return linear RGB in other primaries."""
    return light @ (np.linalg.inv(_to_xyz(target)) @ _to_xyz(source)).T


def _to_xyz(primaries: str) -> Numbers:
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in _POINTS[primaries]]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


def delta_e_itp(one: Numbers, other: Numbers) -> Numbers:
    """Return the color difference of BT.2124 of linear RGB in BT.2020; 1 is just visible."""
    return 720 * np.sqrt((_itp(one) - _itp(other)) ** 2 @ np.ones(3))


def _itp(light: Numbers) -> Numbers:
    lms = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
    ictcp = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096
    return pq_inverse(light @ lms.T) @ ictcp.T * np.array([1, 0.5, 1])


# Clips of flat patches, four across and four down


def write_patches(
    path: Path, rgb: Numbers, *, matrix: str = "bt709", primaries: str = "bt709", transfer: str = "bt709",
    bits: int = 10, codec: str = "libx265", light: str = "", size: tuple[int, int] = (320, 192), frames: int = 4,
) -> Path:  # fmt: skip
    """Write a clip of 16 patches of R'G'B'. `light` are x265's parameters for the metadata of light."""
    kr, kb = _KR_KB[matrix]
    wide, high = size
    patches = rgb.reshape(4, 4, 3)[np.arange(high) * 4 // high][:, np.arange(wide) * 4 // wide]
    luma = patches @ np.array([kr, 1 - kr - kb, kb])
    chroma = ((patches[..., 2] - luma) / (2 * (1 - kb)), (patches[..., 0] - luma) / (2 * (1 - kr)))
    unit = 2 ** (bits - 8)
    planes = [16 * unit + 219 * unit * luma, *(128 * unit + 224 * unit * one[::2, ::2] for one in chroma)]
    kind = "<u2" if bits > 8 else "u1"
    frame = b"".join(np.rint(np.clip(one, 0, 2**bits - 1)).astype(kind).tobytes() for one in planes)
    tags = f"setparams=range=tv:colorspace={matrix}:color_primaries={primaries}:color_trc={transfer}"
    coding = ["-c:v", codec, "-preset", "ultrafast", "-crf", "2"]
    if codec == "libx265":
        coding += ["-x265-params", ":".join(["log-level=error", "repeat-headers=1", *([light] if light else [])])]
    command = [
        str(find_ffmpeg()), "-v", "error", "-y", "-f", "rawvideo", "-s", f"{wide}x{high}", "-r", "25", "-pix_fmt",
        "yuv420p10le" if bits > 8 else "yuv420p", "-i", "-", "-vf", tags, *coding, path,
    ]  # fmt: skip
    subprocess.run(command, input=frame * frames, check=True)
    return path


def read_patches(path: Path, number: int = 1) -> Numbers:
    """Return R'G'B' of the patches that a file's own tags say, 16 x 3: without any filter of FFmpeg."""
    with av.open(str(path)) as container:
        frame = [one for one, _ in zip(container.decode(video=0), range(number + 1), strict=False)][-1]
    deep = "10" in frame.format.name
    assert frame.format.name in ("yuv420p", "yuv420p10le")
    matrix = {1: "bt709", 6: "smpte170m", 9: "bt2020nc"}[int(frame.colorspace)]
    unit = 4 if deep else 1
    planes = []
    for plane, (zero, scale) in zip(frame.planes, ((16, 219), (128, 224), (128, 224)), strict=True):
        codes = np.frombuffer(plane, "<u2" if deep else "u1").reshape(plane.height, -1)[:, : plane.width]
        planes.append((_means(codes.astype(float)) - zero * unit) / (scale * unit))
    kr, kb = _KR_KB[matrix]
    y, u, v = planes
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], -1)


def read_light(path: Path) -> Numbers:
    """Return the light of the patches of an HDR file in BT.2020, 16 x 3, in cd/m²."""
    return EOTF[transfer_of(path)](read_patches(path))


def transfer_of(path: Path) -> str:
    with av.open(str(path)) as container:
        tag = int(next(container.decode(video=0)).color_trc)
    return {number: name for name, number in _TAGS.items()}[tag]


def _means(plane: Numbers) -> Numbers:
    high, wide = (side / 4 for side in plane.shape)
    return np.array([
        plane[
            int((row + 0.3) * high) : int((row + 0.7) * high), int((column + 0.3) * wide) : int((column + 0.7) * wide)
        ].mean()
        for row in range(4) for column in range(4)
    ])  # fmt: skip
