"""Which stills a batch holds: balanced over sets and classes, the same on each run of an epoch."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Draw(NamedTuple):
    """An image of an epoch.

    Attributes:
        epoch: from 0.
        position: in the epoch, over all GPUs; with the epoch it seeds the image's augmentation.
        set: number of the set.
        row: index in the set.
        valid: false where the image only fills up the last batch.
    """

    epoch: int
    position: int
    set: int
    row: int
    valid: bool = True


class BalancedBatches:
    """Batches of one size over several sets; which images an epoch holds follows from its number.

    An epoch draws a fixed number of images of each set, and of each class in it, so that no chance
    is in the balance. Within a class images are drawn without repetition as long as there are
    enough, and all equally often, give or take one, where there are not.

    Args:
        classes: of each set, the class of each image; any whole numbers.
        batch_size: images a batch on one GPU.
        seed: seed of the draws.
        epoch_size: images an epoch; by default those of all sets. Rounded up to whole batches.
        set_weights: shares of the sets; by default their sizes.
        balance: 0 draws classes as often as they are, 1 equally often, in between by the power
            1 - balance of their counts.
        rank: this GPU's number.
        replicas: number of GPUs; each gets batches of ``batch_size``.
    """

    def __init__(
        self,
        classes: Sequence[NDArray[np.integer]],
        batch_size: int,
        seed: int,
        *,
        epoch_size: int | None = None,
        set_weights: Sequence[float] | None = None,
        balance: float = 0.0,
        rank: int = 0,
        replicas: int = 1,
    ) -> None:
        sizes = [len(of_set) for of_set in classes]
        if not sizes or min(sizes) == 0:
            raise ValueError("a set without images cannot be drawn from")
        if set_weights is not None and len(set_weights) != len(sizes):
            raise ValueError(f"{len(set_weights)} weights for {len(sizes)} sets")
        self.epoch = 0
        self._batch, self._seed = batch_size, seed
        self._rank, self._replicas = rank, replicas
        step = batch_size * replicas
        self._steps = -(-(epoch_size or sum(sizes)) // step)
        shares = apportion(self._steps * step, np.asarray(set_weights or sizes, np.float64))
        self._pools = [_pools(c, share, balance) for c, share in zip(classes, shares, strict=True)]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass, from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch = self.epoch
        sets, rows = self._epoch(epoch)
        step = self._batch * self._replicas
        for start in range(self._rank * self._batch, self._steps * step, step):
            yield [
                Draw(epoch, position, int(sets[position]), int(rows[position]))
                for position in range(start, start + self._batch)
            ]

    def _epoch(self, epoch: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        rng = np.random.default_rng((self._seed, epoch))
        drawn = [
            np.concatenate([_cycle(pool, count, rng) for pool, count in pools])
            for pools in self._pools
        ]
        rows = np.concatenate(drawn)
        sets = np.repeat(np.arange(len(drawn), dtype=np.int32), [len(of_set) for of_set in drawn])
        order = rng.permutation(len(rows))
        return sets[order], rows[order]


class OrderedBatches:
    """All images of one set in their order, the last batch filled up with its last image.

    Args:
        count: images of the set.
        batch_size: images a batch.
        set_number: of the set in `circumplex.backbones.inputs.StillImages`.
        rank: this GPU's number; it takes every ``replicas``-th batch.
        replicas: number of GPUs.
    """

    def __init__(
        self, count: int, batch_size: int, set_number: int = 0, *, rank: int = 0, replicas: int = 1
    ) -> None:
        self._count, self._batch, self._set = count, batch_size, set_number
        self._starts = range(0, count, batch_size)[rank::replicas]

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[list[Draw]]:
        last = self._count - 1
        for start in self._starts:
            yield [
                Draw(0, position, self._set, min(position, last), position <= last)
                for position in range(start, start + self._batch)
            ]


def apportion(total: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole shares of ``total`` by weight, which add up to it: largest remainders round up."""
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(f"weights must be numbers from 0, not all 0: {weights.tolist()}")
    exact = total * weights / weights.sum()
    shares: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(shares - exact, kind="stable")
    shares[order[: total - shares.sum()]] += 1
    return shares


def _pools(
    classes: NDArray[np.integer], share: int, balance: float
) -> list[tuple[NDArray[np.int32], int]]:
    """Rows of each class, and how many to draw of them."""
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    quotas = apportion(share, counts.astype(np.float64) ** (1 - balance))
    order = np.argsort(inverse, kind="stable").astype(np.int32)
    pools = np.split(order, np.cumsum(counts)[:-1])
    return [(pool, int(quota)) for pool, quota in zip(pools, quotas, strict=True)]


def _cycle(pool: NDArray[np.int32], count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw ``count`` of a pool: whole rounds of it, and the rest without repetition."""
    rounds, rest = divmod(count, len(pool))
    return np.concatenate([np.tile(pool, rounds), rng.permutation(pool)[:rest]])
