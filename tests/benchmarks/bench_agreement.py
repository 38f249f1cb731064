"""Compare our scores with those of other implementations, on pairs of clips that are identical on every machine.

    python -m tests.benchmarks.bench_agreement

`fixed` is what everybody publishes (libvmaf's default), `precise` libvmaf in floating point, `vmaf-torch` a
re-implementation in PyTorch that is asked if it is installed (pip install vmaf-torch torch). Asserts nothing.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

import numpy as np

from ci_notebook.media.scoring.score import compare
from tests.media.exact_clips import CHANGES, changed, source, stored


def torch_means(truth: np.ndarray, made: np.ndarray) -> tuple[float, float] | None:
    """Return VMAF and VMAF-NEG by vmaf-torch in double precision, or None where it is not installed."""
    try:
        torch, vmaf = importlib.import_module("torch"), importlib.import_module("vmaf_torch.vmaf")
    except ModuleNotFoundError:
        return None
    pictures = [torch.tensor(one[:, None].astype(np.float64)) for one in (truth, made)]
    with torch.no_grad():
        vmaf_, neg = (
            float(vmaf.VMAF(NEG=is_neg, clip_score=True).double()(*pictures).mean()) for is_neg in (False, True)
        )
    return vmaf_, neg


def main() -> None:
    luma = source()
    print(f"{'change':8} {'score':9} {'fixed':>9} {'precise':>9} {'vmaf-torch':>11} | off by: fixed, precise")
    with tempfile.TemporaryDirectory() as name:
        truth = stored(luma, Path(name) / "truth.mkv")
        for how in CHANGES:
            made = stored(changed(luma, how), Path(name) / f"{how}.mkv")
            fixed, precise = (compare(made, truth, every=1, precise=one).pooled for one in (False, True))
            other = torch_means(luma, changed(luma, how))
            for place, score in enumerate(("vmaf", "vmaf_neg")):
                line = f"{how:8} {score:9} {fixed[score]:9.4f} {precise[score]:9.4f}"
                if other is None:
                    print(f"{line} {'absent':>11} | {abs(fixed[score] - precise[score]):.1e} apart")
                else:
                    off = [abs(one[score] - other[place]) for one in (fixed, precise)]
                    print(f"{line} {other[place]:11.4f} | {off[0]:.1e}, {off[1]:.1e}")


if __name__ == "__main__":
    main()
