# Features that the user has on disk; with them no extractor runs, and no video is needed.


rule import_frames:
    input:
        unpack(inputs("import_frames", "{shard}", raw=counted_files)),
    output:
        **outputs("import_frames", "{shard}"),
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
        job=job("import_frames", "{shard}"),
    message:
        "import_frames {wildcards.shard}"
    script:
        "../scripts/import_frames.py"


rule import_features:
    input:
        unpack(inputs("import_{feature}", "{shard}", raw=imported_files)),
    output:
        **outputs("import_{feature}", "{shard}"),
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
        job=job("import_{feature}", "{shard}"),
    message:
        "import_features {wildcards.feature} {wildcards.shard}"
    script:
        "../scripts/import_features.py"
