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
        extract_frames=indexes(PLAN.timeline),
    output:
        f"{RESULTS}/predict_frames/{{run}}.parquet",
    log:
        log_of("predict_frames", "run"),
    benchmark:
        benchmark_of("predict_frames", "run")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["train"]
    resources:
        mem_mb=memory("predict_frames"),
        runtime=time_limit("predict_frames"),
        gpu=GPU,
    params:
        stage=lambda wildcards: IDENTITIES.prediction(wildcards.run),
    message:
        "predict_frames {wildcards.run}"
    script:
        "../scripts/predict_frames.py"


rule smooth_predictions:
    input:
        predictions=f"{RESULTS}/predict_frames/{{run}}.parquet",
        read_labels=indexes("read_labels") if PLAN.window_search else [],
    output:
        f"{RESULTS}/smooth_predictions/{{run}}.parquet",
    log:
        log_of("smooth_predictions", "run"),
    benchmark:
        benchmark_of("smooth_predictions", "run")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        stage=lambda wildcards: IDENTITIES.smoothing(wildcards.run),
    message:
        "smooth_predictions {wildcards.run}"
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
        read_labels=lambda wildcards: (
            indexes("read_labels") if PLAN.fits(wildcards.ensemble) else []
        ),
    output:
        f"{RESULTS}/ensemble_predictions/{{ensemble}}.parquet",
    log:
        log_of("ensemble_predictions", "ensemble"),
    benchmark:
        benchmark_of("ensemble_predictions", "ensemble")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        stage=lambda wildcards: IDENTITIES.ensemble(wildcards.ensemble),
    message:
        "ensemble_predictions {wildcards.ensemble}"
    script:
        "../scripts/ensemble_predictions.py"


rule export_ensemble:
    input:
        models=lambda wildcards: [
            f"{RESULTS}/index/train_encoder/{run.path}.json"
            for run in PLAN.all_members(wildcards.ensemble)
        ],
        smoothed=lambda wildcards: [
            f"{RESULTS}/smooth_predictions/{run.path}.parquet"
            for run in PLAN.all_members(wildcards.ensemble)
            if PLAN.window_search
        ],
        fitted=lambda wildcards: (
            f"{RESULTS}/ensemble_predictions/{wildcards.ensemble}.parquet"
            if PLAN.fits(wildcards.ensemble)
            else []
        ),
        weights=lambda wildcards: [
            str(PLAN.backbones.checkpoint(recipe))
            for recipe in RESULT_IDENTITIES.export(wildcards.ensemble)[
                "trained"
            ].values()
        ],
    output:
        local(f"{RESULTS}/exports/{{ensemble}}/ensemble.json"),  # beside its models
    log:
        log_of("export_ensemble", "ensemble"),
    benchmark:
        benchmark_of("export_ensemble", "ensemble")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        stage=lambda wildcards: RESULT_IDENTITIES.export(wildcards.ensemble),
    message:
        "export_ensemble {wildcards.ensemble}"
    script:
        "../scripts/export_ensemble.py"
