# Audio features at their own rate; `pack_features` puts them on the frame's clock.


rule extract_egemaps:
    input:
        extract_audio=index("extract_audio"),
    output:
        index("extract_egemaps"),
    log:
        log_of("extract_egemaps", "shard"),
    benchmark:
        benchmark_of("extract_egemaps", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("extract_egemaps"),
        runtime=time_limit("extract_egemaps"),
        disk_mb=scratch("extract_egemaps"),
    params:
        stage=stage("extract_egemaps"),
    message:
        "extract_egemaps {wildcards.shard}"
    script:
        "../scripts/extract_egemaps.py"


rule extract_compare:
    input:
        extract_audio=index("extract_audio"),
    output:
        index("extract_compare"),
    log:
        log_of("extract_compare", "shard"),
    benchmark:
        benchmark_of("extract_compare", "shard")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory("extract_compare"),
        runtime=time_limit("extract_compare"),
        disk_mb=scratch("extract_compare"),
    params:
        stage=stage("extract_compare"),
    message:
        "extract_compare {wildcards.shard}"
    script:
        "../scripts/extract_compare.py"


rule extract_vggish:
    input:
        weights=weights_of("vggish"),
        pca=weights_of("vggish", "pca"),
        extract_audio=index("extract_audio"),
    output:
        index("extract_vggish"),
    log:
        log_of("extract_vggish", "shard"),
    benchmark:
        benchmark_of("extract_vggish", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_vggish"),
        runtime=time_limit("extract_vggish"),
        gpu=GPU,
    params:
        stage=stage("extract_vggish"),
    message:
        "extract_vggish {wildcards.shard}"
    script:
        "../scripts/extract_vggish.py"


rule extract_wav2vec2:
    input:
        weights=weights_of("wav2vec2"),
        extract_audio=index("extract_audio"),
    output:
        index("extract_wav2vec2"),
    log:
        log_of("extract_wav2vec2", "shard"),
    benchmark:
        benchmark_of("extract_wav2vec2", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_wav2vec2"),
        runtime=time_limit("extract_wav2vec2"),
        gpu=GPU,
    params:
        stage=stage("extract_wav2vec2"),
    message:
        "extract_wav2vec2 {wildcards.shard}"
    script:
        "../scripts/extract_wav2vec2.py"


rule extract_speech:
    input:
        weights=weights_of("speech"),
        extract_audio=index("extract_audio"),
    output:
        index("extract_speech"),
    log:
        log_of("extract_speech", "shard"),
    benchmark:
        benchmark_of("extract_speech", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["extract"]
    resources:
        mem_mb=memory("extract_speech"),
        runtime=time_limit("extract_speech"),
        gpu=GPU,
    params:
        stage=stage("extract_speech"),
    message:
        "extract_speech {wildcards.shard}"
    script:
        "../scripts/extract_speech.py"


rule extract_mfcc:
    input:
        extract_audio=index("extract_audio"),
    output:
        index("extract_mfcc"),
    log:
        log_of("extract_mfcc", "shard"),
    benchmark:
        benchmark_of("extract_mfcc", "shard")
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory("extract_mfcc"),
        runtime=time_limit("extract_mfcc"),
    params:
        stage=stage("extract_mfcc"),
    message:
        "extract_mfcc {wildcards.shard}"
    script:
        "../scripts/extract_mfcc.py"
