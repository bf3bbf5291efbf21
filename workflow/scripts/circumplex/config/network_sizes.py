"""Sizes of the visual networks by their options: what an estimate of cost multiplies.

Multiplications of one image forward, and numbers in the weights; norms and biases are left out.
Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Iterator, Mapping, Sequence

from circumplex.config.densenet_blocks import GROWTH, STEM

IRESNET_UNITS: Mapping[int, Sequence[int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    100: (3, 13, 30, 3),
}
"""Units of two convolutions in each of the four stages, by depth (ArcFace's)."""
IRESNET_SIDE, IRESNET_VALUES, IRESNET_LAST_SIDE = 112, 512, 7
DENSENET_SIDE, BOTTLENECK = 32, 4  # half of the image: the first convolution has stride 2
KERNEL = 9
"""Weights of a 3x3 convolution for each pair of channels."""


def iresnet_size(depth: int, channels: int) -> tuple[int, int]:
    """Multiplications and weights of an IResNet.

    Args:
        depth: 18, 34, 50 or 100 layers.
        channels: of the first stage; each has twice those of the one before.
    """
    stem = KERNEL * 3 * channels
    products, weights = stem * IRESNET_SIDE**2, stem
    for side, pairs in _iresnet_convolutions(depth, channels):
        products, weights = products + pairs * side**2, weights + pairs
    last = 8 * channels * IRESNET_LAST_SIDE**2 * IRESNET_VALUES
    return products + last, weights + last


def _iresnet_convolutions(depth: int, channels: int) -> Iterator[tuple[int, int]]:
    """Side of the output and number of weights of each convolution after the first."""
    side, entering = IRESNET_SIDE, channels
    for stage, units in enumerate(IRESNET_UNITS[depth]):
        leaving = channels * 2**stage
        yield side, KERNEL * entering * leaving
        side //= 2
        yield side, (KERNEL * leaving + entering) * leaving
        for _ in range(units - 1):
            yield side, 2 * KERNEL * leaving**2
        entering = leaving


def densenet_size(blocks: Sequence[int]) -> tuple[int, int]:
    """Multiplications and weights of a DenseNet-BC with these layers in its three blocks."""
    stem = KERNEL * STEM
    products, weights = stem * DENSENET_SIDE**2, stem
    channels, inner, side = STEM, BOTTLENECK * GROWTH, DENSENET_SIDE
    for number, layers in enumerate(blocks):
        if number:
            halved = channels * (channels // 2)
            products, weights = products + halved * side**2, weights + halved
            channels, side = channels // 2, side // 2
        for _ in range(layers):
            pairs = channels * inner + KERNEL * inner * GROWTH
            products, weights = products + pairs * side**2, weights + pairs
            channels += GROWTH
    return products, weights
