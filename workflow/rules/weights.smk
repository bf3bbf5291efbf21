# Published weights. Asked for by name, `snakemake weights`: compute nodes have no network, so that
# nothing else depends on this rule, and missing weights stop a run before its first job.

if workflow.is_main_process and not REQUESTS.weights.are_fetched():
    # What it says is no longer so: a file was removed or altered.
    Path(RESULTS, "fetch_weights.json").unlink(missing_ok=True)


rule fetch_weights:
    input:
        unpack(inputs("fetch_weights")),
    output:
        **outputs("fetch_weights"),
    log:
        log_of("fetch_weights"),
    benchmark:
        benchmark_of("fetch_weights")
    localrule: True
    conda:
        "../../envs/light.yaml"
    threads: 1
    params:
        job=job("fetch_weights"),
    message:
        "fetch_weights"
    script:
        "../scripts/fetch_weights.py"


rule weights:
    input:
        rules.fetch_weights.output,
    localrule: True
