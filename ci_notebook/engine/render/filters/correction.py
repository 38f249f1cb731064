"""The stage `correct`: each channel is stretched from its own levels towards black and white.

No value is clipped. The ends of the curve bend, so that what lies outside the levels stays in order.
"""

from __future__ import annotations

import math

from ci_notebook.engine.render.filters.tone import table, working_format

__all__ = ["correction", "share_of"]

_MOST = 0.85  # of the way at level 1000: a full stretch would grey out scenes that are colored for a reason
_BEND = 350  # the levels in which most of the change happens
_KNEE = 0.12  # of the range, at each end of the curve
# Of the range, at level 1000, at the dark and at the light end: each step has an effect on good clips too.
_LEAST_DARK, _LEAST_LIGHT = 0.012, 0.045
_DARK_MOST, _LIGHT_LEAST = 0.28, 0.32  # beyond this, a scene without black or white is not stretched further
_FLAGS = "accurate_rnd+full_chroma_int+full_chroma_inp"


def share_of(level: int) -> float:
    """Return how far towards black and white a level of Correction stretches, 0 to 0.85.

    >>> [round(share_of(level), 2) for level in (0, 250, 500, 1000)]
    [0.0, 0.41, 0.63, 0.85]
    """
    bent = (1 - math.exp(-level / _BEND)) / (1 - math.exp(-1000 / _BEND))
    return _MOST * (0.8 * bent + 0.2 * level / 1000)


def correction(
    level: int, low: tuple[float, ...], high: tuple[float, ...], *, matrix: str, output_format: str
) -> tuple[str, ...]:
    """Return the filters for a level of Correction, 1 to 1000.

    `low` and `high` are the levels of R, G and B, 0 to 1, that go towards black and white. `matrix` is the
    YUV matrix in swscale's words; `output_format` decides how the color is subsampled.
    """
    share = share_of(level)
    tables = [
        f"{channel}='{table(_curve(share * dark, 1 - share * light))}'"
        for channel, dark, light in zip(
            "rgb",
            (max(min(value, _DARK_MOST), _LEAST_DARK * level / 1000) for value in low),
            (max(1 - max(value, _LIGHT_LEAST), _LEAST_LIGHT * level / 1000) for value in high),
            strict=True,
        )
    ]
    # `neighbor` and `area` repeat and average samples of color, which loses nothing; other kernels blur them.
    # The matrix is given both ways; by default FFmpeg would use another one on the way back.
    return (
        f"scale=in_color_matrix={matrix}:in_range=tv:out_range=pc:flags=neighbor+{_FLAGS}",
        "format=gbrp10le",
        f"lutrgb={':'.join(tables)}",
        f"scale=out_color_matrix={matrix}:in_range=pc:out_range=tv:flags=area+{_FLAGS}",
        f"format={working_format(output_format)}",
    )


def _curve(begin: float, end: float) -> str:
    """Return a rising curve: a straight line that takes `begin` to 0 and `end` to 1, and a bend at either end.

    Each bend is `knee * (1 - (1 - u/U)^(U/knee))`: it begins with the slope of the line, and ends at U.
    """
    gain = 1 / (end - begin)
    above, below = (1 - begin) * gain - 1 + _KNEE, begin * gain + _KNEE
    t = f"((val/maxval-{begin:.6f})*{gain:.6f})"
    shoulder = f"1-{_KNEE}*pow(max(0,1-({t}-{1 - _KNEE})/{above:.6f}),{above / _KNEE:.6f})"
    toe = f"{_KNEE}*pow(max(0,1-({_KNEE}-{t})/{below:.6f}),{below / _KNEE:.6f})"
    return f"maxval*if(gt({t},{1 - _KNEE}),{shoulder},if(lt({t},{_KNEE}),{toe},{t}))"
