"""Requests of the stages of per-sample files: one per stage and shard.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from circumplex.pipeline import requests
from circumplex.pipeline.contents import LAYOUT
from circumplex.pipeline.stage_context import StageContext
from circumplex.pipeline.stages import SAMPLE_STAGES


def process_shard(context: StageContext, name: str, shard: str) -> requests.ShardRequest:
    """The files that a stage makes of the samples of a shard."""
    stage = context.stages.get(name) or SAMPLE_STAGES[name]
    members = context.plan.shards[shard]
    if name == "make_proxy":
        shown = {sample.sample for sample in context.plan.shown}
        members = [sample for sample in members if sample.sample in shown]
    samples: dict[str, dict[str, str]] = {}
    feature = source = ""
    if stage.columns:
        samples = {s.sample: context.contents.sample_key(s, stage.columns) for s in members}
    if name.startswith("import_"):
        imported = (
            context.plan.counted_feature
            if name == "import_frames"
            else context.plan.feature(name.removeprefix("import_"))
        )
        samples = {s.sample: context.contents.import_key(s, imported) for s in members}
        source = context.plan.config["features"][imported.name]["import"]
        feature = imported.name
    elif name.startswith("extract_") and name not in SAMPLE_STAGES:
        feature = name.removeprefix("extract_")
    annotated = [s.sample for s in members if s.annotations and name == "read_labels"]
    layouts = {samples[sample][LAYOUT] for sample in annotated}
    code = context.code(stage, *sorted(layouts))
    options = context.options(stage)
    return requests.ShardRequest(name, code, options, samples, feature, source)
