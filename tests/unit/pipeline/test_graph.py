"""The graph of jobs, against itself and against the rules."""

import re
from collections import Counter
from graphlib import TopologicalSorter

import pytest

from circumplex.pipeline.graph import OUTPUTS, Graph, output_paths
from circumplex.pipeline.stages import RESULT_STAGES, SAMPLE_STAGES
from example_requests import PREDICTED, ROWS, builder_of, config_of, jobs_of, write_sheet
from places import ROOT

SCRIPTS = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
RULES = {
    name: body
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, body in re.findall(
        r"^rule (\w+):\n((?:[ \t].*\n|\n)*)", path.read_text() + "\n", re.MULTILINE
    )
    if "    script:" in body
}


def graph_of(folder, *presets, **changes):
    config = {**config_of(*presets), **changes}
    config["samples"] = str(write_sheet(folder / "samples.tsv", [*ROWS, PREDICTED]))
    config["results"] = str(folder / "results")
    drawn = {"kind": "image_table", "path": config["samples"]}
    config["backbones"]["still_sets"] = {"drawn": drawn}
    builder = builder_of(config, folder)
    graph = Graph(builder)
    return {(stage, unit): graph.job(stage, unit) for stage, unit in jobs_of(builder)}


PRESETS = [
    ["demo"],
    ["demo", "tiny"],
    ["demo", "paper/table2", "paper/table6"],
    ["demo", "search"],
    ["starter"],
    ["public_weights"],
]


@pytest.fixture(scope="module", params=PRESETS, ids="+".join)
def jobs(request, tmp_path_factory):
    return graph_of(tmp_path_factory.mktemp("graph"), *request.param)


def test_every_result_has_one_job(jobs):
    written = Counter(path for job in jobs.values() for path in job.outputs)
    assert {path: n for path, n in written.items() if n > 1} == {}
    assert all(job.outputs for job in jobs.values())
    assert {(job.stage, job.unit) for job in jobs.values()} == jobs.keys()


def test_a_jobs_inputs_are_written_by_the_jobs_before_it(jobs):
    for key, job in jobs.items():
        written = {path for earlier in job.upstream for path in jobs[earlier].outputs}
        assert set(job.input_paths) <= written, key
        for earlier in job.upstream:
            assert set(jobs[earlier].outputs) & set(job.input_paths), (key, earlier)


def test_no_job_comes_before_itself(jobs):
    order = {key: set(job.upstream) for key, job in jobs.items()}
    assert list(TopologicalSorter(order).static_order())


def test_the_closing_job_comes_after_all_that_a_run_makes(jobs):
    reached, waiting = set(), [("check_failures", ""), ("make_manifest", "")]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += jobs[key].upstream
    aside = {"export_ensemble", "fetch_weights", "make_table"}  # made when asked for
    aside |= {"train_trial", "propose_trials", "summarise_search", "list_stills", "train_backbone"}
    assert {stage for stage, _ in jobs.keys() - reached} <= aside | {"make_folds"}


def test_rules_declare_the_results_of_the_graph_in_its_order():
    for name, body in RULES.items():
        stage = "import_{feature}" if name == "import_features" else name
        whole = f'**outputs("{stage}"' in body
        named = re.findall(rf'\boutput\(\s*"{stage}", "(\w+)"', body)
        assert whole or named == list(output_paths(stage, "")), name
        assert f'inputs("{stage}"' in re.sub(r"\(\s+", "(", body), name
        assert f'job=job("{stage}"' in body, name


def test_every_stage_has_a_rule_and_a_script_and_no_rule_is_without_a_stage():
    stages = SAMPLE_STAGES.keys() | RESULT_STAGES.keys()
    assert RULES.keys() == stages | {"import_features"}
    assert RULES.keys() | {"extract_feature"} <= SCRIPTS
    assert OUTPUTS.keys() == RESULT_STAGES.keys()
    features = (ROOT / "workflow/rules/features.smk").read_text()
    assert "**outputs(feature.stage," in features
    assert "job=job(feature.stage," in features
