# The paper's tables, ours beside the published numbers, and where every number comes from.
PAPER_TABLES = [f"table{number}" for number in range(1, 7)]


def trace_files(stage, kind):
    """Files of a stage for the models or ensembles that a table is made of."""
    return lambda wildcards: [
        f"{RESULTS}/{stage.format(name)}"
        for name in RESULT_IDENTITIES.table(wildcards.table)["trace"][kind]
    ]


def table_files(name):
    """A table and the submissions it scores; a clear message where no preset declares it."""
    if name not in PLAN.tables:
        raise WorkflowError(
            f"{name} is not in the config: add its preset, as in\n  snakemake --cores 8 "
            f"--configfile config/paper/{name}.yaml -- {name}\n(after --configfile "
            "config/demo.yaml for the demo corpus)"
        )
    files = [
        f"{RESULTS}/tables/{name}.{kind}" for kind in ("csv", "md", "html", "json")
    ]
    rows = PLAN.tables[name]["rows"]
    submitted = [row["submission"] for row in rows if "submission" in row]
    return files + [f"{RESULTS}/write_submission/{of}.json" for of in submitted]


rule make_table:
    input:
        models=trace_files("index/train_encoder/{}.json", "models"),
        smoothed=trace_files("smooth_predictions/{}.parquet", "models"),
        ensembles=trace_files("ensemble_predictions/{}.parquet", "ensembles"),
        read_labels=indexes("read_labels"),
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        markdown=f"{RESULTS}/tables/{{table}}.md",
        html=report(
            f"{RESULTS}/tables/{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        manifest=f"{RESULTS}/tables/{{table}}.json",
    log:
        log_of("make_table", "table"),
    benchmark:
        benchmark_of("make_table", "table")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        stage=lambda wildcards: RESULT_IDENTITIES.table(wildcards.table),
    message:
        "make_table {wildcards.table}"
    script:
        "../scripts/make_table.py"


rule make_manifest:
    input:
        models=MODELS,
        ccc=f"{RESULTS}/evaluate/ccc.parquet",
        tables=[f"{RESULTS}/tables/{name}.json" for name in PLAN.tables],
    output:
        f"{RESULTS}/manifest.json",
    log:
        f"{RESULTS}/logs/make_manifest.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_manifest.tsv"
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=RESULT_IDENTITIES.manifest(),
    message:
        "make_manifest"
    script:
        "../scripts/make_manifest.py"


for table in dict.fromkeys([*PAPER_TABLES, *PLAN.tables]):

    rule:
        name:
            table
        input:
            lambda wildcards, table=table: table_files(table),
        localrule: True
