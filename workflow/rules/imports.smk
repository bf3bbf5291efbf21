# Features that the user has on disk; with them no extractor runs, and no video is needed.


rule import_frames:
    input:
        lambda wildcards: ancient(
            IDENTITIES.import_files(wildcards.shard, PLAN.counted_feature.name)
        ),
    output:
        index("import_frames"),
    log:
        log_of("import_frames", "shard"),
    benchmark:
        benchmark_of("import_frames", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("import_frames"),
        runtime=time_limit("import_frames"),
    params:
        stage=stage("import_frames"),
    message:
        "import_frames {wildcards.shard}"
    script:
        "../scripts/import_frames.py"


rule import_features:
    input:
        lambda wildcards: ancient(
            IDENTITIES.import_files(wildcards.shard, wildcards.feature)
        ),
        extract_frames=index(PLAN.timeline),
    output:
        f"{RESULTS}/index/import_{{feature}}/{{shard}}.json",
    log:
        f"{RESULTS}/logs/import_features/{{feature}}-{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/import_features/{{feature}}-{{shard}}.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("import_features"),
        runtime=time_limit("import_features"),
    params:
        stage=lambda wildcards: IDENTITIES.stage(
            f"import_{wildcards.feature}", wildcards.shard
        ),
    message:
        "import_features {wildcards.feature} {wildcards.shard}"
    script:
        "../scripts/import_features.py"
