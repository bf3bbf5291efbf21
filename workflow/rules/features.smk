# Features of a shard's samples, at the extractor's own rate: one rule per feature in use, each with
# its own code digest, so that another feature's code makes none of its results stale.


def weights_of(feature, key):
    """Weights of an extractor that this run does not train, never compared by date.

    Missing ones stop the run here, where a job would need them: to fetch them, the workflow must
    parse without them.
    """

    def files(wildcards):
        REQUESTS.weights.require()
        if GRAPH.sources(f"extract_{feature}", wildcards.shard).get(key):
            return []  # trained by this run: a result as any other
        return ancient(REQUESTS.weights.files(feature, key))

    return files


for feature in [feature for feature in PLAN.features if not feature.imported]:

    rule:
        name:
            feature.stage
        input:
            unpack(
                inputs(
                    feature.stage,
                    "{shard}",
                    **{
                        key: weights_of(feature.name, key)
                        for key in feature.weight_keys
                    },
                )
            ),
        output:
            **outputs(feature.stage, "{shard}"),
        log:
            log_of(feature.stage, "shard"),
        benchmark:
            benchmark_of(feature.stage, "shard")
        conda:
            f"../../envs/{feature.environment}.yaml"
        threads: THREADS["extract"] if feature.deep else 1
        resources:
            mem_mb=memory(feature.stage),
            runtime=time_limit(feature.stage),
            disk_mb=scratch(feature.stage),
            gpu=GPU if feature.need.gpu else 0,
        params:
            job=job(feature.stage, "{shard}"),
        message:
            f"{feature.stage} {{wildcards.shard}}"
        script:
            "../scripts/extract_feature.py"
