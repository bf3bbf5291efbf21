# Circumplex: from a folder of videos to valence-arousal predictions, submissions and a report.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/media.smk"
include: "workflow/rules/faces.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/visual.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/audio.smk"
include: "workflow/rules/imports.smk"
include: "workflow/rules/packs.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/predictions.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/search.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        f"{RESULTS}/check_failures.txt",
        f"{RESULTS}/manifest.json",
        # Asked for by name: a missing index in mid-graph would not be made again by itself.
        [path for name in STAGES for path in indexes(name)],
        MODELS,
        SUBMISSIONS,
        [table_files(name) for name in PLAN.tables],
