# Backbones trained on still images. Off unless the config names sets of stills: none can be fetched.


wildcard_constraints:
    still_set="|".join(re.escape(name) for name in PLAN.still_sets) or "none",


def still_set(name):
    """Tracked parameter of a set of stills; a set that is not there stops the run before its jobs."""
    try:
        return IDENTITIES.still_set(name)
    except RequestError as error:
        raise WorkflowError(str(error))


rule list_stills:
    output:
        table=f"{RESULTS}/list_stills/{{still_set}}.parquet",
        summary=f"{RESULTS}/list_stills/{{still_set}}.json",
    log:
        log_of("list_stills", "still_set"),
    benchmark:
        benchmark_of("list_stills", "still_set")
    conda:
        "../../envs/light.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("list_stills"),
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        stage=lambda wildcards: still_set(wildcards.still_set),
    message:
        "list_stills {wildcards.still_set}"
    script:
        "../scripts/list_stills.py"
