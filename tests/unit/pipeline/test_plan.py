import copy

import pytest

from circumplex.config.features import FEATURES
from circumplex.config.modalities import Modality
from circumplex.config.samples import Split
from circumplex.errors import RequestError
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.exports import check_features, write_export
from circumplex.pipeline.graph import Graph
from circumplex.pipeline.plan import Run
from circumplex.targets import TARGETS
from example_requests import ROWS, builder_of, config_of, overlay, request_config, write_sheet

EXPERIMENT = {"encoder": "lstm", "features": ["fau"], "strategy": "official", "seeds": [0]}


@pytest.fixture
def plan(tmp_path):
    return lambda **changes: make_plan(request_config(tmp_path, changes))


def one(**changes):
    """A config's experiments and ensembles: one of each, the rest dropped."""
    return {
        "experiments": {
            **dict.fromkeys(config_of()["experiments"]),
            "x": {**EXPERIMENT, **changes},
        },
        "ensembles": {"main": {"valence": ["x"], "arousal": ["x"]}},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smoothin": {}}, "unknown key 'smoothin' at top level; did you mean 'smoothing'"),
        ({"xyzzy": 1}, "unknown key 'xyzzy' at top level; known: backbones, compute"),
        (
            {"faces": {"min_size": 4}},
            "unknown key 'min_size' at faces; did you mean 'min_face_size",
        ),
        ({"compute": {"gpu": -1}}, "compute.gpu is -1: must be an integer from 0 to 64 .*GPUs"),
        ({"compute": {"gpu": True}}, "compute.gpu is True: must be an integer"),
        ({"compute": 3}, "compute is 3: must be a mapping"),
        ({"packs": {"dtype": "float64"}}, "packs.dtype is 'float64', but must be one of"),
        ({"media": {"audio_only_fps": 0}}, "media.audio_only_fps is 0: .*frames per second"),
        (
            {"features": {"mine": {"modality": "audio", "dimension": 3}}},
            "features.mine lacks import",
        ),
        ({"features": {"frame": {"import": "a"}}}, "a feature cannot be called frame"),
        ({"features": {"My": {"import": "a"}}}, "features: name 'My' does not match"),
        ({"features": {"densenet": {"weights": "random:x"}}}, "densenet.*random:x.*random:<seed>"),
        ({"features": {"fau": {"weights": "random:"}}}, "fau.*random:.*random:<seed>"),
        (
            {"features": {"vggish": {"weights": "published:vgish"}}},
            "features.vggish.weights: published weights 'vgish' .*did you mean 'vggish'",
        ),
        (
            {"features": {"vggish": {"postprocess": "quantised"}}},
            "features.vggish: pca .*add pca: published:vggish_pca",
        ),
        ({"features": {"vggish": {"pca": "random:0"}}}, "features.vggish: pca .*remove pca"),
        (
            {"features": {"vggish": {"postprocess": "quantised", "pca": "random:x"}}},
            "features.vggish.pca.*random:<seed>",
        ),
        (
            {"features": {"densenet": {"blocks": [6, 9, 21]}}},
            r"features.densenet.blocks: \[6, 9, 21\] end in 330 values per face, not 342",
        ),
        ({"features": {"densenet": {"blocks": [16, 16]}}}, "features.densenet.blocks"),
        ({"samples": "nowhere.tsv"}, "sample sheet nowhere.tsv is missing"),
        ({"experiments": {"a/b": EXPERIMENT}}, "a/b"),
        ({"experiments": {"..": EXPERIMENT}}, "does not match"),
        ({"experiments": {"x": {**EXPERIMENT, "seeds": []}}}, "experiments.x.seeds"),
        ({"experiments": {"x": {**EXPERIMENT, "seeds": [0, 0]}}}, "experiments.x.seeds"),
        (
            {"experiments": {"x": {**EXPERIMENT, "features": ["iresnett"]}}},
            "experiment x: feature 'iresnett' does not exist; did you mean 'iresnet'",
        ),
        (
            {"ensembles": {"main": {"valence": ["lstm_D_V"]}}},
            "ensemble main: experiment 'lstm_D_V' does not exist; did you mean 'lstm_D_W'",
        ),
        (
            {"experiments": {"lstm_D_W": None}},
            "ensemble main: experiment 'lstm_D_W' does not exist",
        ),
        ({"ensembles": {"main": {"seeds": [9]}}}, r"no model for valence: its seeds \[9\]"),
        ({"ensembles": {"main": None}}, "submission main: ensemble 'main' does not exist"),
        ({"submissions": {"s": {"ensemble": "mian", "format": "abaw3"}}}, "did you mean 'main'"),
        ({"results": "out/{x}"}, "results is 'out/{x}': Snakemake takes braces"),
        ({"results": "out<1>"}, "results is 'out<1>': Snakemake takes braces"),
        ({"weights_cache": "{w}"}, "weights_cache is '{w}': Snakemake takes braces"),
        (
            {"features": {"vggish": {"weights": "{w}/vggish.pth"}}},
            "features.vggish.weights is '{w}/vggish.pth': Snakemake takes braces",
        ),
        ({"submissions": {"main": {"list": "{l}.txt"}}}, "submissions.main.list is '{l}.txt'"),
        ({"exclude": [7]}, "exclude.0 is 7: must be text: write it in quotes; .*007 as 7"),
        ({"exclude": [False]}, "exclude.0 is False: must be text: write it in quotes"),
        ({"exclude": ["tran1"]}, "'tran1', which is not in the sheet; did you mean 'train"),
        ({"export": "nowhere"}, "nowhere, which holds no ensemble.json"),
    ],
)
def test_what_is_invalid_is_named_before_any_job(plan, changes, message):
    with pytest.raises(RequestError, match=message):
        plan(**changes)


def test_keys_that_are_numbers_are_refused(plan):
    for kind in ("experiments", "ensembles"):
        with pytest.raises(RequestError, match="key 2024 is not text"):
            plan(**{kind: {2024: config_of()[kind].popitem()[1]}})


def test_all_problems_are_reported_at_once(plan):
    with pytest.raises(RequestError) as raised:
        plan(shards=0, packs={"dtype": "int8"}, smoothing={"valenec": 3})
    assert len(str(raised.value).splitlines()) == 3


def paths_of(value, path=()):
    for key, inner in value.items():
        yield (*path, key)
        if isinstance(inner, dict):
            yield from paths_of(inner, (*path, key))


PATHS = list(paths_of(config_of()))


NOTHING = (None, {}, {"a": None})
"""Absent, or a section without a key: there the defaults hold, unless a key has none."""


@pytest.mark.parametrize("junk", [*NOTHING, "junk", -1, [], [None]], ids=repr)
def test_junk_anywhere_is_refused_or_makes_a_whole_plan(tmp_path, junk):
    base = request_config(tmp_path)
    refused = 0
    for path in PATHS:
        config = copy.deepcopy(base)
        inner = config
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = junk
        try:
            plan = make_plan(config)
        except RequestError:
            refused += 1
            continue
        for name in plan.experiments:
            assert plan.training_values(name)["encoder"]["kind"]
        for run in plan.runs:
            assert set(plan.roles(run).values()) <= {"train", "val", "pool"}
    assert refused > len(PATHS) * (0.1 if junk in NOTHING else 0.9)


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (ROWS[6:], {}, "no sample of split train"),
        (ROWS[:6], {}, "strategy official needs samples of split val"),
        (ROWS[-1:], {}, "no sample of split train"),
        (ROWS[:3], one(strategy="kfold"), "folds.count is 5.* only 3 groups.*at most 3 folds"),
        (
            [{**row, "group": "one"} for row in ROWS],
            one(strategy="kfold") | {"folds": {"count": 2}},
            "only 1 groups",
        ),
        ([ROWS[0], ROWS[0]], {}, "2 samples are named 'train0'"),
    ],
)
def test_sheets_that_cannot_serve(tmp_path, rows, changes, message):
    write_sheet(tmp_path / "samples.tsv", rows)
    with pytest.raises(RequestError, match=message):
        make_plan(request_config(tmp_path, changes))


def test_as_many_folds_as_groups_will_do(tmp_path):
    write_sheet(tmp_path / "samples.tsv", ROWS[:5])
    plan = make_plan(request_config(tmp_path, one(strategy="kfold")))
    assert [run.fold for run in plan.runs] == [f"fold{k}" for k in range(1, 6)]
    assert set(plan.roles(plan.runs[0]).values()) == {"pool"}
    with pytest.raises(RequestError, match="only 4 groups"):
        make_plan(request_config(tmp_path, one(strategy="kfold") | {"exclude": ["train0"]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (one(strategy="train_val_mix", training={"epochs": 15}), "epochs"),
        (one(strategy="train_val_mix", training={"valence_epochs": [12, 11]}), "epochs"),
        (one(encoder_options={"stride": 101}), "the stride must lie in"),
        (one(encoder_options={"stride": 99}), "carries its state"),
        (one(encoder="transformer", encoder_options={"stride": 251}), "the stride must lie in"),
        (one(encoder="transformer", encoder_options={"heads": 3}), "heads"),
    ],
)
def test_training_that_cannot_work_is_refused_before_features_are_extracted(plan, changes, message):
    with pytest.raises(RequestError, match=f"experiments.x.*{message}"):
        plan(**changes)
    assert plan(**one(training={"epochs": 15})), "official chooses among all epochs"


def test_what_is_left_out_has_its_default(plan):
    shipped = plan().config
    for key in ("compute", "faces", "packs", "folds", "training", "smoothing", "shards"):
        assert plan(**{key: None}).config[key] == shipped[key]
    assert plan(features={"densenet": {"weights": None}}).config == shipped


def test_null_removes_what_a_preset_inherits(plan):
    made = plan(
        experiments={"lstm_D_W": None},
        ensembles={"main": {"arousal": ["transformer_D_WC"], "valence": ["transformer_D_WC"]}},
        submissions={"main": None},
    )
    assert list(made.experiments) == ["transformer_D_WC"]
    assert made.submissions == {}
    assert [f.name for f in made.features] == ["densenet", "compare", "wav2vec2"]


def test_only_what_an_ensemble_asks_for_is_trained(plan):
    made = plan(ensembles={"main": {"valence": ["lstm_D_W"], "arousal": ["lstm_D_W"]}})
    assert {run.experiment for run in made.runs} == {"lstm_D_W"}
    assert made.extracts(Modality.VISUAL)
    assert made.extracts(Modality.AUDIO)
    assert not plan(**one()).extracts(Modality.AUDIO)
    assert not plan(**one(features=["vggish"])).extracts(Modality.VISUAL)


def test_members_per_target_and_seeds(plan):
    made = plan(ensembles={"main": {"seeds": [2, 0]}})
    assert made.members("main", "valence") == [
        Run(e, "official", s) for e in ("transformer_D_WC", "transformer_IF_WVCE") for s in (0, 2)
    ]
    both = made.all_members("main")
    assert len(both) == len(set(both)) == 6
    assert {run for t in TARGETS for run in made.members("main", t)} == set(both)
    assert both[0].path == "transformer_D_WC/official/seed0"


def test_excluded_samples_are_in_nothing(plan):
    made = plan(exclude=["train0", "test0"])
    names = [sample.sample for sample in made.samples]
    assert names == [row["sample"] for row in ROWS if row["sample"] not in ("train0", "test0")]
    assert {s.sample for shard in made.shards.values() for s in shard} == set(names)
    assert set(made.roles(made.runs[0])) == set(names)
    assert made.in_split(Split.TEST) == []


def test_every_sample_is_in_one_shard(plan):
    made = plan(shards=3)
    listed = [s.sample for shard in made.shards.values() for s in shard]
    assert sorted(listed) == sorted(row["sample"] for row in ROWS)
    assert list(made.shards) == sorted(made.shards)


def test_roles_by_strategy(plan):
    official = plan(**one())
    roles = official.roles(official.runs[0])
    assert roles == {r["sample"]: r["split"] for r in ROWS if r["split"] in ("train", "val")}
    mix = plan(**one(strategy="train_val_mix"))
    assert [run.fold for run in mix.runs] == ["mix"]
    assert mix.roles(mix.runs[0]) == dict.fromkeys(roles, "train")
    assert mix.training_values("x")["selection"] == "epochs"


def test_experiments_outrank_defaults(plan):
    made = plan(**one(encoder_options={"hidden": 8}, training={"batch_size": 3}))
    values = made.training_values("x")
    assert values["encoder"]["kind"] == "lstm"
    assert values["encoder"]["hidden"] == 8
    assert values["encoder"]["stride"] == 100
    assert values["batch_size"] == 3
    assert values["learning_rate"] == 3e-4
    assert values["normalisation"] == {"fau": "zscore"}
    assert (values["visual"], values["audio"]) == (["fau"], [])
    assert values["selection"] == "best"
    other = plan(**one(encoder_options={"learning_rate": 1.0})).training_values("x")
    assert other["learning_rate"] == 1.0
    assert plan(**one(training={"learning_rate": 2.0})).training_values("x")["learning_rate"] == 2.0


def test_training_reads_what_the_plan_writes(plan):
    from circumplex.config.training import TrainingSpec

    made = plan()
    for name, experiment in made.experiments.items():
        spec = TrainingSpec.read(made.training_values(name))
        assert sorted(spec.features) == sorted(experiment["features"])


def test_the_config_is_not_changed(tmp_path):
    config = request_config(tmp_path)
    before = copy.deepcopy(config)
    plan = make_plan(config)
    for name in plan.experiments:
        assert plan.training_values(name) == plan.training_values(name)
    assert config == before
    assert overlay(config, {}) == before


def test_the_seven_features():
    dimensions = {"D": 342, "I": 512, "F": 512, "E": 23, "C": 130, "V": 128, "W": 768}
    paper = {name: f.dimension for name, f in FEATURES.items() if f.order <= len(dimensions)}
    assert {name[0].upper(): dimension for name, dimension in paper.items()} == dimensions
    assert sum(paper.values()) == 2415
    for feature in FEATURES.values():
        assert (feature.framing is None) == (feature.modality is Modality.VISUAL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"train0": 6}', "puts train0 in fold 6, but folds.count is 5"),
        ('{"train0": 0}', "fold 0"),
        ("{", "is no make_folds.json"),
        ("[1]", "is no make_folds.json"),
        (None, "is no make_folds.json"),
    ],
)
def test_folds_that_cannot_be_kept(tmp_path, plan, text, message):
    former = tmp_path / "former.json"
    if text is not None:
        former.write_text(text)
    with pytest.raises(RequestError, match=message):
        plan(**one(strategy="kfold"), folds={"keep": str(former)})


def test_kept_folds(tmp_path, plan):
    (tmp_path / "former.json").write_text('{"train0": 5, "gone": 1}')
    keep = {"keep": str(tmp_path / "former.json")}
    assert plan(**one(strategy="kfold"), folds=keep).kept_folds == {"train0": 5, "gone": 1}
    assert plan(**one(strategy="kfold")).kept_folds == {}


READY = {
    "feature": "mini_xception",
    "valence": {"coefficients": {"happy": 1.0}},
    "arousal": {"coefficients": {"angry": 1.0}, "intercept": -0.5},
}
ALONE = {
    "pretrained": {"ready": READY},
    "ensembles": {"main": {"valence": ["ready"], "arousal": ["ready"]}},
    "submissions": None,
}


def test_a_pretrained_model_needs_no_training_sample(plan, tmp_path):
    write_sheet(tmp_path / "samples.tsv", [{"sample": "a", "video": "a.mp4", "split": "predict"}])
    made = plan(**ALONE)
    assert made.runs == [Run("ready", "pretrained", 0)]
    assert made.trained_runs == []
    assert [feature.name for feature in made.features] == ["mini_xception"]
    with pytest.raises(RequestError, match="no sample of split train: nothing can be trained"):
        plan(**{**ALONE, "ensembles": {"main": {"valence": ["ready", "lstm_D_W"]}}})


def test_a_pretrained_model_stands_beside_experiments(plan):
    beside = {"pretrained": {"ready": READY}, "ensembles": {"main": {"valence": ["ready"]}}}
    made = plan(**beside)
    assert {run.experiment for run in made.members("main", "valence")} == {"ready"}
    assert "ready" not in {run.experiment for run in made.trained_runs}
    assert made.strategies("main") == {"official"}
    row = {"experiment": "ready"}
    assert made.replicates(row) == [[("model", "ready/pretrained/seed0", "val")]]
    assert plan(**ALONE).strategies("main") == {"pretrained"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature": "mini_xeption"}, "pretrained ready: feature .*did you mean 'mini_xception'"),
        ({"feature": "densenet"}, "ready: the values of feature densenet have no names"),
        (
            {"valence": {"coefficients": {"hapy": 1.0}}},
            "ready: valence: value 'hapy' does not exist; did you mean 'happy'",
        ),
        ({"valence": {"coefficients": {}}}, "ready.valence.coefficients has 0 items"),
        (
            {"valence": {"coefficients": {"happy": "much"}}},
            "ready.valence.coefficients.happy is 'much': must be a number",
        ),
        ({"arousal": None}, "pretrained.ready lacks arousal"),
    ],
)
def test_what_a_pretrained_model_cannot_be(plan, changes, message):
    changed = {key: value for key, value in {**READY, **changes}.items() if value is not None}
    with pytest.raises(RequestError, match=message):
        plan(**{**ALONE, "pretrained": {"ready": changed}})


def test_names_of_models_and_methods_of_ensembles_go_together(plan):
    with pytest.raises(RequestError, match="'lstm_D_W' names an experiment and a pretrained"):
        plan(pretrained={"lstm_D_W": READY})
    both = {"valence": ["ready"], "arousal": ["ready"], "method": "stacked_ridge"}
    with pytest.raises(RequestError, match="valence has pretrained models alone"):
        plan(**{**ALONE, "ensembles": {"main": both}})
    weighted = {**ALONE, "ensembles": {"main": {**both, "method": "ccc_weighted"}}}
    assert plan(**weighted).fits("main")


@pytest.mark.parametrize("rate", ["native", 25])
def test_a_timeline_of_one_rate_is_a_stage_between(tmp_path, rate):
    config = request_config(tmp_path, {"timeline": {"rate": rate}})
    builder = builder_of(config, tmp_path)
    graph = Graph(builder)
    regular = rate != "native"
    timeline = "resample_timeline" if regular else "extract_frames"
    assert ("resample_timeline" in builder.stages) == regular
    for stage in ("align_faces", "read_labels"):
        (source,) = graph.sources(stage, "000-of-032")["extract_frames"]
        assert source.stage == timeline, stage
    (native,) = graph.sources("extract_audio", "000-of-032")["extract_frames"]
    assert native.stage == "extract_frames", "sound starts when the file's first frame is shown"
    (predictions,) = graph.sources("write_submission", "main")["predictions"]
    assert predictions.stage == ("restore_frames" if regular else "ensemble_predictions")
    described = graph.job("export_ensemble", "main").request.description
    assert described["timeline"] == {"rate": 25.0 if regular else "native"}


def test_folders_of_crops_need_the_native_rate(tmp_path):
    write_sheet(tmp_path / "samples.tsv", [*ROWS[:-1], {**ROWS[-1], "faces": "crops"}])
    config = request_config(tmp_path, {"timeline": {"rate": 25}})
    with pytest.raises(RequestError, match=r"timeline\.rate is 25 .*sample test0 has a folder"):
        make_plan(config)
    make_plan({**config, "timeline": {"rate": "native"}})


def export_from(folder, plan, **changes):
    """A folder as the plan's export job writes it."""
    builder = builder_of(plan.config, folder)
    request = builder.request("export_ensemble", "main")
    models = {run: folder / "model" for run in request.runs if run not in request.pretrained}
    (folder / "model").write_bytes(b"model")
    write_export(folder / "export", {**request.description, **changes}, models)
    return {"export": str(folder / "export"), "ensembles": {"main": None}, "submissions": None}


@pytest.mark.parametrize(
    ("rate", "trained_rate", "crops", "expected"),
    [
        ("native", 29.97, False, 29.97),
        ("native", 29.97, True, None),
        ("native", None, False, None),
        (25, None, False, 25.0),
    ],
)
def test_an_export_brings_the_rate_that_its_models_know(
    tmp_path, rate, trained_rate, crops, expected
):
    trained = make_plan(request_config(tmp_path, {"timeline": {"rate": rate}}))
    changes = {} if trained_rate is None else {"trained_rate": trained_rate}
    exported = export_from(tmp_path, trained, **changes)
    if crops:
        write_sheet(tmp_path / "samples.tsv", [*ROWS[:-1], {**ROWS[-1], "faces": "crops"}])
    predicting = make_plan(request_config(tmp_path, exported))
    assert predicting.rate == expected
    builder = builder_of(predicting.config, tmp_path)
    assert ("resample_timeline" in builder.stages) == (expected is not None)
    check_features(predicting.export["features"], builder.features)
