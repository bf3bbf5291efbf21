import pytest
import torch
from torch import nn

from circumplex.backbones.forward import ForwardPass, describe_images
from circumplex.backbones.inputs import StillBatch, StillImages
from circumplex.backbones.sampling import OrderedBatches
from circumplex.backbones.stills import StillSplit, read_stills
from circumplex.config.recipes import Recipe
from small_still_sets import make_set

IRESNET = {"task": "expression", "network": "iresnet", "depth": 18, "phases": [["a"]]}


class ChannelMeans(nn.Module):
    """One head: the mean of each channel, through a linear layer that passes it on."""

    def __init__(self):
        super().__init__()
        self.pass_on = nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.pass_on.weight)

    def forward(self, images):
        return [self.pass_on(images.mean(dim=(2, 3)))]


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    return read_stills(make_set(tmp_path_factory.mktemp("stills"), "a"), StillSplit.VAL)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_logits_are_those_of_the_normalised_images(stills, precision, dtype):
    forward = ForwardPass(
        Recipe.parse("r", {**IRESNET, "precision": precision}), torch.device("cpu"), workers=0
    )
    images = StillImages([stills], forward.input, augment=False)
    batches = list(forward.batches(images, OrderedBatches(len(stills), 4)))
    assert [batch.rows.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    (logits,) = forward.logits(ChannelMeans(), batches[1])
    assert logits.dtype == dtype
    shown = torch.stack([torch.from_numpy(stills.image(row).copy()) for row in range(4, 8)])
    expected = shown.float().mean(dim=(1, 2)) / 127.5 - 1
    tolerance = 1e-5 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(logits.float(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(
    ("rows", "text"),
    [([1], ""), ([0, 1, 2], ""), ([0, 1, 2, 3, 4], " and 2 more")],
)
def test_a_batch_is_described_by_its_first_three_images(stills, rows, text):
    numbers = torch.tensor(rows)
    batch = StillBatch(torch.empty(0), torch.zeros_like(numbers), numbers, torch.empty(0))
    names = [stills.name(row) for row in rows[:3]]
    assert describe_images(batch, [stills]) == ", ".join(names) + text
