# Predictions for people: CSV files, and pages that play each video beside its trace.


rule write_predictions:
    input:
        unpack(inputs("write_predictions")),
    output:
        **outputs("write_predictions"),
    log:
        log_of("write_predictions"),
    benchmark:
        benchmark_of("write_predictions")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        job=job("write_predictions"),
    message:
        "write_predictions"
    script:
        "../scripts/write_predictions.py"


rule make_proxy:
    input:
        unpack(inputs("make_proxy", "{shard}", raw=raw_inputs("video"), sheet=sheet)),
    output:
        **outputs("make_proxy", "{shard}"),
    log:
        log_of("make_proxy", "shard"),
    benchmark:
        benchmark_of("make_proxy", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("make_proxy"),
        runtime=time_limit("make_proxy"),
    params:
        job=job("make_proxy", "{shard}"),
    message:
        "make_proxy {wildcards.shard}"
    script:
        "../scripts/make_proxy.py"


rule make_player:
    input:
        unpack(inputs("make_player")),
    output:
        manifest=output("make_player", "manifest"),
        page=report(
            output("make_player", "page"),
            caption="../report/player.rst",
            category="Results",
            labels={"page": "player"},
        ),
    log:
        log_of("make_player"),
    benchmark:
        benchmark_of("make_player")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        job=job("make_player"),
    message:
        "make_player"
    script:
        "../scripts/make_player.py"
