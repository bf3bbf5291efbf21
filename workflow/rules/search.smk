# Search of hyperparameters: rounds of trials, one job each. What a round tries follows from the
# scores of the rounds before, on the validation samples; how many rounds and trials is known here.


rule propose_trials:
    input:
        unpack(inputs("propose_trials", "{round}")),
    output:
        **outputs("propose_trials", "{round}"),
    log:
        log_of("propose_trials", "round"),
    benchmark:
        benchmark_of("propose_trials", "round")
    conda:
        "../../envs/search.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=job("propose_trials", "{round}"),
    message:
        "propose_trials {wildcards.round}"
    script:
        "../scripts/propose_trials.py"


rule train_trial:
    input:
        unpack(inputs("train_trial", "{trial}")),
    output:
        **outputs("train_trial", "{trial}"),
    log:
        log_of("train_trial", "trial"),
    benchmark:
        benchmark_of("train_trial", "trial")
    conda:
        "../../envs/torch.yaml"
    threads: THREADS["train"]
    resources:
        mem_mb=memory("train_trial"),
        runtime=time_limit("train_trial"),
        gpu=GPU,
    params:
        job=job("train_trial", "{trial}"),
    message:
        "train_trial {wildcards.trial}"
    script:
        "../scripts/train_trial.py"


rule summarise_search:
    input:
        unpack(inputs("summarise_search")),
    output:
        **outputs("summarise_search"),
    log:
        log_of("summarise_search"),
    benchmark:
        benchmark_of("summarise_search")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=job("summarise_search"),
    message:
        "summarise_search"
    script:
        "../scripts/summarise_search.py"


rule search:
    input:
        search_files,
    localrule: True
