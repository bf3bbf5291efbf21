"""What the requests of all stages are built from: code, options and inputs of each stage.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from circumplex.config.features import Feature
from circumplex.config.outputs import ProxyChoice
from circumplex.config.weights import WEIGHT_KEYS
from circumplex.io.digests import DigestCache
from circumplex.pipeline.code import code_digest, read_pins, restore_parsed, save_parsed
from circumplex.pipeline.contents import Contents
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.stages import (
    NAMED_MODULES,
    RESULT_STAGES,
    SAMPLE_STAGES,
    Stage,
    ancestors,
    sample_stages,
)
from circumplex.pipeline.weights import RunWeights

LOCK = "requirements.lock"
CODE_CACHE = ".code.json"
"""What the code's files say, below the results folder, so that a start need not parse them."""
LIBRARY = Path(__file__).parent.parent


class StageContext:
    """Code, options and inputs of the stages of a run.

    Args:
        plan: validated request of the user.
        root: folder of the checkout, with the lock file.
        cache: digests of large files.
        library: folder of the package.
        trained_identity: identity of the weights that a recipe trains in this run.
    """

    def __init__(
        self,
        plan: Plan,
        root: Path,
        cache: DigestCache,
        library: Path,
        trained_identity: Callable[["StageContext", str], str],
    ) -> None:
        self.plan = plan
        self.contents = Contents(plan, cache)
        self.weights = RunWeights(
            plan, self.contents, lambda recipe: trained_identity(self, recipe)
        )
        self._library = library
        self._pins = read_pins(root / LOCK)
        restore_parsed(plan.results / CODE_CACHE)
        self._codes: dict[tuple[str, tuple[str, ...]], str] = {}

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """Stages of per-sample files that the run needs, in order."""
        return sample_stages(self.plan)

    def digest_code(self) -> None:
        """Digest the code of every stage, and keep what its files say for the next start."""
        for stage in (*self.stages.values(), *RESULT_STAGES.values()):
            self.code(stage)
        save_parsed(self.plan.results / CODE_CACHE)

    def code(self, stage: Stage, *names: str) -> str:
        """Version and code digest of a stage.

        Args:
            stage: the stage.
            names: modules of the stage's package of `NAMED_MODULES` that the request chooses.
        """
        key = (stage.name, names)
        if key not in self._codes:  # a dry run of hundreds of samples asks a thousand times
            chosen = [f"{NAMED_MODULES[stage.name]}.{name}" for name in names]
            digest = code_digest([*stage.modules, *chosen], self._library, self._pins)
            self._codes[key] = f"v{stage.version}-{digest}"
        return self._codes[key]

    def plain(self, stage: str, *names: str) -> tuple[str, str]:
        """Stage and code, the first two values of every request of a result."""
        return stage, self.code(RESULT_STAGES[stage], *names)

    def options(self, stage: Stage) -> dict[str, Any]:
        """Options that change a stage's results; weights are given by content, not by path."""
        if stage.name == "import_frames":
            return {"fps": self.plan.config["media"]["audio_only_fps"]}
        if stage.name == "resample_timeline":
            return {"rate": self.plan.rate}
        if stage.name == "make_proxy":
            always = self.plan.proxies is ProxyChoice.ALWAYS
            return {"height": self.plan.config["outputs"]["proxy_height"], "always": always}
        if stage.name.startswith("import_"):
            return {"dimension": self.plan.feature(stage.name.removeprefix("import_")).dimension}
        if stage.name == "read_labels":
            without_video = self.plan.native_timeline == "import_frames"
            labels = dict(self.plan.config["labels"])
            without = labels.pop("max_difference_without_video")
            del labels["emotions"]  # they are in the samples, as valence and arousal
            return labels | ({"max_difference": without} if without_video else {})
        options: Any = self.plan.config if stage.section else {}
        for key in stage.section.split(".") if stage.section else ():
            options = options[key]
        others = {place for other in SAMPLE_STAGES.values() for place in other.options}
        further = [place.split(".") for place in stage.options]
        return {
            key: self.weights.identity(value) if key in WEIGHT_KEYS else value
            for key, value in options.items()
            if f"{stage.section}.{key}" not in others
        } | {key: self.plan.config[section][key] for section, key in further}

    @cached_property
    def features(self) -> dict[str, dict[str, Any]]:
        """How each feature in use is computed: by stage, options and version.

        This is what an export carries and what it compares: no digest of code, so that an export
        survives an upgrade.
        """
        return {feature.name: self._describe(feature) for feature in self.plan.features}

    def _describe(self, feature: Feature) -> dict[str, Any]:
        # A feature that is imported comes from the user's files: its form alone must agree.
        imported = feature.imported
        names = [feature.stage] if imported else ancestors(self.stages, feature.stage)
        described = {
            name: {"version": self.stages[name].version, "options": self.options(self.stages[name])}
            for name in names
        }
        described["pack_features"] = {
            "version": RESULT_STAGES["pack_features"].version,
            "options": self.pack_layout(feature),
        }
        return described

    def pack_layout(self, feature: Feature) -> dict[str, Any]:
        """How a feature lies in packs: ``dimension``, ``framing`` and ``dtype``."""
        return {
            "dimension": int(feature.dimension or 0),  # a feature in use has one
            "framing": feature.framing.value if feature.framing else None,
            "dtype": self.plan.config["packs"]["dtype"],
        }
