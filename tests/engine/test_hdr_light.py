"""The light of HDR by ITU-R BT.2100: made from SDR, kept in every stage, and made SDR."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.analysis import analyse
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import first_video
from ci_notebook.media.scoring.score import compare
from ci_notebook.media.snapshot import picture
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
from ci_notebook.model.setting.watermark import Image, Watermark
from tests import bt2100

pytestmark = pytest.mark.slow

PQ, HLG = "smpte2084", "arib-std-b67"
MODES = {"HDR10": PQ, "HLG": HLG}
DISPLAY = "master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)"
LIGHT = f"hdr10=1:{DISPLAY}:max-cll=1000,400"
MAKES = {
    "bt709": {"matrix": "bt709", "primaries": "bt709", "transfer": "bt709"},
    "bt2020": {"matrix": "bt2020nc", "primaries": "bt2020", "transfer": "bt2020-10"},
    "smpte432": {"matrix": "bt709", "primaries": "smpte432", "transfer": "bt709"},
}
STAGES: dict[str, dict[str, Any]] = {
    "sharpen": {"ms_sharpen": MsSharpen(sharpen_level=10)},
    "saturation": {"color_enhance": ColorEnhance(contrast=0, correction=0, saturation=300)},
    "contrast": {"color_enhance": ColorEnhance(contrast=100, correction=0, saturation=0)},
    "auto": {"color_enhance": ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO)},
    "enlarge": {"super_resolution": SuperResolution(resolution="sdtohd", version="Base")},
    "network": {"super_resolution": SuperResolution(resolution="sdtohd", version="Enhance")},
    "motion": {"frame_enhance": FrameEnhance(frame_doubling=True)},
}
WHITE_MARK = Watermark(
    type="Image", pos="TopLeft", loc_mode="Absolute", dx=8, dy=8, image=Image(url="mark", mode="Original")
)


def setting(codec: Any = "H.265", *, crf: float = 2.0, to_sdr: bool = False, **stages: Any) -> VideoEnhance:
    config = TransConfig(is_hdr2_sdr=True) if to_sdr else None
    transcode = Transcode(container=Container(format="mp4"), video=Video(codec=codec, crf=crf), trans_config=config)
    return VideoEnhance(transcode=transcode, **stages)


def made(source: Path, folder: Path, wanted: VideoEnhance, *marks: Watermark, mark: Path | None = None) -> Path:
    operation = Operation(video_enhance=wanted, watermark=marks)
    return render(operation, source, folder, fetch=lambda _: mark or source).files[0]


def shown(jpeg: bytes) -> NDArray[np.float64]:
    """Return R'G'B' of the patches of a preview."""
    return patches(np.asarray(Pillow.open(io.BytesIO(jpeg)).convert("RGB")))


def patches(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    high, wide = (side // 4 for side in rgb.shape[:2])
    return np.array([
        rgb[(2 * row + 1) * high // 2, (2 * column + 1) * wide // 2] / 255 for row in range(4) for column in range(4)
    ])  # fmt: skip


def metadata(path: Path) -> dict[str, tuple[float, ...]]:
    """Return MaxCLL and MaxFALL, and the range of light of the mastering display."""
    with av.open(str(path)) as container:
        found = {one.type.name: bytes(one) for one in next(container.decode(video=0)).side_data}
    values: dict[str, tuple[float, ...]] = {}
    if "CONTENT_LIGHT_LEVEL" in found:
        values["levels"] = tuple(np.frombuffer(found["CONTENT_LIGHT_LEVEL"][:8], "<u4").tolist())
    if "MASTERING_DISPLAY_METADATA" in found:
        numbers = np.frombuffer(found["MASTERING_DISPLAY_METADATA"][:80], "<i4").reshape(-1, 2).astype(float)
        values["display"] = tuple(np.round(numbers[:, 0] / numbers[:, 1], 3).tolist())
    return values


def hdr_clip(path: Path, transfer: str, light: NDArray[np.float64] = bt2100.RAMP, metadata: str = LIGHT) -> Path:
    """Write patches of light in BT.2020."""
    return bt2100.write_patches(
        path, bt2100.INVERSE[transfer](light), matrix="bt2020nc", primaries="bt2020", transfer=transfer,
        light=metadata if transfer == PQ else "",
    )  # fmt: skip


@pytest.fixture(scope="module")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Greys up to 1000 cd/m², in HDR10 and HLG."""
    folder = tmp_path_factory.mktemp("ramps")
    return {transfer: hdr_clip(folder / f"{transfer}.mp4", transfer) for transfer in (PQ, HLG)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("primaries", MAKES)
def test_sdr_becomes_hdr_by_bt2100_in_the_job_its_preview_and_its_score(
    primaries: str, mode: str, tmp_path: Path
) -> None:
    clip = bt2100.write_patches(tmp_path / "clip.mp4", bt2100.CHART, **MAKES[primaries])  # type: ignore[arg-type]
    wanted = setting(sdr_to_hdr=SDRtoHDR(hdr_mode=mode))  # type: ignore[arg-type]
    output = made(clip, tmp_path, wanted)
    truth = bt2100.in_primaries(bt2100.bt1886(bt2100.CHART), primaries, "bt2020")
    assert bt2100.delta_e_itp(bt2100.read_light(output), truth).max() < 3
    seen = bt2100.inverse_bt1886(bt2100.in_primaries(truth, "bt2020", "bt709")).clip(0, 1)
    assert np.abs(patches(picture(output)) - seen).max() < 0.02
    assert np.abs(patches(picture(clip)) - seen).max() < 0.02
    previewer = Previewer()
    for one in (wanted, VideoEnhance()):
        assert np.abs(shown(previewer.preview(FileOrigin(clip), one)) - seen).max() < 0.03
    previewer.close()
    assert compare(output, clip, every=1).pooled["delta_e"] < 1


@pytest.mark.parametrize("mode", MODES)
def test_sdr_that_became_hdr_becomes_the_same_sdr_again(mode: str, tmp_path: Path) -> None:
    clip = bt2100.write_patches(tmp_path / "clip.mp4", bt2100.CHART, bits=8)
    there = made(clip, tmp_path / "hdr", setting(sdr_to_hdr=SDRtoHDR(hdr_mode=mode)))  # type: ignore[arg-type]
    back = made(there, tmp_path / "sdr", setting("H.264", to_sdr=True))
    assert np.abs(bt2100.read_patches(back) - bt2100.CHART).max() < 0.015
    assert round(16 + 219 * float(bt2100.read_patches(back)[0, 0])) == 235
    assert compare(back, clip, every=1).pooled["psnr"] > 37
    assert metadata(back) == {}


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_with_highlights_becomes_sdr_that_keeps_ordinary_light(
    transfer: str, ramps: dict[str, Path], tmp_path: Path
) -> None:
    back = made(ramps[transfer], tmp_path, setting(to_sdr=True))
    luma = bt2100.read_patches(back)[:, 1]
    kept = bt2100.RAMP[:, 0] <= 140
    assert np.abs(luma[kept] - bt2100.inverse_bt1886(bt2100.RAMP)[kept, 0]).max() < 0.01
    assert (np.diff(luma) > 0).all()  # no highlight is cut
    assert 0.97 < luma[-1] <= 1.01
    assert metadata(back) == {}
    with av.open(str(back)) as container:
        frame = next(container.decode(video=0))
    assert [int(one) for one in (frame.color_trc, frame.color_primaries, frame.colorspace)] == [1, 1, 1]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_light_above_white_passes_every_stage_and_nothing_becomes_brighter(
    transfer: str, stage: str, ramps: dict[str, Path], tmp_path: Path
) -> None:
    source, output = ramps[transfer], made(ramps[transfer], tmp_path, setting(**STAGES[stage]))
    assert bt2100.transfer_of(output) == transfer
    before, after = bt2100.read_light(source), bt2100.read_light(output)
    above = before[:, 1] > 205
    assert bt2100.delta_e_itp(after, before)[above].max() < 1
    assert after[~above].max() < 1.03 * bt2100.WHITE
    if stage in ("sharpen", "enlarge", "network", "motion"):  # flat patches have nothing to sharpen
        assert bt2100.delta_e_itp(after, before).max() < 1
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "yuv420p10le"
        assert int(frame.color_primaries) == int(frame.colorspace) == 9
        most = np.frombuffer(frame.planes[0], "<u2").reshape(frame.height, -1)[:, : frame.width].max()
    limit = 64 + 876 * float(bt2100.INVERSE[transfer](np.full((1, 3), 1000.0))[0, 0])
    assert most <= limit + 12  # of an encoder's noise
    if transfer == PQ:
        assert metadata(output)["levels"][0] == 1000
        assert metadata(output)["display"] == metadata(source)["display"]


def test_contrast_of_hdr_below_white_is_that_of_sdr(tmp_path: Path) -> None:
    greys = np.linspace(0.05, 1, 16)[:, None] * np.ones(3)
    sdr = bt2100.write_patches(tmp_path / "sdr.mp4", greys)
    hdr = hdr_clip(tmp_path / "hdr.mp4", PQ, bt2100.bt1886(greys), metadata="")
    contrast = {"color_enhance": ColorEnhance(contrast=60, correction=0, saturation=0)}
    plain = bt2100.read_patches(made(sdr, tmp_path / "a", setting(**contrast)))
    deep = bt2100.read_light(made(hdr, tmp_path / "b", setting(**contrast)))
    assert np.abs(plain - greys).max() > 0.05
    assert np.abs(bt2100.inverse_bt1886(deep) - plain).max() < 0.012


@pytest.mark.parametrize("codec", ["H.264", "H.265", "AV1", "VP9"])
def test_hdr_stays_hdr_in_ten_bits_with_its_metadata(codec: str, ramps: dict[str, Path], tmp_path: Path) -> None:
    output = made(ramps[PQ], tmp_path, setting(codec, crf=4.0))
    assert bt2100.delta_e_itp(bt2100.read_light(output), bt2100.read_light(ramps[PQ])).max() < 2
    before, after = metadata(ramps[PQ]), metadata(output)
    assert after["levels"] == before["levels"]
    assert after["display"] == pytest.approx(before["display"], abs=2e-3)


def test_hdr_without_transcode_has_ten_bits(ramps: dict[str, Path], tmp_path: Path) -> None:
    rendered = render(Operation(video_enhance=VideoEnhance()), ramps[HLG], tmp_path)
    video = first_video(rendered.media_info)
    assert (video.pix_format, video.color_transfer) == ("yuv420p10le", HLG)
    assert not any("bits" in sentence for sentence in rendered.changes)


def test_metadata_grows_with_what_a_stage_or_a_watermark_may_add(tmp_path: Path) -> None:
    dim = bt2100.RAMP.clip(0, 100)
    clip = hdr_clip(tmp_path / "dim.mp4", PQ, dim, metadata=f"hdr10=1:{DISPLAY}:max-cll=100,40")
    assert metadata(made(clip, tmp_path / "a", setting()))["levels"] == (100, 40)
    mark = tmp_path / "mark.png"
    Pillow.new("RGBA", (24, 16), (255, 255, 255, 255)).save(mark)
    output = made(clip, tmp_path / "b", setting(), WHITE_MARK, mark=mark)
    most, average = metadata(output)["levels"]
    assert most == 203
    assert 40 <= average <= 203


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_white_watermark_on_hdr_is_diffuse_white_in_the_job_and_the_preview(
    transfer: str, ramps: dict[str, Path], tmp_path: Path
) -> None:
    mark = tmp_path / "mark.png"
    Pillow.new("RGBA", (32, 24), (255, 255, 255, 255)).save(mark)
    for name, stages in (("plain", {}), ("sharpened", STAGES["sharpen"])):
        output = made(ramps[transfer], tmp_path / name, setting(**stages), WHITE_MARK, mark=mark)
        with av.open(str(output)) as container:
            frame = next(container.decode(video=0))
        luma = np.frombuffer(frame.planes[0], "<u2").reshape(frame.height, -1)[14:26, 14:34].mean()
        light = bt2100.EOTF[transfer](np.full((1, 3), (luma - 64) / 876))
        assert light[0, 0] == pytest.approx(203, rel=0.03)
    previewer = Previewer()
    jpeg = previewer.preview(
        FileOrigin(ramps[transfer]), VideoEnhance(), watermarks=(WHITE_MARK,), fetch=lambda _: mark
    )
    previewer.close()
    assert np.asarray(Pillow.open(io.BytesIO(jpeg)))[20, 20].min() > 250


def test_a_colored_watermark_keeps_its_color_in_wide_primaries(tmp_path: Path) -> None:
    mark, color = tmp_path / "mark.png", (200, 90, 40)
    Pillow.new("RGBA", (32, 24), (*color, 255)).save(mark)
    for name, primaries in (("sdr", "bt2020"), ("hdr", "")):
        path = tmp_path / f"{name}.mp4"
        clip = (
            bt2100.write_patches(path, bt2100.CHART, **MAKES[primaries])  # type: ignore[arg-type]
            if primaries
            else hdr_clip(path, PQ)
        )
        output = made(clip, tmp_path / name, setting(), WHITE_MARK, mark=mark)
        assert np.abs(picture(output)[14:26, 14:34].mean(axis=(0, 1)) - color).max() < 5


def test_sdr_to_hdr_of_an_hdr_source_fails_in_the_engine(ramps: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match="the source is HDR already"):
        made(ramps[PQ], tmp_path, setting(sdr_to_hdr=SDRtoHDR(hdr_mode="HLG")))


@pytest.mark.parametrize("stage", ["contrast", "network", "auto"])
def test_the_preview_of_hdr_shows_what_the_job_makes(stage: str, ramps: dict[str, Path], tmp_path: Path) -> None:
    wanted = setting(**STAGES[stage])
    output = made(ramps[PQ], tmp_path, wanted)
    previewer = Previewer()
    seen = shown(previewer.preview(FileOrigin(ramps[PQ]), wanted))
    previewer.close()
    assert np.abs(seen - patches(picture(output))).max() < 0.03


def test_max_fall_is_measured_where_a_stage_changes_the_mean_light(tmp_path: Path) -> None:
    greys = np.linspace(0.3, 0.9, 16)[:, None] * np.ones(3)
    clip = hdr_clip(tmp_path / "clip.mp4", PQ, bt2100.bt1886(greys), metadata=f"hdr10=1:{DISPLAY}:max-cll=180,60")
    output = made(clip, tmp_path, setting(**STAGES["contrast"]))
    mean = bt2100.read_light(output).max(axis=1).mean()
    assert mean < 58 or mean > 62
    assert metadata(output)["levels"][1] == pytest.approx(mean, rel=0.04)
    kept = made(clip, tmp_path / "kept", setting(**STAGES["sharpen"]))
    assert metadata(kept)["levels"][1] == 60


CODINGS = {
    "full range": ["-vf", "zscale=r=pc,format=yuv420p10le", "-color_range", "pc"],
    "P3": ["-vf", "zscale=p=smpte432,format=yuv420p10le"],
    "4:4:4": ["-pix_fmt", "yuv444p10le"],
    "RGB": ["-vf", "zscale=m=gbr:r=pc,format=gbrp10le"],
    "constant luminance tag": ["-vf", "setparams=colorspace=bt2020c"],
    "no matrix tag": ["-vf", "setparams=colorspace=unknown"],
    "eight bits": ["-vf", "scale,format=yuv420p"],
}


@pytest.mark.parametrize("kind", CODINGS)
def test_hdr_in_other_codings_keeps_its_light(kind: str, ramps: dict[str, Path], tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    run(["-i", ramps[PQ], *CODINGS[kind], "-c:v", "ffv1", clip])
    seen = bt2100.inverse_bt1886(bt2100.RAMP).clip(0, 1)
    assert np.abs(patches(picture(clip)) - seen).max() < 0.02
    output = made(clip, tmp_path / "hdr", setting(**STAGES["sharpen"]))
    assert bt2100.delta_e_itp(bt2100.read_light(output), bt2100.RAMP).max() < 1.5
    back = bt2100.read_patches(made(clip, tmp_path / "sdr", setting(to_sdr=True)))
    kept = bt2100.RAMP[:, 0] <= 140
    assert np.abs(back - bt2100.inverse_bt1886(bt2100.RAMP))[kept].max() < 0.015


@pytest.mark.parametrize("mode", MODES)
def test_a_preview_knows_the_light_that_the_job_knows(mode: str, tmp_path: Path) -> None:
    source = bt2100.write_patches(tmp_path / "sdr.mp4", np.full((16, 3), 0.5), **MAKES["bt709"])
    path = made(source, tmp_path / "hdr", setting(sdr_to_hdr=SDRtoHDR(hdr_mode=mode)))  # type: ignore[arg-type]
    light = FileOrigin(path).facts("coding")[1].light
    assert light is not None and light == analyse(path, needs="coding").light
