# Folds, and one job per model: experiment, fold, seed.


rule make_folds:
    input:
        unpack(inputs("make_folds")),
    output:
        **outputs("make_folds"),
    log:
        log_of("make_folds"),
    benchmark:
        benchmark_of("make_folds")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        job=job("make_folds"),
    message:
        "make_folds"
    script:
        "../scripts/make_folds.py"


rule train_encoder:
    input:
        unpack(inputs("train_encoder", "{run}")),
    output:
        **outputs("train_encoder", "{run}"),
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
        job=job("train_encoder", "{run}"),
    message:
        "train_encoder {wildcards.run}"
    script:
        "../scripts/train_encoder.py"
