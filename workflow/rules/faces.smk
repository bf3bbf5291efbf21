# From frames to aligned crops, and from gaps to their nearest valid frame.


rule align_faces:
    input:
        raw_inputs("video", "faces"),
        sheet=SHEET,
        extract_frames=index("extract_frames"),
    output:
        index("align_faces"),
    log:
        log_of("align_faces", "shard"),
    benchmark:
        benchmark_of("align_faces", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("align_faces"),
        runtime=time_limit("align_faces"),
        gpu=GPU,
    params:
        stage=stage("align_faces"),
    message:
        "align_faces {wildcards.shard}"
    script:
        "../scripts/align_faces.py"


rule fill_frames:
    input:
        align_faces=index("align_faces"),
    output:
        index("fill_frames"),
    log:
        log_of("fill_frames", "shard"),
    benchmark:
        benchmark_of("fill_frames", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("fill_frames"),
        runtime=time_limit("fill_frames"),
    params:
        stage=stage("fill_frames"),
    message:
        "fill_frames {wildcards.shard}"
    script:
        "../scripts/fill_frames.py"
