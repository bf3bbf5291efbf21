"""Requests of weights, still sets and backbones.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from typing import Any

from circumplex.config.weights import TRAINED
from circumplex.errors import RequestError
from circumplex.io.digests import MISSING, value_digest
from circumplex.pipeline import requests
from circumplex.pipeline.stage_context import StageContext
from circumplex.pipeline.still_sets import PATH_KEYS

FOR_THE_CARD = ("paper", "set_options")
"""What a request says of a training and no weight depends on."""


def fetch_weights(context: StageContext) -> requests.FetchRequest:
    """Published weights to download."""
    return requests.FetchRequest(
        *context.plain("fetch_weights"),
        cache=str(context.plan.weights_cache),
        published=[entry.name for entry in context.weights.published()],
        by_hand=context.weights.by_hand(),
    )


def list_stills(context: StageContext, name: str) -> requests.StillsRequest:
    """The table of a set of still images."""
    options = dict(context.plan.still_sets[name])
    drop = options.pop("drop_duplicates", False)
    return requests.StillsRequest(
        *context.plain("list_stills", options["kind"]),
        name=name,
        options=options,
        drop_duplicates=drop,
        input=context.contents.still_set(name),
    )


def train_backbone(context: StageContext, recipe: str) -> requests.BackboneRequest:
    """The weights of a recipe."""
    plan = context.plan.backbones
    sets = plan.require(recipe).sets
    return requests.BackboneRequest(
        *context.plain("train_backbone"),
        options=plan.values(recipe),
        start=context.weights.identity(plan.start(recipe)),
        sets={name: _still_set_digest(context, name) for name in sets},
        paper=plan.paper(recipe),
        set_options={name: _options_without_place(context, name) for name in sets},
    )


def _options_without_place(context: StageContext, name: str) -> dict[str, Any]:
    options = context.plan.still_sets[name]
    return {key: value for key, value in options.items() if key not in PATH_KEYS}


def identify_trained(context: StageContext, recipe: str) -> str:
    """Identity of weights that this run trains.

    Their content is not known before: what they come from stands for it, and the job that
    extracts takes the content's digest.
    """
    request = train_backbone(context, recipe)
    asked = {key: value for key, value in vars(request).items() if key not in FOR_THE_CARD}
    return f"{TRAINED}{value_digest(asked)}"


def _still_set_digest(context: StageContext, name: str) -> str:
    try:
        return list_stills(context, name).digest
    except RequestError:
        return MISSING  # reported by `RunWeights.recipe_problems`
