# The paper's tables, ours beside the published numbers, and where every number comes from.
PAPER_TABLES = [f"table{number}" for number in range(1, 7)]


def table_files(name):
    """A table and the submissions it scores; a clear message where no preset declares it."""
    if name not in PLAN.tables:
        raise WorkflowError(
            f"{name} is not in the config: add its preset, as in\n  snakemake --cores 8 "
            f"--configfile config/paper/{name}.yaml -- {name}\n(after --configfile "
            "config/demo.yaml for the demo corpus)"
        )
    rows = PLAN.tables[name]["rows"]
    submitted = [row["submission"] for row in rows if "submission" in row]
    return [
        *outputs("make_table", name).values(),
        *(
            output("write_submission", "manifest", submission)
            for submission in submitted
        ),
    ]


rule make_table:
    input:
        unpack(inputs("make_table", "{table}")),
    output:
        csv=output("make_table", "csv", "{table}"),
        markdown=output("make_table", "markdown", "{table}"),
        html=report(
            output("make_table", "html", "{table}"),
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        manifest=output("make_table", "manifest", "{table}"),
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
        job=job("make_table", "{table}"),
    message:
        "make_table {wildcards.table}"
    script:
        "../scripts/make_table.py"


rule make_manifest:
    input:
        unpack(inputs("make_manifest")),
    output:
        **outputs("make_manifest"),
    log:
        log_of("make_manifest"),
    benchmark:
        benchmark_of("make_manifest")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=job("make_manifest"),
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
