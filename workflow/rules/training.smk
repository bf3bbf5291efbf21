# Folds, and one job a model: experiment, fold, seed.


def features_of(wildcards):
    """Features of a run's experiment."""
    return PLAN.experiments[wildcards.run.split("/")[0]]["features"]


def packs_of(wildcards):
    """Packs of a run's features; their arrays lie beside these indexes."""
    stem = f"{RESULTS}/pack_features/{{feature}}/{{shard}}"
    names = {"feature": features_of(wildcards), "shard": SHARDS}
    return expand([stem + ".json", stem + ".npy"], **names)


def folds_of(wildcards):
    """The folds, where the run's strategy needs them."""
    strategy = PLAN.experiments[wildcards.run.split("/")[0]]["strategy"]
    return f"{RESULTS}/make_folds.json" if strategy == Strategy.KFOLD else []


rule make_folds:
    input:
        read_labels=indexes("read_labels"),
    output:
        f"{RESULTS}/make_folds.json",
    log:
        f"{RESULTS}/logs/make_folds.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_folds.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        stage=IDENTITIES.folds(),
    message:
        "make_folds"
    script:
        "../scripts/make_folds.py"


rule train_encoder:
    input:
        packs=packs_of,
        read_labels=indexes("read_labels"),
        folds=folds_of,
    output:
        index=f"{RESULTS}/index/train_encoder/{{run}}.json",
        epochs=f"{RESULTS}/train_encoder/{{run}}.epochs.parquet",
    log:
        log_of("train_encoder", "run"),
    benchmark:
        benchmark_of("train_encoder", "run")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["train"]
    resources:
        mem_mb=memory("train_encoder"),
        runtime=time_limit("train_encoder"),
        gpu=GPU,
    params:
        stage=lambda wildcards: IDENTITIES.training(wildcards.run),
    message:
        "train_encoder {wildcards.run}"
    script:
        "../scripts/train_encoder.py"
