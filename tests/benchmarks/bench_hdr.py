"""Measure the light of HDR by an implementation of ITU-R BT.2100 that is not the package's own.

    python -m tests.benchmarks.bench_hdr

Three tables. SDRtoHDR: the color difference dE ITP (BT.2124; 1 is just visible) of 16 patches to the light
that their SDR means, and the light of white, for sources in BT.709, BT.2020 and P3. There and back: the
same clip after IsHdr2Sdr. Stages: greys of 0.1 to 1000 cd/m² before and after each stage, the brightest
light, how much light above 203 cd/m² was changed, and the metadata (MaxCLL, MaxFALL). Takes two minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np

from ci_notebook.engine.render.render import render
from ci_notebook.media.scoring.score import compare
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.transcode import Container, Transcode, TransConfig, Video
from tests import bt2100

TRANSFERS = {"HDR10": "smpte2084", "HLG": "arib-std-b67"}
SOURCES = {
    "BT.709": ("bt709", {}),
    "BT.2020": ("bt2020", {"matrix": "bt2020nc", "primaries": "bt2020", "transfer": "bt2020-10"}),
    "P3": ("smpte432", {"primaries": "smpte432"}),
}
STAGES: dict[str, dict[str, Any]] = {
    "none": {},
    "SharpenLevel 10": {"ms_sharpen": MsSharpen(sharpen_level=10)},
    "Contrast 100": {"color_enhance": ColorEnhance(contrast=100, correction=0, saturation=0)},
    "Correction 1000": {"color_enhance": ColorEnhance(contrast=0, correction=1000, saturation=0)},
    "Saturation 300": {"color_enhance": ColorEnhance(contrast=0, correction=0, saturation=300)},
    "all AUTO": {
        "color_enhance": ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
        "ms_sharpen": MsSharpen(sharpen_level=AUTO),
    },
    "Base, 2x": {"super_resolution": SuperResolution(resolution="sdtohd", version="Base")},
    "Enhance, 2x": {"super_resolution": SuperResolution(resolution="sdtohd", version="Enhance")},
    "FrameDoubling": {"frame_enhance": FrameEnhance(frame_doubling=True)},
}
LIGHT = "hdr10=1:master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50):max-cll=1000,268"


def made(source: Path, folder: Path, *, codec: Any = "H.265", to_sdr: bool = False, **stages: Any) -> Path:
    """Return the output of a job that is encoded almost without loss."""
    config = TransConfig(is_hdr2_sdr=True) if to_sdr else None
    transcode = Transcode(container=Container(format="mp4"), video=Video(codec=codec, crf=2.0), trans_config=config)
    return render(Operation(video_enhance=VideoEnhance(transcode=transcode, **stages)), source, folder).files[0]


def levels_of(path: Path) -> str:
    """Return MaxCLL and MaxFALL of a file."""
    with av.open(str(path)) as container:
        found = [one for one in next(container.decode(video=0)).side_data if one.type.name == "CONTENT_LIGHT_LEVEL"]
    return ", ".join(map(str, np.frombuffer(bytes(found[0])[:8], "<u4"))) if found else "none"


def sdr_to_hdr(folder: Path) -> None:
    """Print how SDR becomes HDR, and what comes back."""
    print(f"{'source':8} {'HdrMode':8} {'dE ITP max':>10} {'mean':>6} {'white cd/m2':>12}")
    for name, (primaries, make) in SOURCES.items():
        clip = bt2100.write_patches(folder / f"{name}.mp4", bt2100.CHART, **make)
        truth = bt2100.in_primaries(bt2100.bt1886(bt2100.CHART), primaries, "bt2020")
        for mode in TRANSFERS:
            light = bt2100.read_light(made(clip, folder / "hdr", sdr_to_hdr=SDRtoHDR(hdr_mode=mode)))  # type: ignore[arg-type]
            away = bt2100.delta_e_itp(light, truth)
            print(f"{name:8} {mode:8} {away.max():10.1f} {away.mean():6.2f} {light[0].mean():12.1f}")
    print(f"\n{'there and back':17} {'PSNR dB':>8} {'white code':>11}")
    clip = bt2100.write_patches(folder / "eight.mp4", bt2100.CHART, bits=8)
    for mode in TRANSFERS:
        there = made(clip, folder / "there", sdr_to_hdr=SDRtoHDR(hdr_mode=mode))  # type: ignore[arg-type]
        back = made(there, folder / "back", codec="H.264", to_sdr=True)
        code = 16 + 219 * float(bt2100.read_patches(back)[0, 0])
        print(f"SDR, {mode + ', SDR':12} {compare(back, clip, every=1).pooled['psnr']:8.1f} {code:11.0f}")


def stages(folder: Path) -> None:
    """Print the light of greys before and after each stage."""
    for mode, transfer in TRANSFERS.items():
        clip = bt2100.write_patches(
            folder / f"{mode}.mp4", bt2100.INVERSE[transfer](bt2100.RAMP), matrix="bt2020nc", primaries="bt2020",
            transfer=transfer, light=LIGHT if mode == "HDR10" else "",
        )  # fmt: skip
        before = bt2100.read_light(clip)
        above = before[:, 1] > 1.01 * bt2100.WHITE
        print(f"\n{mode:16} {'brightest':>10} {'mean':>6} {'dE ITP above 203':>17} {'MaxCLL, MaxFALL':>16}")
        print(f"{'(source)':16} {before.max():10.0f} {before.mean():6.0f} {'':17} {levels_of(clip):>16}")
        for name, setting in STAGES.items():
            output = made(clip, folder / "stage", **setting)
            light = bt2100.read_light(output)
            away = bt2100.delta_e_itp(light, before)[above].max()
            print(f"{name:16} {light.max():10.0f} {light.mean():6.0f} {away:17.1f} {levels_of(output):>16}")


def main() -> None:
    """Print all tables."""
    with tempfile.TemporaryDirectory() as name:
        sdr_to_hdr(Path(name))
        stages(Path(name))


if __name__ == "__main__":
    main()
