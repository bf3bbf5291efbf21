# Features of a shard on the frame's clock, memory-mapped for training.


rule pack_features:
    input:
        unpack(inputs("pack_features", "{feature}/{shard}")),
    output:
        **outputs("pack_features", "{feature}/{shard}"),
    log:
        f"{RESULTS}/logs/pack_features/{{feature}}-{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pack_features/{{feature}}-{{shard}}.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("pack_features"),
        runtime=time_limit("pack_features"),
    params:
        job=job("pack_features", "{feature}/{shard}"),
    message:
        "pack_features {wildcards.feature} {wildcards.shard}"
    script:
        "../scripts/pack_features.py"
