"""Strengthen the detail that the network of Enhance adds, without another training.

    python tests/training/strengthen_detail.py TRAINED.onnx
        --out ci_notebook/engine/render/super_resolution/weights/enhance_x2.onnx

A network that is trained on distances adds the mean of all the details that a small picture may come from, and
that mean is too weak. The last convolution is multiplied by `--gain`. Its answer to plain pictures, nearly a
straight line over the levels, stays as it was, so that a plain picture stays plain. The file's size, its cost and
its layers do not change, and the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

LAST, SKIP, ADDED = "conv7", "skip.weight", "conv7"


def plain_answers(model: onnx.ModelProto) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and offset, four each, of what the last convolution answers to plain pictures."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.append(onnx.helper.make_tensor_value_info(ADDED, onnx.TensorProto.FLOAT, [1, 4, "h", "w"]))
    run = ReferenceEvaluator(probe).run
    levels = np.arange(0, 256, 15)
    answers = [run(None, {"luma": np.full((3, 3), level, np.uint8)})[0][0, :, 1, 1] for level in levels]
    slope, offset = np.polyfit(levels / 255, np.array(answers), 1)
    return slope, offset


def strengthen(model: onnx.ModelProto, gain: float, note: str) -> onnx.ModelProto:
    """Return the model with the detail of its last convolution multiplied by `gain`."""
    slope, offset = plain_answers(model)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for tensor in changed.graph.initializer:
        value = numpy_helper.to_array(tensor).astype(np.float64)
        if tensor.name == f"{LAST}.weight":
            value = gain * value
        elif tensor.name == f"{LAST}.bias":
            value = gain * value - (gain - 1) * offset
        elif tensor.name == SKIP:
            value = value.copy()
            value[:, 0, 2, 2] -= (gain - 1) * slope
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float32), tensor.name))
    changed.graph.doc_string = f"{model.graph.doc_string} {note}"
    onnx.checker.check_model(changed, full_check=True)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained", type=Path, help="what train_enhance.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gain", type=float, default=1.3)
    asked = parser.parse_args()
    model = strengthen(onnx.load(asked.trained), asked.gain, f"Detail times {asked.gain}.")
    asked.out.write_bytes(model.SerializeToString())
    print(f"{asked.out.name}: sha256 {hashlib.sha256(asked.out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
