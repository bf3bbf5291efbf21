# What a person reads: submissions, the CCC table, the report, and the list of what failed.


rule write_submission:
    input:
        unpack(inputs("write_submission", "{submission}", rows=organisers_list)),
    output:
        **outputs("write_submission", "{submission}"),
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
        job=job("write_submission", "{submission}"),
    message:
        "write_submission {wildcards.submission}"
    script:
        "../scripts/write_submission.py"


rule evaluate:
    input:
        unpack(inputs("evaluate")),
    output:
        **outputs("evaluate"),
    log:
        log_of("evaluate"),
    benchmark:
        benchmark_of("evaluate")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        job=job("evaluate"),
    message:
        "evaluate"
    script:
        "../scripts/evaluate.py"


rule list_failures:
    input:
        unpack(inputs("list_failures")),
    output:
        **outputs("list_failures"),
    log:
        log_of("list_failures"),
    benchmark:
        benchmark_of("list_failures")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        job=job("list_failures"),
    message:
        "list_failures"
    script:
        "../scripts/list_failures.py"


rule make_report:
    input:
        unpack(inputs("make_report", sheet=sheet)),
    output:
        # Lists the pages of all samples, which no rule declares.
        manifest=output("make_report", "manifest"),
        page=report(
            output("make_report", "page"),
            caption="../report/report.rst",
            category="Results",
            labels={"page": "report"},
        ),
    log:
        log_of("make_report"),
    benchmark:
        benchmark_of("make_report")
    conda:
        "../../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        job=job("make_report"),
        configs=CONFIGS,
    message:
        "make_report"
    script:
        "../scripts/make_report.py"


rule check_failures:
    input:
        unpack(inputs("check_failures")),
    output:
        **outputs("check_failures"),
    log:
        log_of("check_failures"),
    localrule: True
    conda:
        "../../envs/light.yaml"
    threads: 1
    params:
        job=job("check_failures"),
    message:
        "check_failures"
    script:
        "../scripts/check_failures.py"
