import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circumplex.config.samples import Split, place_emotions, read_samples, shard_of
from circumplex.errors import RequestError

HEADER = "sample\tvideo\tsubject\tfaces\taudio\tannotation\tsplit\tgroup\n"
ROW = "a\ta.mp4\tleft\tfaces/a\ta.wav\ta.txt\ttrain\tg\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "samples.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_samples(path)

    return read_text


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_full_row(read, tmp_path, bom, end):
    (sample,) = read(bom + (HEADER + ROW).replace("\n", end))
    assert (sample.sample, sample.subject, sample.group) == ("a", "left", "g")
    assert sample.split is Split.TRAIN
    assert sample.video == tmp_path / "a.mp4"
    assert sample.faces == tmp_path / "faces/a"
    assert sample.audio == tmp_path / "a.wav"
    assert sample.annotation == tmp_path / "a.txt"


def test_empty_columns_of_a_spreadsheet_do_not_matter(read):
    assert len(read("sample\tvideo\tsplit\t\t\na\ta.mp4\ttest\t\t\n")) == 1


def test_defaults_and_absolute_paths(read, tmp_path):
    rows = "sample\tsplit\tvideo\nb\tpredict\t/elsewhere/b.mp4\n\nc\ttest\tsub/c.mp4"
    first, second = read(rows)
    assert str(first.video) == "/elsewhere/b.mp4"
    assert (first.subject, first.group) == ("largest", "b.mp4")
    assert first.faces is first.audio is first.annotation is None
    assert second.video == tmp_path / "sub/c.mp4"
    assert second.group == "c.mp4"


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "-rf",
        "ångström",
        "视频",
        "it's",
        'a"b',
        '"',
        "a.b",
        "$HOME",
        "{run}",
        "*",
        "a'\";b",
        "x" * 120,
    ],
)
def test_names_that_look_odd_are_taken_as_they_are(read, name):
    (sample,) = read(f"sample\tvideo\tsplit\n{name}\t{name}.mp4\ttest\n")
    assert sample.sample == name
    assert sample.video.name == f"{name}.mp4"


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/abs",
        "a/b",
        "a\\b",
        ".",
        "..",
        ".hidden",
        "",
        "x" * 121,
        "a\x00b",
        "a\x7fb",
        "视" * 120,
    ],
)
def test_names_that_cannot_name_a_file_are_refused(read, name):
    with pytest.raises(RequestError, match=r"samples\.tsv, line 2: .*sample"):
        read(f"sample\tvideo\tsplit\n{name}\tx.mp4\ttest\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("video", "vdieo") + ROW, "unknown key 'vdieo'.*did you mean 'video'"),
        (HEADER.replace("\t", ",") + ROW.replace("\t", ","), "lacks sample, split"),
        (HEADER + ROW + ROW, "2 samples are named 'a'"),
        (HEADER + ROW.replace("train", "Train"), "split is 'Train', but must be one of"),
        (HEADER + ROW.replace("left", "middle"), "subject is 'middle': .*largest"),
        (HEADER + ROW.replace("left", "1,2,3"), "subject is '1,2,3': "),
        (HEADER + ROW.replace("a.txt", ""), "'a' is in split train but has no annotation"),
        (HEADER + ROW.replace("a.txt", "").replace("train", "val"), "split val but has no annot"),
        (HEADER + ROW.rstrip("\n") + "\tmore\n", "more cells than the header"),
        (HEADER + "a\ta.mp4\n", "line 2: top level lacks split"),
        (HEADER + "\n" + ROW + "\n\n" + "b\n", "line 6: top level lacks split"),
        ("sample\tvideo\tsplit\tvideo\na\tx\ttest\ty\n", "2 columns are named 'video'"),
        (HEADER, "has no rows"),
        ("", "has no rows"),
        ("\n\n", "has no rows"),
        (HEADER.encode() + b"\xff\xfe\n", "not UTF-8"),
        ((HEADER + ROW).encode("utf-16"), "not UTF-8"),
        (HEADER + ROW.replace("a.mp4", "a" * 200_000), "not a table: .*limit"),
    ],
)
def test_what_is_wrong_is_named(read, text, message):
    with pytest.raises(RequestError, match=message):
        read(text)


def test_no_sheet(tmp_path):
    for path in (tmp_path / "none.tsv", tmp_path):
        with pytest.raises(RequestError, match="is missing"):
            read_samples(path)


CELLS = st.sampled_from(
    ["a", "b.mp4", "train", "test", "left", "1,2,3,4", "", '"', "é", "\r", "\n", "\t"]
)
TEXTS = st.lists(CELLS | st.text(max_size=3), max_size=30).map("\t".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | TEXTS | TEXTS.map(lambda rows: HEADER + rows))
def test_any_sheet_is_read_or_refused(read, text):
    try:
        samples = read(text)
    except RequestError:
        return
    names = [s.sample for s in samples]
    assert len(set(names)) == len(names) > 0
    for name in names:
        assert "/" not in name
        assert not name.startswith(".")


def test_shards_are_stable_and_even():
    names = [f"video{i}" for i in range(4000)]
    shards = [shard_of(name, 32) for name in names]
    counts = [shards.count(f"{k:03d}-of-032") for k in range(32)]
    assert sum(counts) == 4000
    # 125 expected a shard, deviation 11: six of them are never reached by chance.
    assert 59 < min(counts) <= max(counts) < 191
    assert shard_of("é", 1) == "000-of-001"
    assert shards[0] == "024-of-032", "a sample never moves"


def test_annotations_of_one_target_each(read, tmp_path):
    header = "sample\tvideo\tsplit\tannotation_valence\tannotation_arousal\timage_rate\n"
    rows = "a\tframes/a\ttrain\tv/a.csv\ta/a.csv\t25\nb\tb.mp4\tval\tb.csv\t\t\n"
    first, second = read(header + rows)
    assert first.annotation_valence == tmp_path / "v/a.csv"
    assert first.annotation_arousal == tmp_path / "a/a.csv"
    assert (first.image_rate, second.image_rate) == (25.0, None)
    assert first.is_labelled
    assert second.is_labelled
    assert first.annotation_format == "auto"
    with pytest.raises(RequestError, match="annotation and also annotation_valence"):
        read("sample\tsplit\tannotation\tannotation_valence\na\ttrain\ta.txt\tb.txt\n")
    with pytest.raises(RequestError, match="no annotation"):
        read("sample\tsplit\tannotation_valence\na\ttrain\t\n")


CLIPS = "sample\tvideo\tsplit\tvalence\tarousal\temotion\tannotation\n"


def test_the_label_of_a_clip_takes_the_place_of_an_annotation(read):
    first, second = read(CLIPS + "a\ta.wav\ttrain\t0.5\t-1\t\t\nb\tb.wav\tval\t\t\thappy\t\n")
    assert (first.valence, first.arousal, first.annotation) == (0.5, -1, None)
    assert first.is_labelled
    assert second.is_labelled
    assert second.valence is None
    (one,) = read(CLIPS + "a\ta.wav\ttrain\t\t0.5\t\t\n")
    assert (one.valence, one.arousal, one.is_labelled) == (None, 0.5, True)
    placed = place_emotions([first, second], {"happy": [0.81, 0.51]})
    assert placed[0] == first
    assert (placed[1].valence, placed[1].arousal, placed[1].emotion) == (0.81, 0.51, "happy")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("0.5\t0.5\t\ta.txt", "has annotation and also valence or arousal: keep one"),
        ("\t0.5\thappy\t", "has valence or arousal and also emotion: keep one"),
        ("\t\thappy\ta.txt", "has annotation and also emotion: keep one"),
        ("\t\t\t", "in split train but has no annotation"),
        ("1.01\t0\t\t", r"valence .*from -1 to 1"),
        ("0,5\t0\t\t", "valence"),
        ("nan\t0\t\t", "valence"),
    ],
)
def test_labels_of_clips_that_are_refused(read, cells, message):
    with pytest.raises(RequestError, match=rf"samples\.tsv, line 2: .*{message}"):
        read(f"{CLIPS}a\ta.wav\ttrain\t{cells}\n")


def test_an_emotion_without_a_place_names_the_cure(read):
    samples = read(CLIPS + "a\ta.wav\ttrain\t\t\t06\t\n")
    with pytest.raises(RequestError, match=r"sample a: emotion '06' has no place") as caught:
        place_emotions(samples, {"happy": [0.81, 0.51]})
    assert "labels: {emotions: {'06': [0.5, 0.3]}}" in str(caught.value)
