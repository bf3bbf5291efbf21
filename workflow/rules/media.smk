# Timelines, sound and annotations: what every sample needs, without a network.


rule extract_frames:
    input:
        raw_inputs("video"),
        sheet=SHEET,
    output:
        index("extract_frames"),
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
        stage=stage("extract_frames"),
    message:
        "extract_frames {wildcards.shard}"
    script:
        "../scripts/extract_frames.py"


rule extract_audio:
    input:
        raw_inputs("video", "audio"),
        sheet=SHEET,
        extract_frames=index("extract_frames"),
    output:
        index("extract_audio"),
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
        stage=stage("extract_audio"),
    message:
        "extract_audio {wildcards.shard}"
    script:
        "../scripts/extract_audio.py"


rule read_labels:
    input:
        raw_inputs("annotation"),
        sheet=SHEET,
        extract_frames=index(PLAN.timeline),
    output:
        index("read_labels"),
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
        stage=stage("read_labels"),
    message:
        "read_labels {wildcards.shard}"
    script:
        "../scripts/read_labels.py"
