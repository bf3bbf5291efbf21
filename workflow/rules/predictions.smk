# From models to smoothed, ensembled predictions of every sample that a model did not train on.


rule predict_frames:
    input:
        unpack(inputs("predict_frames", "{run}", model=exported_model)),
    output:
        **outputs("predict_frames", "{run}"),
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
        job=job("predict_frames", "{run}"),
    message:
        "predict_frames {wildcards.run}"
    script:
        "../scripts/predict_frames.py"


rule smooth_predictions:
    input:
        unpack(inputs("smooth_predictions", "{run}")),
    output:
        **outputs("smooth_predictions", "{run}"),
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
        job=job("smooth_predictions", "{run}"),
    message:
        "smooth_predictions {wildcards.run}"
    script:
        "../scripts/smooth_predictions.py"


rule ensemble_predictions:
    input:
        unpack(inputs("ensemble_predictions", "{ensemble}")),
    output:
        **outputs("ensemble_predictions", "{ensemble}"),
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
        job=job("ensemble_predictions", "{ensemble}"),
    message:
        "ensemble_predictions {wildcards.ensemble}"
    script:
        "../scripts/ensemble_predictions.py"


rule restore_frames:
    input:
        unpack(inputs("restore_frames", "{ensemble}")),
    output:
        **outputs("restore_frames", "{ensemble}"),
    log:
        log_of("restore_frames", "ensemble"),
    benchmark:
        benchmark_of("restore_frames", "ensemble")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        job=job("restore_frames", "{ensemble}"),
    message:
        "restore_frames {wildcards.ensemble}"
    script:
        "../scripts/restore_frames.py"


rule export_ensemble:
    input:
        unpack(inputs("export_ensemble", "{ensemble}")),
    output:
        # Beside its models, which no rule declares.
        description=local(output("export_ensemble", "description", "{ensemble}")),
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
        job=job("export_ensemble", "{ensemble}"),
    message:
        "export_ensemble {wildcards.ensemble}"
    script:
        "../scripts/export_ensemble.py"
