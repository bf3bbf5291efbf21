"""The course of a backbone's learning rate."""

import math

from circumplex.config.recipes import Decay, Recipe


def compute_rate(recipe: Recipe, done: float) -> float:
    """Compute the learning rate of a step.

    Args:
        recipe: with warm-up and decay.
        done: epochs of the phase before the step, with the part of the running one.
    """
    rate = recipe.learning_rate * min(1.0, done / recipe.warm_up if recipe.warm_up else 1.0)
    match recipe.decay:
        case Decay.HALVING:
            rate *= 0.5 ** (int(done) // recipe.halve_every)
        case Decay.COSINE:
            past = max(0.0, done - recipe.warm_up) / max(recipe.epochs - recipe.warm_up, 1e-9)
            rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, past)))
        case Decay.CONSTANT:
            pass
    return rate
