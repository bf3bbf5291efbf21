# Timelines, sound and annotations: what every sample needs, without a network.


rule extract_frames:
    input:
        unpack(
            inputs("extract_frames", "{shard}", raw=raw_inputs("video"), sheet=sheet)
        ),
    output:
        **outputs("extract_frames", "{shard}"),
    log:
        log_of("extract_frames", "shard"),
    benchmark:
        benchmark_of("extract_frames", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("extract_frames"),
        runtime=time_limit("extract_frames"),
    params:
        job=job("extract_frames", "{shard}"),
    message:
        "extract_frames {wildcards.shard}"
    script:
        "../scripts/extract_frames.py"


rule resample_timeline:
    input:
        unpack(inputs("resample_timeline", "{shard}")),
    output:
        **outputs("resample_timeline", "{shard}"),
    log:
        log_of("resample_timeline", "shard"),
    benchmark:
        benchmark_of("resample_timeline", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("resample_timeline"),
        runtime=time_limit("resample_timeline"),
    params:
        job=job("resample_timeline", "{shard}"),
    message:
        "resample_timeline {wildcards.shard}"
    script:
        "../scripts/resample_timeline.py"


rule extract_audio:
    input:
        unpack(
            inputs(
                "extract_audio",
                "{shard}",
                raw=raw_inputs("video", "audio"),
                sheet=sheet,
            )
        ),
    output:
        **outputs("extract_audio", "{shard}"),
    log:
        log_of("extract_audio", "shard"),
    benchmark:
        benchmark_of("extract_audio", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("extract_audio"),
        runtime=time_limit("extract_audio"),
    params:
        job=job("extract_audio", "{shard}"),
    message:
        "extract_audio {wildcards.shard}"
    script:
        "../scripts/extract_audio.py"


rule read_labels:
    input:
        unpack(
            inputs(
                "read_labels",
                "{shard}",
                raw=raw_inputs(*ANNOTATION_COLUMNS),
                sheet=sheet,
            )
        ),
    output:
        **outputs("read_labels", "{shard}"),
    log:
        log_of("read_labels", "shard"),
    benchmark:
        benchmark_of("read_labels", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("read_labels"),
        runtime=time_limit("read_labels"),
    params:
        job=job("read_labels", "{shard}"),
    message:
        "read_labels {wildcards.shard}"
    script:
        "../scripts/read_labels.py"
