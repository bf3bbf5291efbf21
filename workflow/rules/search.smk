# Search of hyperparameters: rounds of trials, a job each. What a round tries follows from the
# scores of the rounds before, on the validation samples; how many rounds and trials is known here.
SEARCH = f"{RESULTS}/search"


def round_file(number):
    """What a round tries."""
    return f"{SEARCH}/round{number:03d}.json"


def rounds_before(wildcards):
    """What earlier rounds tried."""
    return [round_file(number) for number in range(int(wildcards.round))]


def trials_before(wildcards):
    """Tables of epochs of earlier rounds' trials."""
    earlier = PLAN.search_rounds[: int(wildcards.round)]
    return [
        f"{SEARCH}/trial{trial:03d}.epochs.parquet"
        for trials in earlier
        for trial in trials
    ]


def round_of(wildcards):
    """What the trial's round tries."""
    trial = int(wildcards.trial)
    return [
        round_file(n) for n, trials in enumerate(PLAN.search_rounds) if trial in trials
    ]


def packs_of_search(wildcards):
    """Packs of all features that a trial may have."""
    stem = f"{RESULTS}/pack_features/{{feature}}/{{shard}}"
    names = {"feature": PLAN.searched_features, "shard": SHARDS}
    return expand([stem + ".json", stem + ".npy"], **names)


rule propose_trials:
    input:
        rounds=rounds_before,
        epochs=trials_before,
    output:
        f"{SEARCH}/round{{round}}.json",
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
        stage=lambda wildcards: IDENTITIES.proposal(int(wildcards.round)),
    message:
        "propose_trials {wildcards.round}"
    script:
        "../scripts/propose_trials.py"


rule train_trial:
    input:
        packs=packs_of_search,
        read_labels=indexes("read_labels"),
        folds=[],
        round=round_of,
    output:
        index=f"{RESULTS}/index/train_trial/trial{{trial}}.json",
        epochs=f"{SEARCH}/trial{{trial}}.epochs.parquet",
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
        stage=lambda wildcards: IDENTITIES.trial(int(wildcards.trial)),
    message:
        "train_trial {wildcards.trial}"
    script:
        "../scripts/train_trial.py"


rule summarise_search:
    input:
        rounds=[round_file(number) for number in range(len(PLAN.search_rounds))],
        epochs=[
            f"{SEARCH}/trial{trial:03d}.epochs.parquet"
            for trials in PLAN.search_rounds
            for trial in trials
        ],
    output:
        csv=f"{SEARCH}/trials.csv",
        markdown=f"{SEARCH}/trials.md",
        best=f"{SEARCH}/best.yaml",
    log:
        f"{RESULTS}/logs/summarise_search.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_search.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=IDENTITIES.search(),
    message:
        "summarise_search"
    script:
        "../scripts/summarise_search.py"


def search_files(wildcards):
    """Results of the search; a clear message where no preset declares one."""
    if PLAN.search is None:
        raise WorkflowError(
            "there is no search in the config: add its preset, as in\n"
            "  snakemake --cores 8 --configfile config/search.yaml -- search"
        )
    return [f"{SEARCH}/trials.csv", f"{SEARCH}/trials.md", f"{SEARCH}/best.yaml"]


rule search:
    input:
        search_files,
    localrule: True
