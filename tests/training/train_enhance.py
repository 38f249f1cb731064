"""Train the network behind SuperResolution's version Enhance, and write it as ONNX.

    python tests/training/train_enhance.py FOLDER...
        --out ci_notebook/engine/render/super_resolution/weights/enhance_x2.onnx

FOLDER... are searched for the files of `enhance_pictures.SOURCES`: unpack the packages there. Needs
torch 2.13 (CPU), numpy, pillow, av and onnx, in a separate environment; the engine needs none of
torch and onnx. One thread, one seed: the same machine gives the same weights.

The network sees luma alone, and works at the small size up to its last step:

    3x3 conv to 16, six 3x3 convs of 16, 3x3 conv to 4 (LeakyReLU 0.1 between), plus a 5x5 conv
    of the picture itself that starts as bicubic enlargement; the 4 channels are the 4 new pixels.

Why so: 16 channels with LeakyReLU, which onnxruntime fuses with the convolution, cost 54 ms a
640x360 picture on one core; 20 channels with PReLU, half as deep, cost 84.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from enhance_pictures import SOURCES, Pair, pairs, pictures
from onnx import TensorProto, helper, numpy_helper
from torch import nn

WIDTH, HIDDEN, SLOPE = 16, 6, 0.1
MARGIN = HIDDEN + 2  # what the convolutions without padding eat on each side
PATCH, BATCH = 48, 16  # the part of the small picture that is judged


class Network(nn.Module):
    """Luma in 0..1, batch x 1 x H x W, to batch x 1 x 2(H-2m) x 2(W-2m), where m is `MARGIN`."""

    def __init__(self) -> None:
        super().__init__()
        widths = [1, *[WIDTH] * (HIDDEN + 1), 4]
        self.trunk = nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in itertools.pairwise(widths))
        self.skip = nn.Conv2d(1, 4, 5, bias=False)
        with torch.no_grad():
            self.trunk[-1].weight.mul_(0.1)
            self.trunk[-1].bias.zero_()
            self.skip.weight.copy_(_bicubic())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for layer in self.trunk[:-1]:
            y = nn.functional.leaky_relu(layer(y), SLOPE)
        cut = MARGIN - 2
        y = self.trunk[-1](y) + self.skip(x[..., cut:-cut, cut:-cut])
        return nn.functional.pixel_shuffle(y, 2)


def _bicubic() -> torch.Tensor:
    """The four 5x5 kernels of bicubic enlargement by two, centres aligned (Keys, a = -0.5)."""

    def keys(d: float) -> float:
        d = abs(d)
        return 1.5 * d**3 - 2.5 * d**2 + 1 if d <= 1 else (-0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0)

    sides = [torch.tensor([keys(tap - at) for tap in range(-2, 3)]) for at in (-0.25, 0.25)]
    return torch.stack([torch.outer(row, column) for row in sides for column in sides])[:, None]


def batch(store: list[Pair], shares: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw patches; of two candidates the livelier is taken, since most of most pictures is smooth."""
    inputs, targets = [], []
    side = PATCH + 2 * MARGIN
    for index in rng.choice(len(store), BATCH, p=shares):
        pair = store[index]
        spots = [[int(rng.integers(0, edge - side + 1)) for edge in pair.small.shape] for _ in range(2)]
        y, x = max(spots, key=lambda s: float(pair.small[s[0] : s[0] + side, s[1] : s[1] + side].std()))
        small = pair.small[y : y + side, x : x + side]
        y, x = 2 * (y + MARGIN), 2 * (x + MARGIN)
        large = pair.large[y : y + 2 * PATCH, x : x + 2 * PATCH]
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
        for plane, into in ((small, inputs), (large, targets)):
            turned = np.rot90(plane, turns)
            into.append(np.ascontiguousarray(turned[:, ::-1] if mirror else turned))
    return _relit(*(torch.from_numpy(np.stack(part)[:, None]).float() / 255 for part in (inputs, targets)), rng)


def _relit(inputs: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Stretch some patches from the video range to all of 0..255, and fade some: nothing may hang on the level.

    Trained on the video range alone, the network made 10 of a plain 0.
    """
    kind = rng.random(len(inputs))
    gain = np.where(kind < 0.3, 255 / 219, np.where(kind < 0.5, rng.uniform(0.4, 1, len(kind)), 1))
    black = np.where(kind < 0.3, 0, np.where(kind < 0.5, rng.uniform(0, 1, len(kind)) * (1 - gain), 16 / 255))
    gains, blacks = (torch.from_numpy(part).float()[:, None, None, None] for part in (gain, black))
    return tuple(((part - 16 / 255) * gains + blacks).clamp(0, 1) for part in (inputs, targets))


def train(store: list[Pair], *, steps: int, seed: int, peak: float) -> Network:
    """Return the network after `steps` of Adam on the Charbonnier distance, one cycle of the learning rate."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    shares = np.array([pair.weight for pair in store])
    shares /= shares.sum()
    network = Network()
    adam = torch.optim.Adam(network.parameters(), lr=peak, betas=(0.9, 0.99))
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, peak, total_steps=steps, pct_start=0.08)
    began, running = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        inputs, targets = batch(store, shares, rng)
        loss = torch.sqrt((network(inputs) - targets) ** 2 + 1e-6).mean()
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        adam.step()
        cycle.step()
        running = loss.item() if step == 1 else 0.99 * running + 0.01 * loss.item()
        if step % 250 == 0 or step == steps:
            print(f"step {step:6d}  loss {255 * running:.3f}  {time.monotonic() - began:6.0f} s", flush=True)
    return network


def to_onnx(network: Network, note: str) -> onnx.ModelProto:
    """Return the model: uint8 H x W in, uint8 2H x 2W out, edges repeated outwards.

    Written node by node: thirty lines, no exporter, and a file that old runtimes read too.
    """
    nodes: list[onnx.NodeProto] = []
    values: list[onnx.TensorProto] = []

    def constant(name: str, value: np.ndarray) -> str:
        values.append(numpy_helper.from_array(value, name))
        return name

    def add(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(x: str, layer: nn.Conv2d, name: str) -> str:
        inputs = [x, constant(f"{name}.weight", layer.weight.detach().numpy())]
        if layer.bias is not None:
            inputs.append(constant(f"{name}.bias", layer.bias.detach().numpy()))
        return add("Conv", inputs, name, kernel_shape=list(layer.kernel_size))

    axes = constant("axes", np.array([0, 1]))
    full, zero = constant("full", np.float32(255)), constant("zero", np.float32(0))
    x = add("Cast", [add("Unsqueeze", ["luma", axes], "plane")], "float", to=TensorProto.FLOAT)
    edges = constant("edges", np.array([0, 0, MARGIN, MARGIN] * 2))
    x = add("Pad", [add("Div", [x, full], "scaled"), edges], "padded", mode="edge")
    cut = [constant("from", np.array([MARGIN - 2] * 2)), constant("to", np.array([2 - MARGIN] * 2))]
    skip = conv(add("Slice", [x, *cut, constant("sides", np.array([2, 3]))], "inner"), network.skip, "skip")
    for number, layer in enumerate(network.trunk):
        x = conv(x, layer, f"conv{number}")
        if layer is not network.trunk[-1]:
            x = add("LeakyRelu", [x], f"active{number}", alpha=SLOPE)
    x = add("DepthToSpace", [add("Add", [x, skip], "pixels")], "large", blocksize=2, mode="CRD")
    x = add("Round", [add("Clip", [add("Mul", [x, full], "levels"), zero, full], "clipped")], "whole")
    add("Squeeze", [add("Cast", [x], "bytes", to=TensorProto.UINT8), axes], "enlarged")
    graph = helper.make_graph(
        nodes,
        "enhance_x2",
        [helper.make_tensor_value_info("luma", TensorProto.UINT8, ["height", "width"])],
        [helper.make_tensor_value_info("enlarged", TensorProto.UINT8, ["height2", "width2"])],
        values,
        doc_string=note,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="ci_notebook")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="searched for the training pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--peak", type=float, default=3e-3, help="highest learning rate")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # two threads on two shared cores wait for each other more than they work
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(asked.seed)
    store = [pair for name, frames in pictures(asked.folders, rng) for pair in pairs(name, frames, rng)]
    store = [pair for pair in store if min(pair.small.shape) >= PATCH + 2 * MARGIN]
    print(f"{len(SOURCES)} sources, {len(store)} pairs", flush=True)
    network = train(store, steps=asked.steps, seed=asked.seed, peak=asked.peak)
    count = sum(value.numel() for value in network.parameters())
    note = f"ci_notebook enhance_x2: {count} weights, {asked.steps} steps, seed {asked.seed}. MIT. See WEIGHTS.md."
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_bytes(to_onnx(network, note).SerializeToString())
    print(f"{count} weights -> {asked.out.name}, {asked.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
