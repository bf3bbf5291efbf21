# From frames to aligned crops, and from gaps to their nearest valid frame.


rule align_faces:
    input:
        unpack(
            inputs(
                "align_faces", "{shard}", raw=raw_inputs("video", "faces"), sheet=sheet
            )
        ),
    output:
        **outputs("align_faces", "{shard}"),
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
        job=job("align_faces", "{shard}"),
    message:
        "align_faces {wildcards.shard}"
    script:
        "../scripts/align_faces.py"


rule fill_frames:
    input:
        unpack(inputs("fill_frames", "{shard}")),
    output:
        **outputs("fill_frames", "{shard}"),
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
        job=job("fill_frames", "{shard}"),
    message:
        "fill_frames {wildcards.shard}"
    script:
        "../scripts/fill_frames.py"
