"""What the pretrained models of a run are: the text that stands in every output made with them.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Collection

from circumplex.config.features import FEATURES
from circumplex.config.weights import RANDOM
from circumplex.pipeline.plan import Plan

UNKNOWN = "not stated"


def model_card(plan: Plan, name: str) -> dict[str, str]:
    """The card of a pretrained model.

    Args:
        plan: validated request.
        name: name of the pretrained model.

    Returns:
        ``name``, ``network``, ``weights``, ``trained_on``, ``accuracy``, ``limits``, ``licence``,
        ``citation`` and ``readout`` (where its coefficients come from); ``notice`` is the sentence
        to print where there is no room for all.
    """
    experiment = plan.experiments[name]
    (feature,) = experiment["features"]
    options = plan.config["features"][feature]
    known = FEATURES[feature].text
    if known is None:
        raise ValueError(f"feature {feature} has no text")
    weights = options.get("weights", "")
    entry = plan.published(weights)
    source = entry or known
    trained_on = source.trained_on
    if weights.startswith(RANDOM):
        trained_on = "nothing: its weights are random"
    elif entry is None:
        trained_on = UNKNOWN
    card = {
        "name": name,
        "network": known.network.format_map(options),
        "weights": weights,
        "trained_on": trained_on,
        "accuracy": (entry.accuracy if entry else "") or UNKNOWN,
        "limits": (entry.limits if entry else "") or UNKNOWN,
        "licence": source.licence if entry else UNKNOWN,
        "citation": source.citation,
        "readout": experiment["source"],
    }
    notice = (
        f"Made with the pretrained model {name}: {card['network']}. Trained on: {trained_on}. "
        f"Accuracy: {card['accuracy']}. Limits: {card['limits']}. Licence: {card['licence']}."
    )
    return {**card, "notice": notice}


def model_cards(plan: Plan, experiments: Collection[str] | None = None) -> list[dict[str, str]]:
    """The cards of the pretrained models in use.

    Args:
        plan: validated request.
        experiments: only these; all in use by default.
    """
    used = [name for name in plan.experiments if experiments is None or name in experiments]
    return [model_card(plan, name) for name in used if plan.is_pretrained(name)]
