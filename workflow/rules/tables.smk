# The paper's tables, ours beside the published numbers, and where every number comes from.
PAPER_TABLES = [f"table{number}" for number in range(1, 7)]


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
