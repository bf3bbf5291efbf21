# Backbones trained on still images. Off unless the config names sets of stills: none can be fetched.


wildcard_constraints:
    still_set="|".join(re.escape(name) for name in PLAN.still_sets) or "none",
    recipe="|".join(re.escape(name) for name in PLAN.backbones.names) or "none",


rule list_stills:
    input:
        unpack(inputs("list_stills", "{still_set}")),
    output:
        **outputs("list_stills", "{still_set}"),
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
        job=job("list_stills", "{still_set}"),
    message:
        "list_stills {wildcards.still_set}"
    script:
        "../scripts/list_stills.py"


rule train_backbone:
    input:
        unpack(inputs("train_backbone", "{recipe}", start=start_of)),
    output:
        index=output("train_backbone", "index", "{recipe}"),
        weights=output("train_backbone", "weights", "{recipe}"),
        card=output("train_backbone", "card", "{recipe}"),
        text=report(
            output("train_backbone", "text", "{recipe}"),
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
        gpu=GPU * PLAN.config["compute"]["gpus_per_backbone"],
    params:
        job=job("train_backbone", "{recipe}"),
    message:
        "train_backbone {wildcards.recipe}"
    script:
        "../scripts/train_backbone.py"


rule backbones:
    input:
        backbone_cards,
    localrule: True
