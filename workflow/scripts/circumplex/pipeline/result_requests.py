"""What a result names of its making: tracked parameters of tables, manifest, report and export.

Imported while the workflow is parsed: standard library, yaml and jsonschema only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from circumplex.config.catalogue import SIZES
from circumplex.config.features import Feature
from circumplex.io.digests import file_digest
from circumplex.pipeline.plan import TARGETS, Plan, Run
from circumplex.pipeline.requests import Identities

LIBRARY = Path(__file__).parent.parent
TABLE_TEMPLATE = LIBRARY / "evaluation" / "table.html.j2"
REPORT_TEMPLATES = LIBRARY / "report" / "templates"


class ResultIdentities:
    """Identities of what people read, and of what they hand on.

    Args:
        plan: the validated request.
        identities: of the stages before.
    """

    def __init__(self, plan: Plan, identities: Identities) -> None:
        self._plan, self._identities = plan, identities

    def export(self, name: str) -> dict[str, Any]:
        """Tracked parameter of ``export_ensemble``: the description to write."""
        plan = self._plan
        runs = plan.all_members(name)
        experiments = {run.experiment: plan.experiments[run.experiment] for run in runs}
        used = {feature for e in experiments.values() for feature in e["features"]}
        description = {
            "ensemble": name,
            "members": plan.ensembles[name],
            "experiments": experiments,
            "folds": plan.config["folds"],
            "smoothing": plan.smoothing,
            "features": {feature: self._identities.features[feature] for feature in sorted(used)},
        }
        paths = [run.path for run in runs]
        trained = self._plan.backbones.trained
        return self._identities.plain(
            "export_ensemble",
            description=description,
            runs=paths,
            trained={feature: trained[feature] for feature in sorted(used & trained.keys())},
        )

    def evaluation(self) -> dict[str, Any]:
        """Tracked parameter of ``evaluate``: what each table of predictions is."""
        plan = self._plan
        strategies = {name: e["strategy"] for name, e in plan.experiments.items()}
        return self._identities.plain(
            "evaluate",
            runs=[[r.experiment, r.fold, r.seed, strategies[r.experiment]] for r in plan.runs],
            ensembles={
                name: sorted({strategies[run.experiment] for run in plan.all_members(name)})
                for name in plan.ensembles
            },
            splits=self._splits(),
        )

    def table(self, name: str) -> dict[str, Any]:
        """Tracked parameter of ``make_table``: its rows, and what their numbers come from."""
        plan = self._plan
        spec = plan.tables[name]
        rows = [{**row, "replicates": plan.replicates(row)} for row in spec["rows"]]
        units = [unit for row in rows for replicate in row["replicates"] for unit in replicate]
        ensembles = list(dict.fromkeys(n for kind, n, _ in units if kind == "ensemble"))
        scored = {n for kind, n, _ in units if kind == "model"}
        scored |= {run.path for ensemble in ensembles for run in plan.all_members(ensemble)}
        trace = self._trace([run for run in plan.runs if run.path in scored], ensembles)
        return self._identities.plain(
            "make_table",
            name=name,
            title=spec["title"],
            targets=spec.get("targets", list(TARGETS)),
            split=spec.get("split", "val"),
            rows=rows,
            splits=self._splits(),
            random_weights=self._identities.random_weights(trace["features"]),
            template=file_digest(TABLE_TEMPLATE),
            trace=trace,
        )

    def manifest(self) -> dict[str, Any]:
        """Tracked parameter of ``make_manifest``."""
        return self._identities.plain(
            "make_manifest", trace=self._trace(self._plan.runs, list(self._plan.ensembles))
        )

    def _trace(self, runs: Sequence[Run], ensembles: Sequence[str]) -> dict[str, Any]:
        """What models and ensembles come from, as far as the plan decides it."""
        plan = self._plan
        used = {f for run in runs for f in plan.experiments[run.experiment]["features"]}
        models: dict[str, dict[str, Any]] = {}
        for run in runs:
            models[run.path] = {
                "experiment": run.experiment,
                "fold": run.fold,
                "seed": run.seed,
                "features": plan.experiments[run.experiment]["features"],
            }
            if plan.export is not None:
                sha256 = plan.export["models"][run.path]
                models[run.path]["checkpoint"] = {"file": f"{run.path}.pt", "sha256": sha256}
        members = {
            name: {target: [run.path for run in plan.members(name, target)] for target in TARGETS}
            for name in ensembles
        }
        features = {name: self._identities.features[name] for name in sorted(used)}
        return {"models": models, "ensembles": members, "features": features}

    def _splits(self) -> dict[str, str]:
        return {sample.sample: sample.split.value for sample in self._plan.samples}

    def report(self) -> dict[str, Any]:
        """Tracked parameter of ``make_report``."""
        return self._identities.plain(
            "make_report",
            templates=[file_digest(path) for path in sorted(REPORT_TEMPLATES.glob("*.j2"))],
            stages=self._identities.sample_stages(),
            ensembles=list(self._plan.ensembles),
            runs=[run.path for run in self._plan.runs],
            random_weights=self._identities.random_weights(),
            features={
                f.name: {
                    **self._plan.weight_choices(f),
                    **self._sizes(f),
                    "dimension": self._identities.packs(f.name)["options"]["dimension"],
                    "modality": f.modality.value,
                    "framing": f.framing,
                    "imported": f.imported,
                }
                for f in self._plan.features
            },
            excluded=self._plan.config.get("exclude", []),
        )

    def _sizes(self, feature: Feature) -> dict[str, Any]:
        options = self._plan.config["features"][feature.name]
        return {key: options[key] for key in SIZES if key in options}

    def closing(self) -> dict[str, Any]:
        """Tracked parameter of ``check_failures``, which ends the run."""
        return self._identities.plain(
            "check_failures", random_weights=self._identities.random_weights()
        )
