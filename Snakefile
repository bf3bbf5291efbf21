# Circumplex: from a folder of videos to valence-arousal predictions, submissions and a report.
from snakemake.utils import min_version

min_version("9.27")


# Beside this file, from whatever folder Snakemake is started.
configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/media.smk"
include: "workflow/rules/faces.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/imports.smk"
include: "workflow/rules/packs.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/predictions.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/outputs.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/search.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        outputs("check_failures").values(),
        outputs("make_manifest").values(),
        # Named here: a missing index amid the graph would not be computed again otherwise.
        paths_of(GRAPH.sample_indexes()),
        paths_of(GRAPH.models()),
        paths_of(GRAPH.submissions()),
        [table_files(name) for name in PLAN.tables],
