# What a person reads: submissions, the CCC table, the report, and the list of what failed.
SMOOTHED = [f"{RESULTS}/smooth_predictions/{run.path}.parquet" for run in PLAN.runs]
ENSEMBLES = [f"{RESULTS}/ensemble_predictions/{name}.parquet" for name in PLAN.ensembles]
SUBMISSIONS = [f"{RESULTS}/write_submission/{name}.json" for name in PLAN.submissions]
EPOCHS = [
    f"{RESULTS}/train_encoder/{run.path}.epochs.parquet"
    for run in PLAN.runs
    if PLAN.export is None
]
STAGES = IDENTITIES.sample_stages()


rule write_submission:
    input:
        lambda wildcards: f"{RESULTS}/ensemble_predictions/"
        + PLAN.submissions[wildcards.submission]["ensemble"]
        + ".parquet",
    output:
        f"{RESULTS}/write_submission/{{submission}}.json",
    message:
        "write_submission {wildcards.submission}"
    log:
        log_of("write_submission", "submission"),
    benchmark:
        benchmark_of("write_submission", "submission")
    params:
        stage=lambda wildcards: IDENTITIES.submission(wildcards.submission),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/write_submission.py"


rule evaluate:
    input:
        smoothed=SMOOTHED,
        ensembles=ENSEMBLES,
        read_labels=indexes("read_labels"),
    output:
        table=f"{RESULTS}/evaluate/ccc.parquet",
        csv=f"{RESULTS}/evaluate/ccc.csv",
        markdown=f"{RESULTS}/evaluate/ccc.md",
    message:
        "evaluate"
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    params:
        stage=IDENTITIES.evaluation(),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/evaluate.py"


rule list_failures:
    input:
        [path for name in STAGES for path in indexes(name)],
    output:
        f"{RESULTS}/list_failures.tsv",
    message:
        "list_failures"
    log:
        f"{RESULTS}/logs/list_failures.log",
    benchmark:
        f"{RESULTS}/benchmarks/list_failures.tsv"
    params:
        stage=IDENTITIES.plain("list_failures", stages=STAGES),
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/list_failures.py"


rule make_report:
    input:
        indexes=[path for name in STAGES for path in indexes(name)],
        failures=f"{RESULTS}/list_failures.tsv",
        ccc=f"{RESULTS}/evaluate/ccc.parquet",
        ensembles=ENSEMBLES,
        epochs=EPOCHS,
        submissions=SUBMISSIONS,
        sheet=SHEET,
        template=f"{workflow.basedir}/workflow/report/report.html.j2",
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Results",
            labels={"page": "report"},
        ),
    message:
        "make_report"
    log:
        f"{RESULTS}/logs/make_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_report.tsv"
    params:
        stage=IDENTITIES.report(),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/make_report.py"


rule check_failures:
    input:
        failures=f"{RESULTS}/list_failures.tsv",
        report=f"{RESULTS}/report.html",
        ccc=f"{RESULTS}/evaluate/ccc.md",
        submissions=SUBMISSIONS,
    output:
        f"{RESULTS}/check_failures.txt",
    message:
        "check_failures"
    log:
        f"{RESULTS}/logs/check_failures.log",
    params:
        stage=IDENTITIES.closing(),
    localrule: True
    threads: 1
    conda:
        "../../envs/light.yaml"
    script:
        "../scripts/check_failures.py"
