"""Sheets of folders: pairs by name, groups that are never split, and all that is left out."""

import pytest

from circumplex.cli.main import main
from circumplex.config.samples import Split, read_samples
from circumplex.corpora.folders import Division, divide_groups, find_groups, find_pairs
from circumplex.corpora.sheet import write_sheet
from circumplex.errors import RequestError

ALL = Division((1.0, 0.0, 0.0))


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def corpus(tmp_path):
    for speaker in range(10):
        for clip in range(3):
            put(tmp_path / f"videos/s{speaker:02d}/take{clip}.mp4")
            put(tmp_path / f"annotations/s{speaker:02d}/take{clip}.csv")
    return tmp_path


def find(corpus, **options):
    given = {"division": ALL, "group": r"^s(\d+)/", **options}
    return find_pairs([corpus / "videos"], [corpus / "annotations"], **given)


def skipped(found):
    return {reason: [path.name for path in paths] for reason, paths in found.skipped.items()}


def test_pairs_by_path_and_groups_by_expression(corpus):
    found = find(corpus)
    assert len(found.samples) == 30
    for sample in found.samples:
        speaker, clip = sample.sample.split("-")  # as `sheet videos` names files of one name
        assert sample.video == corpus / f"videos/{speaker}/{clip}.mp4"
        assert sample.annotation == corpus / f"annotations/{speaker}/{clip}.csv"
        assert sample.group == speaker.removeprefix("s")
    assert found.skipped == {}


def test_names_alone_match_where_they_are_unique(tmp_path):
    put(tmp_path / "videos/deep/down/a.mp4")
    put(tmp_path / "annotations/a.txt")
    (sample,) = find_pairs([tmp_path / "videos"], [tmp_path / "annotations"], division=ALL).samples
    assert (sample.sample, sample.group) == ("a", "a")
    assert sample.annotation == tmp_path / "annotations/a.txt"


def test_a_folder_of_annotations_for_each_target(tmp_path, capsys):
    put(tmp_path / "videos/a.mp4")
    put(tmp_path / "videos/b.mp4")
    for path in ("valence/a", "Arousal/a", "arousal/b"):
        put(tmp_path / f"annotations/{path}.csv")
    words = ["--annotations", str(tmp_path / "annotations"), "--split", "1,0,0"]
    assert command(tmp_path, *words) == 0, capsys.readouterr().err
    first, second = read_samples(tmp_path / "own.tsv")
    assert first.annotation is second.annotation is second.annotation_valence is None
    assert first.annotation_valence == tmp_path / "annotations/valence/a.csv"
    assert first.annotation_arousal == tmp_path / "annotations/Arousal/a.csv"
    assert second.annotation_arousal == tmp_path / "annotations/arousal/b.csv"


def test_videos_and_annotations_of_one_folder(tmp_path):
    put(tmp_path / "a.mp4")
    put(tmp_path / "a.csv")
    (sample,) = find_pairs([tmp_path], [tmp_path], division=ALL).samples
    assert sample.annotation == tmp_path / "a.csv"


def test_all_that_is_left_out_is_listed_with_the_reason(corpus):
    (corpus / "annotations/s00/take0.csv").unlink()
    put(corpus / "annotations/s99/take7.csv")
    put(corpus / "annotations/take1.csv")  # of ten videos
    put(corpus / "annotations/s01/take0.txt")
    put(corpus / "annotations/.hidden.csv")
    put(corpus / "videos/intro.mp4")
    put(corpus / "videos/s03/song.wav")
    found = find(corpus)
    assert skipped(found) == {
        "sound without picture, which --sound takes": ["song.wav"],
        "path in which --group finds nothing": ["intro.mp4"],
        "hidden": [".hidden.csv"],
        "annotation without video": ["take7.csv"],
        "annotation of several videos of its name: put it into a folder as its video is in": [
            "take1.csv"
        ],
        "video without annotation": ["take0.mp4"],
        "video with several annotations": ["take0.mp4"],
    }
    assert len(found.samples) == 28


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.15), (0.5, 0.5, 0.0), (0.34, 0.33, 0.33)])
def test_groups_are_never_split_and_shares_are_kept(shares, seed):
    groups = [f"g{k}" for k in range(20) for _ in range(1 + k % 4)]
    splits = divide_groups(groups, Division(shares, seed))
    assert splits == divide_groups(sorted(groups, reverse=True), Division(shares, seed))
    counts = [sum(splits[g] is s for g in groups) / len(groups) for s in list(Split)[:3]]
    for share, count in zip(shares, counts, strict=True):
        assert abs(share - count) <= 4 / len(groups), "a group has at most 4 samples"


def test_another_seed_gives_other_splits():
    groups = [f"g{k}" for k in range(20)]
    drawn = [divide_groups(groups, Division((0.7, 0.15, 0.15), seed)) for seed in range(4)]
    assert all(splits != drawn[0] for splits in drawn[1:])


def test_each_split_with_a_share_has_a_group_even_beside_a_large_one():
    groups = ["large"] * 100 + ["a", "b"]
    for seed in range(10):
        splits = divide_groups(groups, Division((0.7, 0.15, 0.15), seed))
        assert set(splits.values()) == {Split.TRAIN, Split.VAL, Split.TEST}
    with pytest.raises(
        RequestError, match=r"2 groups cannot be divided into 3 splits.*0\.8,0,0\.2"
    ):
        divide_groups(["a", "b", "b"], Division((0.7, 0.15, 0.15)))


def test_emotions_of_paths_in_place_of_annotations(tmp_path):
    for name in ("03-01-06-01", "03-01-05-02", "readme"):
        put(tmp_path / f"videos/{name}.wav")
    found = find_pairs(
        [tmp_path / "videos"],
        division=ALL,
        group=r"(\d\d)$|^readme",
        emotion=r"^\d\d-\d\d-(\d\d)",
        sound=True,
    )
    assert [(s.sample, s.group, s.emotion) for s in found.samples] == [
        ("03-01-05-02", "02", "05"),
        ("03-01-06-01", "01", "06"),
    ]
    # The parenthesis holds nothing: no group.
    assert skipped(found) == {"path in which --group finds nothing": ["readme.wav"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "("}, r"--group '\(' is no regular expression"),
        ({"group": "x(y)"}, r"no sample is left \(path in which --group finds nothing: 30\)"),
        ({"emotion": "x"}, "either a folder of annotations or an expression for emotions"),
    ],
)
def test_requests_that_cannot_be_met(corpus, options, message):
    with pytest.raises(RequestError, match=message):
        find(corpus, **options)


def test_videos_to_predict_in_groups(corpus):
    found = find_groups([corpus / "videos"], r"^(s\d+)/")
    assert {s.split for s in found.samples} == {Split.PREDICT}
    assert {s.group for s in found.samples} == {f"s{k:02d}" for k in range(10)}
    assert {s.group for s in find_groups([corpus / "videos"], None).samples} == {
        s.sample for s in found.samples
    }


def command(corpus, *words):
    given = ["--videos", str(corpus / "videos"), "--output", str(corpus / "own.tsv"), *words]
    return main(["sheet", "folder", *given])


def test_the_command(corpus, capsys):
    (corpus / "annotations/s00/take0.csv").unlink()
    words = ["--annotations", str(corpus / "annotations"), "--group", "s[0-9]+"]
    assert command(corpus, *words, "--annotation-format", "affwild2", "--split", "0.8,0.1,0.1") == 0
    said = capsys.readouterr()
    assert "29 samples (train 2" in said.out
    assert "of 29 videos in 10 groups" in said.out
    assert f"left out, video without annotation (1): {corpus}/videos/s00/take0.mp4" in said.err
    samples = read_samples(corpus / "own.tsv")
    assert {s.split for s in samples} == {Split.TRAIN, Split.VAL, Split.TEST}
    by_group = {}
    for sample in samples:
        by_group.setdefault(sample.group, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in by_group.values())
    assert len(by_group) == 10


def test_the_command_writes_emotions(tmp_path):
    for name in ("happy-a", "sad-b", "sad-c"):
        put(tmp_path / f"videos/{name}.wav")
    words = ["--sound", "--emotion", "^[a-z]+", "--split", "0.34,0.33,0.33", "--seed", "3"]
    assert command(tmp_path, *words) == 0
    assert "emotion" in (tmp_path / "own.tsv").read_text().splitlines()[0].split("\t")
    found = {s.sample: s.emotion for s in read_samples(tmp_path / "own.tsv")}
    assert found == {"happy-a": "happy", "sad-b": "sad", "sad-c": "sad"}


@pytest.mark.parametrize("shares", ["0.7,0.3", "a,b,c", "0.7,0.2,0.2", "1.2,-0.1,-0.1", "nan,0,1"])
def test_shares_that_are_none(corpus, shares, capsys):
    with pytest.raises(SystemExit):
        command(corpus, "--emotion", "x", "--split", shares)
    assert "--split" in capsys.readouterr().err


def test_a_folder_per_target_gives_a_file_per_target(tmp_path):
    """As MuSe and RECOLA keep them, and NOVA's data beside its headers."""
    for name in ("s1/a", "s2/a", "s1/b"):
        put(tmp_path / f"videos/{name}.mp4")
        put(tmp_path / f"labels/valence/{name}.csv")
    put(tmp_path / "labels/arousal/s1/a.csv")
    put(tmp_path / "labels/Arousal/s2/a.annotation")
    put(tmp_path / "labels/Arousal/s2/a.annotation~")
    put(tmp_path / "labels/arousal/s1/b.csv")
    put(tmp_path / "labels/arousal/s1/b.txt")
    found = find_pairs([tmp_path / "videos"], [tmp_path / "labels"], division=ALL)
    files = {
        sample.sample: (sample.annotation, sample.annotation_valence, sample.annotation_arousal)
        for sample in found.samples
    }
    labels = tmp_path / "labels"
    assert files == {
        "s1-a": (None, labels / "valence/s1/a.csv", labels / "arousal/s1/a.csv"),
        "s2-a": (None, labels / "valence/s2/a.csv", labels / "Arousal/s2/a.annotation"),
    }
    assert skipped(found) == {"video with several annotations": ["b.mp4"]}
    sheet = tmp_path / "samples.tsv"
    write_sheet(found.samples, sheet)
    read = read_samples(sheet)
    assert [s.annotation_arousal.resolve() for s in read] == [f[2] for f in files.values()]
    one = find_pairs([tmp_path / "videos"], [labels / "valence"], division=ALL)
    assert {s.sample for s in one.samples} == {"s1-a", "s2-a", "b"}
    assert all(sample.annotation_valence.is_file() for sample in one.samples)
    assert all(sample.annotation_arousal is None for sample in one.samples)
