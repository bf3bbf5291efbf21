"""Where an LSTM layer's training time goes on a CPU, and what is left to save.

    .venv/bin/python benchmarks/lstm.py [--threads 2]

The paper's layer (512 inputs and hidden values, 16 videos in step, segments of 100 frames) forward
and back as PyTorch has it, which is oneDNN's recurrent primitive, and the products that any way to
compute it needs, one by one: those with the inputs of all frames at once, those of each frame with
the hidden state, as PyTorch multiplies and with weights that were packed once, and the weights'
gradients, one product each for all frames. Then the gates. CPU time of a segment, the median of
--repeats. Then the layer of model/cpu/lstm.py, where the processor has bfloat16.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn

from circumplex.io.devices import emulates_bfloat16
from circumplex.model.cpu.lstm import bfloat16_lstm

ROWS, FRAMES, SIZE = 16, 100, 512
PRODUCT = 2 * ROWS * FRAMES * 4 * SIZE * SIZE
"""Floating-point operations of one product over all frames."""


def show(name: str, seconds: float, products: int) -> None:
    """Print a part's time, and the speed of its products."""
    speed = f"{products * PRODUCT / seconds / 1e9:8.0f} GFLOP/s" if products else ""
    print(f"{name:34}{1e3 * seconds:8.1f} ms{speed}")


class Bench:
    """The layer and its products, on one set of values."""

    def __init__(self, repeats: int) -> None:
        torch.manual_seed(0)
        self.repeats = repeats
        self.layer = nn.LSTM(SIZE, SIZE, 1, batch_first=True)
        self.inputs = torch.randn(ROWS, FRAMES, SIZE, requires_grad=True)
        self.flat = torch.randn(ROWS * FRAMES, SIZE)
        self.hidden, self.cell = torch.randn(ROWS, SIZE), torch.randn(ROWS, SIZE)
        self.gates = torch.randn(ROWS, 4 * SIZE)
        self.all_gates = torch.randn(ROWS * FRAMES, 4 * SIZE)
        self.weight = self.layer.weight_hh_l0.detach()
        self.packed = torch.ops.mkl._mkl_reorder_linear_weight(self.weight, ROWS)

    def seconds(self, work: Callable[[], Any]) -> float:
        work()
        found = []
        for _ in range(self.repeats):
            start = time.process_time()
            work()
            found.append(time.process_time() - start)
        return median(found)

    def train(self) -> None:
        self.layer(self.inputs)[0].sum().backward()

    def train_bfloat16(self) -> None:
        bfloat16_lstm(self.layer, self.inputs, None)[0].float().sum().backward()

    def step_plain(self) -> None:
        for _ in range(FRAMES):
            self.hidden @ self.weight.t()

    def step_packed(self) -> None:
        multiply = torch.ops.mkl._mkl_linear
        for _ in range(FRAMES):
            multiply(self.hidden, self.packed, self.weight, None, ROWS)

    def step_back(self) -> None:
        for _ in range(FRAMES):
            self.gates @ self.weight

    def bend(self) -> None:
        for _ in range(FRAMES):
            gates = self.gates.clone()
            gates[:, : 2 * SIZE].sigmoid_()
            gates[:, 2 * SIZE : 3 * SIZE].tanh_()
            gates[:, 3 * SIZE :].sigmoid_()
            i, f, g, o = gates.chunk(4, dim=1)
            o * torch.tanh(torch.addcmul(f * self.cell, i, g))

    def weight_gradients(self) -> None:
        for _ in range(2):
            self.all_gates.t() @ self.flat

    def run(self) -> None:
        """Print the table."""
        weight = self.weight
        parts = {
            "inputs, all frames": (lambda: self.flat @ weight.t(), 1),
            "hidden state, frame by frame": (self.step_plain, 1),
            "the same, weights packed once": (self.step_packed, 1),
            "gates, frame by frame": (self.bend, 0),
            "back to the hidden state": (self.step_back, 1),
            "back to the inputs": (lambda: self.all_gates @ weight, 1),
            "gradients of both weights": (self.weight_gradients, 2),
        }
        whole = self.seconds(self.train)
        show("PyTorch's layer, forward and back", whole, 6)
        total = 0.0
        for name, (work, products) in parts.items():
            spent = self.seconds(work)
            show(name, spent, products)
            total += spent if work != self.step_plain else 0.0
        show("all parts, packed", total, 6)
        print(f"the parts are {whole / total:.2f} times as fast as the layer")
        if emulates_bfloat16("cpu"):
            print("this processor emulates bfloat16: its layer is not timed")
        else:
            half = self.seconds(self.train_bfloat16)
            show("model/cpu/lstm.py, bfloat16", half, 6)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    Bench(given.repeats).run()
