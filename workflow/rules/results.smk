# What a person reads: submissions, the CCC table, the report, and the list of what failed.
SMOOTHED = [f"{RESULTS}/smooth_predictions/{run.path}.parquet" for run in PLAN.runs]
ENSEMBLES = [
    f"{RESULTS}/ensemble_predictions/{name}.parquet" for name in PLAN.ensembles
]
SUBMISSIONS = [f"{RESULTS}/write_submission/{name}.json" for name in PLAN.submissions]
EPOCHS = [
    f"{RESULTS}/train_encoder/{run.path}.epochs.parquet"
    for run in PLAN.runs
    if PLAN.export is None
]
MODELS = [
    f"{RESULTS}/index/train_encoder/{run.path}.json"
    for run in PLAN.runs
    if PLAN.export is None
]
STAGES = IDENTITIES.sample_stages()
BACKBONES = [f"{RESULTS}/backbones/{name}.json" for name in IDENTITIES.backbones.used()]
SHEETS = [  # 50 samples a page
    f"{RESULTS}/contact_sheets/page{first // 50 + 1:03d}.html"
    for first in range(0, max(len(PLAN.samples), 1), 50)
]


rule write_submission:
    input:
        predictions=lambda wildcards: f"{RESULTS}/ensemble_predictions/"
        + PLAN.submissions[wildcards.submission]["ensemble"]
        + ".parquet",
        rows=lambda wildcards: ancient(IDENTITIES.list_files(wildcards.submission)),
    output:
        f"{RESULTS}/write_submission/{{submission}}.json",
    log:
        log_of("write_submission", "submission"),
    benchmark:
        benchmark_of("write_submission", "submission")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        stage=lambda wildcards: IDENTITIES.submission(wildcards.submission),
    message:
        "write_submission {wildcards.submission}"
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
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        stage=RESULT_IDENTITIES.evaluation(),
    message:
        "evaluate"
    script:
        "../scripts/evaluate.py"


rule list_failures:
    input:
        [path for name in STAGES for path in indexes(name)],
    output:
        f"{RESULTS}/list_failures.tsv",
    log:
        f"{RESULTS}/logs/list_failures.log",
    benchmark:
        f"{RESULTS}/benchmarks/list_failures.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        stage=IDENTITIES.plain("list_failures", stages=STAGES),
    message:
        "list_failures"
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
        backbones=BACKBONES,
        sheet=SHEET,
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Results",
            labels={"page": "report"},
        ),
        sheets=SHEETS,
    log:
        f"{RESULTS}/logs/make_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_report.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        stage=RESULT_IDENTITIES.report(),
    message:
        "make_report"
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
    log:
        f"{RESULTS}/logs/check_failures.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    threads: 1
    params:
        stage=RESULT_IDENTITIES.closing(),
    message:
        "check_failures"
    script:
        "../scripts/check_failures.py"
