# Backbones trained on still images. Off unless the config names sets of stills: none can be fetched.


wildcard_constraints:
    still_set="|".join(re.escape(name) for name in PLAN.still_sets) or "none",
    recipe="|".join(re.escape(name) for name in PLAN.backbones.recipes) or "none",


def still_set(name):
    """Tracked parameter of a set of stills; a set that is not there stops the run before its jobs."""
    try:
        return IDENTITIES.still_set(name)
    except RequestError as error:
        raise WorkflowError(str(error))


rule list_stills:
    output:
        table=f"{RESULTS}/list_stills/{{still_set}}.parquet",
        summary=f"{RESULTS}/list_stills/{{still_set}}.json",
    log:
        log_of("list_stills", "still_set"),
    benchmark:
        benchmark_of("list_stills", "still_set")
    priority: 1  # of all that can start: visual features wait for what is trained on it
    conda:
        "../../envs/light.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("list_stills"),
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        stage=lambda wildcards: still_set(wildcards.still_set),
    message:
        "list_stills {wildcards.still_set}"
    script:
        "../scripts/list_stills.py"


def start_of(wildcards):
    """Checkpoint that a recipe starts from; what is missing for it stops the run here."""
    problems = IDENTITIES.backbones.problems(wildcards.recipe)
    if problems:
        raise WorkflowError("\n".join(problems))
    return ancient(IDENTITIES.backbones.start_files(wildcards.recipe))


rule train_backbone:
    input:
        stills=lambda wildcards: [
            f"{RESULTS}/list_stills/{name}.parquet"
            for name in PLAN.backbones.recipes[wildcards.recipe].sets
        ],
        start=start_of,
    output:
        index=f"{RESULTS}/index/train_backbone/{{recipe}}.json",
        weights=f"{RESULTS}/backbones/{{recipe}}.safetensors",
        card=f"{RESULTS}/backbones/{{recipe}}.json",
        text=report(
            f"{RESULTS}/backbones/{{recipe}}.md",
            category="Backbones",
            labels={"recipe": "{recipe}"},
        ),
    log:
        log_of("train_backbone", "recipe"),
    benchmark:
        benchmark_of("train_backbone", "recipe")
    priority: 1  # the longest jobs before any encoder
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["train"]
    resources:
        mem_mb=memory("train_backbone"),
        runtime=lambda wildcards, attempt: 2880 * attempt,
        gpu=GPU * PLAN.config["compute"]["gpus_a_backbone"],
    params:
        stage=lambda wildcards: IDENTITIES.backbones.tracked(wildcards.recipe),
    message:
        "train_backbone {wildcards.recipe}"
    script:
        "../scripts/train_backbone.py"


rule backbones:
    input:
        [f"{RESULTS}/backbones/{name}.json" for name in PLAN.backbones.recipes],
    localrule: True
