# Visual features a frame, from aligned crops. One rule an extractor: another's code must not
# make its features stale.


rule extract_densenet:
    input:
        weights=weights_of("densenet"),
        align_faces=index("align_faces"),
        fill_frames=index("fill_frames"),
    output:
        index("extract_densenet"),
    log:
        log_of("extract_densenet", "shard"),
    benchmark:
        benchmark_of("extract_densenet", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_densenet"),
        runtime=time_limit("extract_densenet"),
        gpu=GPU,
    params:
        stage=stage("extract_densenet"),
    message:
        "extract_densenet {wildcards.shard}"
    script:
        "../scripts/extract_densenet.py"


rule extract_iresnet:
    input:
        weights=weights_of("iresnet"),
        align_faces=index("align_faces"),
        fill_frames=index("fill_frames"),
    output:
        index("extract_iresnet"),
    log:
        log_of("extract_iresnet", "shard"),
    benchmark:
        benchmark_of("extract_iresnet", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_iresnet"),
        runtime=time_limit("extract_iresnet"),
        gpu=GPU,
    params:
        stage=stage("extract_iresnet"),
    message:
        "extract_iresnet {wildcards.shard}"
    script:
        "../scripts/extract_iresnet.py"


rule extract_fau:
    input:
        weights=weights_of("fau"),
        align_faces=index("align_faces"),
        fill_frames=index("fill_frames"),
    output:
        index("extract_fau"),
    log:
        log_of("extract_fau", "shard"),
    benchmark:
        benchmark_of("extract_fau", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_fau"),
        runtime=time_limit("extract_fau"),
        gpu=GPU,
    params:
        stage=stage("extract_fau"),
    message:
        "extract_fau {wildcards.shard}"
    script:
        "../scripts/extract_fau.py"


rule extract_timm:
    input:
        weights=weights_of("timm"),
        align_faces=index("align_faces"),
        fill_frames=index("fill_frames"),
    output:
        index("extract_timm"),
    log:
        log_of("extract_timm", "shard"),
    benchmark:
        benchmark_of("extract_timm", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_timm"),
        runtime=time_limit("extract_timm"),
        gpu=GPU,
    params:
        stage=stage("extract_timm"),
    message:
        "extract_timm {wildcards.shard}"
    script:
        "../scripts/extract_timm.py"


rule extract_vit:
    input:
        weights=weights_of("vit"),
        align_faces=index("align_faces"),
        fill_frames=index("fill_frames"),
    output:
        index("extract_vit"),
    log:
        log_of("extract_vit", "shard"),
    benchmark:
        benchmark_of("extract_vit", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_vit"),
        runtime=time_limit("extract_vit"),
        gpu=GPU,
    params:
        stage=stage("extract_vit"),
    message:
        "extract_vit {wildcards.shard}"
    script:
        "../scripts/extract_vit.py"
