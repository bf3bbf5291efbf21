# What people can look at: a contact sheet and a few numbers of every sample.


def made_by(stage):
    """Index of a shard in a stage, if the run's features need it."""
    return index(stage) if stage in IDENTITIES.sample_stages() else []


rule summarise_quality:
    input:
        extract_frames=index(PLAN.timeline),
        align_faces=made_by("align_faces"),
        extract_audio=made_by("extract_audio"),
    output:
        index("summarise_quality"),
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
        stage=stage("summarise_quality"),
    message:
        "summarise_quality {wildcards.shard}"
    script:
        "../scripts/summarise_quality.py"
