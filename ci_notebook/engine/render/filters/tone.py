"""The stage `tone`: contrast of luma, and saturation that stops at the edge of the gamut with the hue kept.

Saturation multiplies both color differences of a pixel by one factor, which keeps the hue. How large it may be
depends on the pixel's luma and color. So a table of 16x16x16 colors gives the result, and is used at the
resolution of the color planes, a quarter of the pixels of 4:2:0. FFmpeg computes it once, from an expression.
"""

from __future__ import annotations

import re

__all__ = ["table", "tone", "working_format"]

_MARGIN = 0.016  # of the range that saturation leaves free at the edge of the gamut: four levels of eight bits
_ROOM = 0.9  # share of the way to the edge that saturation may fill: luma varies within one color sample
_GRID = 4  # of FFmpeg's haldclutsrc: 4x4 colors for each of three channels
_FLAGS = "accurate_rnd+full_chroma_int+full_chroma_inp"
_WHITE = 65535
_RED, _GREEN, _BLUE, _LUMA, _TONED, _BEFORE, _AFTER, _FACTOR = range(8)  # variables of FFmpeg's expressions


def tone(contrast: int, saturation: int, mean: float, *, matrix: str, output_format: str) -> tuple[str, ...]:
    """Return the filters for Contrast, 0 to 100, and Saturation, 0 to 300; none where both are 0.

    `mean` is the mean luma of the clip, 0 to 1, around which contrast turns. `matrix` is the YUV matrix in
    swscale's words; `output_format` decides how the color is subsampled.
    """
    if contrast == saturation == 0:
        return ()
    deep = working_format(output_format)
    luma = f"lutyuv=y='{table(f'minval+(maxval-minval)*({_contrast(_CODE, contrast, mean)})')}'," if contrast else ""
    across, down = ("iw/2" if "444" not in deep else "iw"), ("ih/2" if "420" in deep else "ih")
    return (
        f"format={deep},split[tone_all][tone_color];"
        f"haldclutsrc=level={_GRID}:rate=1:duration=1,format=rgb48le,format=gbrp16le,"
        f"geq={_colors(contrast, saturation, mean)},format=rgb48le[tone_table];"
        f"[tone_color]scale={across}:{down}:in_color_matrix={matrix}:in_range=tv:out_range=pc:flags=area+{_FLAGS},"
        "format=rgb48le[tone_rgb];"
        "[tone_rgb][tone_table]haldclut=clut=first,"
        f"scale=out_color_matrix={matrix}:in_range=pc:out_range=tv:flags={_FLAGS},"
        "format=yuv444p10le,extractplanes=u+v[tone_u][tone_v];"
        f"[tone_all]{luma}split[tone_main][tone_gray];[tone_gray]extractplanes=y[tone_y];"
        f"[tone_y][tone_u][tone_v]mergeplanes=map0s=0:map0p=0:map1s=1:map1p=0:map2s=2:map2p=0:format={deep}[tone_merged];"
        # mergeplanes loses the tags and metadata of light of its frames; blend keeps those of the first input.
        "[tone_main][tone_merged]blend=c0_opacity=1:c1_opacity=0:c2_opacity=0",
    )


def working_format(output_format: str) -> str:
    """Return the pixel format of ten bits that has an output's subsampling.

    >>> working_format("yuv422p"), working_format("yuv420p10le")
    ('yuv422p10le', 'yuv420p10le')
    """
    found = re.match(r"yuvj?(4[0-4]{2})p", output_format)
    return f"yuv{found[1] if found else '420'}p10le"


def table(expression: str) -> str:
    """Return an expression that is evaluated only for values that occur.

    FFmpeg fills tables of 65,536 entries at any depth, which took 30 ms for eight bits.
    """
    return f"if(lte(val,2*maxval),{expression})"


_CODE = "clip((val-minval)/(maxval-minval),0,1)"


def _contrast(x: str, level: int, mean: float) -> str:
    """Return an S-curve of `x` around the clip's own mean: steeper there, flatter but never flat at both ends.

    A straight line around mid-grey would darken dark clips and burn out light ones. Each half is Schlick's
    u / (k - (k - 1) u), whose slope is k at the mean and 1 / k at the end.
    """
    slope, pivot = 1 + level / 70, min(0.75, max(0.25, mean))
    below = f"{pivot:.4f}*({x}/{pivot:.4f})/({slope:.5f}-{slope - 1:.5f}*{x}/{pivot:.4f})"
    u = f"((1-{x})/{1 - pivot:.4f})"
    above = f"1-{1 - pivot:.4f}*{u}/({slope:.5f}-{slope - 1:.5f}*{u})"
    return f"if(lt({x},{pivot:.4f}),{below},{above})"


def _colors(contrast: int, saturation: int, mean: float) -> str:
    """Return the options of `geq` that turn a table of all colors into that of the results.

    A color at a share t of the way from grey to the edge of the gamut gets the factor
    1 / sqrt((1 - t^2) / gain^2 + t^2): the whole gain near grey, and 1 at the edge. A color that the contrast
    moves over the edge is brought back to it.
    """
    gain = 1 + saturation / 200
    toned = _contrast(f"ld({_LUMA})", contrast, mean) if contrast else f"ld({_LUMA})"
    steps = [
        (_RED, f"r(X,Y)/{_WHITE}"), (_GREEN, f"g(X,Y)/{_WHITE}"), (_BLUE, f"b(X,Y)/{_WHITE}"),
        (_LUMA, f"0.2126*ld({_RED})+0.7152*ld({_GREEN})+0.0722*ld({_BLUE})"),
        (_TONED, toned),
        (_BEFORE, _reach(_LUMA)),
        (_AFTER, _reach(_TONED)),
        (_FACTOR, f"if(lt(ld({_AFTER}),1),1/sqrt((1-ld({_AFTER})^2)/{gain**2:.6f}+ld({_AFTER})^2),"
                  f"min(1,max(1,ld({_BEFORE}))/ld({_AFTER})))"),
    ]  # fmt: skip
    # FFmpeg's `;` evaluates one expression after another; the value is that of the last one.
    first = ";".join(f"st({name},{value})" for name, value in steps)
    return ":".join(
        f"{channel}='{first};{_WHITE}*(ld({_TONED})+ld({_FACTOR})*(ld({name})-ld({_LUMA})))'"
        for channel, name in (("r", _RED), ("g", _GREEN), ("b", _BLUE))
    )


def _reach(luma: int) -> str:
    """Return how far a color is from grey of a luma, as a share of the way to the edge of the gamut."""
    most = f"max(max(ld({_RED}),ld({_GREEN})),ld({_BLUE}))"
    least = f"min(min(ld({_RED}),ld({_GREEN})),ld({_BLUE}))"
    return (
        f"max(({most}-ld({_LUMA}))/max(0.001,{_ROOM}*({1 - _MARGIN}-ld({luma}))),"
        f"(ld({_LUMA})-{least})/max(0.001,{_ROOM}*(ld({luma})-{_MARGIN})))"
    )
