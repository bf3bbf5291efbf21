# What people can look at: a contact sheet and a few numbers of every sample.


rule summarise_quality:
    input:
        unpack(inputs("summarise_quality", "{shard}")),
    output:
        **outputs("summarise_quality", "{shard}"),
    log:
        log_of("summarise_quality", "shard"),
    benchmark:
        benchmark_of("summarise_quality", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("summarise_quality"),
        runtime=time_limit("summarise_quality"),
    params:
        job=job("summarise_quality", "{shard}"),
    message:
        "summarise_quality {wildcards.shard}"
    script:
        "../scripts/summarise_quality.py"
