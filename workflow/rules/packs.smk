# Features of a shard on the frame's clock, memory-mapped for training.


rule pack_features:
    input:
        extract_frames=index(PLAN.timeline),
        feature=lambda wildcards: f"{RESULTS}/index/"
        + PLAN.feature(wildcards.feature).stage
        + f"/{wildcards.shard}.json",
    output:
        array=f"{RESULTS}/pack_features/{{feature}}/{{shard}}.npy",
        index=f"{RESULTS}/pack_features/{{feature}}/{{shard}}.json",
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
        stage=lambda wildcards: IDENTITIES.packs(wildcards.feature),
    message:
        "pack_features {wildcards.feature} {wildcards.shard}"
    script:
        "../scripts/pack_features.py"
