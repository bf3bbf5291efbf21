# Timelines, sound and annotations: what every sample needs, without a network.


rule extract_frames:
    input:
        raw_inputs("video"),
        sheet=SHEET,
    output:
        index("extract_frames"),
    message:
        "extract_frames {wildcards.shard}"
    log:
        log_of("extract_frames", "shard"),
    benchmark:
        benchmark_of("extract_frames", "shard")
    params:
        stage=stage("extract_frames"),
    threads: 1
    resources:
        mem_mb=1500,
        runtime=60,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/extract_frames.py"


rule extract_audio:
    input:
        raw_inputs("video", "audio"),
        sheet=SHEET,
        extract_frames=index("extract_frames"),
    output:
        index("extract_audio"),
    message:
        "extract_audio {wildcards.shard}"
    log:
        log_of("extract_audio", "shard"),
    benchmark:
        benchmark_of("extract_audio", "shard")
    params:
        stage=stage("extract_audio"),
    threads: 1
    resources:
        mem_mb=1500,
        runtime=60,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/extract_audio.py"


rule read_labels:
    input:
        raw_inputs("annotation"),
        sheet=SHEET,
        extract_frames=index("extract_frames"),
    output:
        index("read_labels"),
    message:
        "read_labels {wildcards.shard}"
    log:
        log_of("read_labels", "shard"),
    benchmark:
        benchmark_of("read_labels", "shard")
    params:
        stage=stage("read_labels"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/read_labels.py"
