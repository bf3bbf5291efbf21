import pytest

from circumplex.config.weights import LARGEST_SEED, check_choice


@pytest.mark.parametrize(
    "choice",
    [
        "random:0",
        f"random:{2**32 - 1}",
        "published:dinov2-small",
        "trained:fau",
        "weights/net.pth",
        "randomly_named.pth",
    ],
)
def test_a_choice_of_weights_is_returned(choice):
    assert check_choice(choice) == choice


@pytest.mark.parametrize(
    "seed", ["", "-1", "1.0", "x", " 1", str(2**32), "9" * 5000, "٣", "1_0", "+1"]
)
def test_random_weights_need_a_seed(seed):
    with pytest.raises(ValueError, match=f"an integer from 0 to {LARGEST_SEED}"):
        check_choice(f"random:{seed}")
    assert LARGEST_SEED == 2**32 - 1
