# From models to smoothed, ensembled predictions of every sample that a model did not train on.


def model_of(wildcards):
    """The run's trained model, or the exported one."""
    if PLAN.export is not None:
        return ancient(f"{PLAN.config['export']}/{wildcards.run}.pt")
    return f"{RESULTS}/index/train_encoder/{wildcards.run}.json"


rule predict_frames:
    input:
        model=model_of,
        packs=packs_of,
        extract_frames=indexes("extract_frames"),
    output:
        f"{RESULTS}/predict_frames/{{run}}.parquet",
    message:
        "predict_frames {wildcards.run}"
    log:
        log_of("predict_frames", "run"),
    benchmark:
        benchmark_of("predict_frames", "run")
    params:
        stage=lambda wildcards: IDENTITIES.prediction(wildcards.run),
    threads: THREADS["train"]
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=GPU,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/predict_frames.py"


rule smooth_predictions:
    input:
        f"{RESULTS}/predict_frames/{{run}}.parquet",
    output:
        f"{RESULTS}/smooth_predictions/{{run}}.parquet",
    message:
        "smooth_predictions {wildcards.run}"
    log:
        log_of("smooth_predictions", "run"),
    benchmark:
        benchmark_of("smooth_predictions", "run")
    params:
        stage=IDENTITIES.plain("smooth_predictions", smoothing=PLAN.smoothing),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/smooth_predictions.py"


def members_of(target):
    """Smoothed predictions of an ensemble's models for a target."""
    return lambda wildcards: [
        f"{RESULTS}/smooth_predictions/{run.path}.parquet"
        for run in PLAN.members(wildcards.ensemble, target)
    ]


rule ensemble_predictions:
    input:
        valence=members_of("valence"),
        arousal=members_of("arousal"),
    output:
        f"{RESULTS}/ensemble_predictions/{{ensemble}}.parquet",
    message:
        "ensemble_predictions {wildcards.ensemble}"
    log:
        log_of("ensemble_predictions", "ensemble"),
    benchmark:
        benchmark_of("ensemble_predictions", "ensemble")
    params:
        stage=lambda wildcards: IDENTITIES.ensemble(wildcards.ensemble),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/ensemble_predictions.py"


rule export_ensemble:
    input:
        models=lambda wildcards: [
            f"{RESULTS}/index/train_encoder/{run.path}.json"
            for run in PLAN.all_members(wildcards.ensemble)
        ],
    output:
        f"{RESULTS}/exports/{{ensemble}}/ensemble.json",
    message:
        "export_ensemble {wildcards.ensemble}"
    log:
        log_of("export_ensemble", "ensemble"),
    benchmark:
        benchmark_of("export_ensemble", "ensemble")
    params:
        stage=lambda wildcards: IDENTITIES.export(wildcards.ensemble),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/export_ensemble.py"
