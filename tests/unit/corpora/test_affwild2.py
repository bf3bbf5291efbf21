import csv
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from circumplex.cli.main import main
from circumplex.config.samples import Sample, Split, read_samples
from circumplex.corpora.affwild2 import find_affwild2
from circumplex.corpora.sheet import write_sheet
from circumplex.corpora.videos import SOUND_SUFFIXES, VIDEO_SUFFIXES, find_media, find_videos
from circumplex.errors import RequestError
from demo.corpus.make import ANNOTATIONS, COLUMNS, FOLDERS
from demo.corpus.plan import plan_corpus

VA = "3rd ABAW Annotations/VA_Estimation_Challenge"
LABELS = "valence,arousal\n0.1,0.2\n"


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    """A miniature of what the organisers hand out: two persons, one with a plain name, spaces."""
    for name in ("1-30-1280x720", "10-60", "10-60_right", "video55_left", "video55_right"):
        put(tmp_path / VA / "Train_Set" / f"{name}.txt", LABELS)
    put(tmp_path / VA / "Validation_Set" / "video10_1_left.txt", LABELS)
    put(tmp_path / VA / "Validation_Set" / "._video10_1_left.txt", "resource fork")
    expressions = "Neutral,Anger\n1\n"
    put(tmp_path / "3rd ABAW Annotations/EXPR/Train_Set/video1.txt", expressions)
    for name in ("batch1/1-30-1280x720.mp4", "batch1/10-60.avi", "batch1/._10-60.avi"):
        put(tmp_path / name)
    for name in ("video55.mp4", "video10_1.MP4", "video2.mp4", "video1.mp4", "readme.txt"):
        put(tmp_path / "batch2/more" / name)
    for name in ("1-30-1280x720", "10-60", "10-60_right", "video55_left", "video55_right"):
        put(tmp_path / "cropped_aligned" / name / "00001.jpg")
    for name in ("video10_1_left", "video2", "video2_left"):
        put(tmp_path / "cropped_aligned" / name / "00001.jpg")
    put(tmp_path / "test.txt", "\ufeffvideo2_left\n\nvideo2 \n")
    return tmp_path


def batches(folder):
    return [folder / "batch1", folder / "batch2"]


def find(folder, **options):
    return find_affwild2(batches(folder), folder / "3rd ABAW Annotations", **options)


def by_name(corpus):
    return {sample.sample: sample for sample in corpus.samples}


def make(folder, *more):
    options = {"--annotations": folder / VA, "--output": folder / "samples.tsv"}
    given = [text for option in options.items() for text in option]
    return main(["sheet", "affwild2", "--videos", *map(str, [*batches(folder), *given, *more])])


EXPECTED = """\
sample video subject faces audio annotation split group
1-30-1280x720 batch1/1-30-1280x720.mp4 largest C/1-30-1280x720 - T/1-30-1280x720 train 1-30-1280x720
10-60 batch1/10-60.avi largest C/10-60 - T/10-60 train 10-60
10-60_right batch1/10-60.avi right C/10-60_right - T/10-60_right train 10-60
video55_left batch2/more/video55.mp4 left C/video55_left - T/video55_left train video55
video55_right batch2/more/video55.mp4 right C/video55_right - T/video55_right train video55
video10_1_left batch2/more/video10_1.MP4 left C/video10_1_left - V/video10_1_left val video10_1
video2 batch2/more/video2.mp4 largest C/video2 - - test video2
video2_left batch2/more/video2.mp4 left C/video2_left - - test video2
"""


def expected_cell(column, cell):
    if cell == "-":
        return ""
    if column == "faces":
        return cell.replace("C/", "cropped_aligned/", 1)
    if column == "annotation":
        split = {"T": "Train_Set", "V": "Validation_Set"}[cell[0]]
        return f"{VA}/{split}/{cell[2:]}.txt"
    return cell


def test_the_published_layout_gives_exactly_this_sheet(folder, capsys):
    crops = folder / "cropped_aligned"
    assert make(folder, "--crops", crops, "--test-list", folder / "test.txt") == 0
    header, *rows = (line.split(" ") for line in EXPECTED.splitlines())
    wanted = [header] + [
        [expected_cell(*pair) for pair in zip(header, row, strict=True)] for row in rows
    ]
    text = (folder / "samples.tsv").read_text(encoding="utf-8")
    assert [line.split("\t") for line in text.splitlines()] == wanted
    printed = capsys.readouterr()
    assert "8 samples (train 5, val 1, test 2) of 5 videos" in printed.out
    assert "1 more videos belong to no sample" in printed.out
    assert printed.err == ""
    for sample in read_samples(folder / "samples.tsv"):
        assert sample.video.is_file()
        assert sample.faces.is_dir()
        assert sample.annotation is None or sample.annotation.is_file()


def test_the_demo_corpus_gives_the_sheet_that_it_came_with(tmp_path):
    wanted = []
    for video in plan_corpus(0, "tiny"):
        film = f"videos/{video.name}{video.clip.suffix}"
        put(tmp_path / film)
        for subject in video.subjects:
            split, annotation = video.clip.split, ""
            if split in FOLDERS:
                annotation = f"{ANNOTATIONS}/{FOLDERS[split]}/{subject.sample}.txt"
                put(tmp_path / annotation, LABELS)
            wanted.append([subject.sample, film, subject.position, annotation, split])
    names = [row[0] for row in wanted if row[4] == "test"]
    put(tmp_path / "splits/test.txt", "\n".join(names) + "\n")
    sheet = tmp_path / "samples.tsv"
    command = [
        "sheet",
        "affwild2",
        "--videos",
        str(tmp_path / "videos"),
        "--annotations",
        str(tmp_path),
    ]
    command += ["--test-list", str(tmp_path / "splits/test.txt"), "--output", str(sheet)]
    assert main(command) == 0
    with sheet.open(encoding="utf-8", newline="") as file:
        made = [[row[c] for c in COLUMNS[:-1]] for row in csv.DictReader(file, delimiter="\t")]
    assert made == wanted
    assert {row[2] for row in made} == {"largest", "left", "right"}, "the corpus has all cases"


def test_a_video_of_a_sides_own_name_wins_and_shares_the_group_of_the_recording(folder):
    put(folder / "batch1/video55_left.mp4")
    samples = by_name(find(folder))
    left, right = samples["video55_left"], samples["video55_right"]
    assert left.video == folder / "batch1/video55_left.mp4"
    assert left.subject == "largest"
    assert right.video == folder / "batch2/more/video55.mp4"
    assert right.subject == "right"
    assert left.group == right.group == "video55"


@pytest.mark.parametrize("name", ["_left", "left", "video_lefty", "video_Left", "video-left"])
def test_only_a_suffix_of_a_side_is_stripped(folder, name):
    put(folder / VA / "Train_Set" / f"{name}.txt", LABELS)
    put(folder / "batch1" / f"{name}.mp4")
    sample = by_name(find(folder))[name]
    assert (sample.video.stem, sample.subject, sample.group) == (name, "largest", name)


def test_a_plain_sample_beside_a_side_is_named_unless_its_crops_are_given(folder):
    crops = [folder / "cropped_aligned"]
    assert find(folder).beside_another == ("10-60",)
    assert find(folder, crops=crops).beside_another == ()
    listed = find(folder, test_list=folder / "test.txt").beside_another
    assert listed == ("10-60", "video2")


def test_missing_videos_and_crops_stay_in_the_sheet_and_are_warned_of(folder, capsys):
    (folder / "batch1/10-60.avi").unlink()
    (folder / "cropped_aligned/video55_left/00001.jpg").unlink()
    (folder / "cropped_aligned/video55_left").rmdir()
    assert make(folder, "--crops", folder / "cropped_aligned") == 0
    printed = capsys.readouterr()
    assert "6 samples (train 5, val 1) of 3 videos" in printed.out
    assert "no video (2): 10-60, 10-60_right\n" in printed.err
    assert "no folder of crops (1): video55_left\n" in printed.err
    samples = {s.sample: s for s in read_samples(folder / "samples.tsv")}
    assert samples["10-60_right"].video == folder / "batch1/10-60.mp4"
    assert samples["10-60_right"].subject == "right"
    assert samples["video55_left"].faces == folder / "cropped_aligned/video55_left"


@pytest.mark.parametrize(
    "names", [("Train Set", "Validation Set"), ("train_set", "VALIDATION_SET")], ids=str
)
def test_split_folders_of_other_spelling(tmp_path, names):
    for name, sample in zip(names, "ab", strict=True):
        put(tmp_path / "labels" / name / f"{sample}.txt", "\ufeffValence, Arousal\n0,0\n")
        put(tmp_path / "videos" / f"{sample}.mp4")
    corpus = find_affwild2([tmp_path / "videos"], tmp_path / "labels")
    assert [s.split for s in corpus.samples] == [Split.TRAIN, Split.VAL]


def test_empty_and_odd_annotations_are_left_for_the_run_to_report(folder):
    put(folder / VA / "Train_Set/empty.txt")
    put(folder / VA / "Train_Set/odd.txt", "Neutral,Anger\n")
    (folder / VA / "Train_Set/0broken.txt").symlink_to(folder / "nowhere.txt")
    assert {"empty", "odd", "0broken"} <= by_name(find(folder)).keys()


def test_links_are_followed_and_what_is_named_twice_is_read_once(folder):
    (folder / "batch2/more").rename(folder / "elsewhere")
    (folder / "batch2/more").symlink_to(folder / "elsewhere")
    media = find_media(batches(folder), VIDEO_SUFFIXES)
    assert media["video55"] == folder / "batch2/more/video55.mp4"
    for name in "abc":  # followed each time, these would be 3 to the power of 40 folders
        (folder / "batch2" / name).symlink_to(folder / "batch2")
    (folder / "linked.d").mkdir()
    (folder / "linked.d/10-60.avi").symlink_to(folder / "batch1/10-60.avi")
    again = [*batches(folder), folder / "batch1", folder / "linked.d"]
    found = find_media(again, VIDEO_SUFFIXES)
    assert {name: path.resolve() for name, path in found.items()} == {
        name: path.resolve() for name, path in media.items()
    }


def copy_train(folder):
    put(folder / "3rd ABAW Annotations/2nd/VA_Set/Train_Set/x.txt", LABELS)


def only_expressions(folder):
    for path in sorted((folder / VA).rglob("*.txt")):
        path.write_text("Neutral,Anger\n", encoding="utf-8")


def no_video_matches(folder):
    for path in sorted(folder.glob("batch*/**/*.*")):
        path.rename(path.with_name(f"x{path.name}"))


def no_video(folder):
    for path in sorted(folder.glob("batch*/**/*.*")):
        path.rename(path.with_suffix(".txt"))


def no_crops(folder):
    (folder / "cropped_aligned").rename(folder / "moved")
    (folder / "cropped_aligned").mkdir()
    (folder / "moved").rename(folder / "cropped_aligned/inner")


BREAKS = [
    (only_expressions, r"no annotation: expected Train_Set/<sample>\.txt"),
    (copy_train, r"2 folders hold annotations of split train: .*2nd.*Train_Set, .*VA_Est"),
    (no_video_matches, "no video belongs to any of the 8 samples"),
    (no_video, r"batch1, .*batch2: no video \(.*\.mp4"),
    (no_crops, r"no crops of any sample; name the folder that holds .*00001\.jpg"),
    (
        lambda f: put(f / "batch2/10-60.mp4"),
        r"named '10-60': .*batch1/10-60\.avi and .*batch2/10-60\.mp4",
    ),
    (lambda f: put(f / VA / "Validation_Set/10-60.txt", LABELS), "'10-60' is in split train and "),
    (lambda f: put(f / "test.txt", "a\n10-60\n"), "'10-60' is in split train and again in .* test"),
    (lambda f: put(f / "test.txt", "a\na\n"), r"list .*test\.txt has 'a' twice"),
    (
        lambda f: put(f / "test.txt", "image,valence\n"),
        "'image,valence' is not the name",
    ),
    (lambda f: put(f / "test.txt", "batch1/video1.mp4\n"), "is not the name of a sample"),
    (lambda f: put(f / "test.txt", "a\nb/00001.jpg\n"), "mixes samples and images"),
    (lambda f: put(f / "test.txt", " \n"), "is empty"),
    (lambda f: (f / "test.txt").write_bytes(b"\xff\xfe"), "is not UTF-8 text: .*utf-8"),
    (lambda f: (f / "test.txt").unlink(), r"list .*test\.txt is missing"),
    (lambda f: (f / "batch2").rename(f / "batch3"), "batch2 is not a folder"),
    (lambda f: (f / "cropped_aligned").rename(f / "c"), "cropped_aligned is not a folder"),
]


@pytest.mark.parametrize(("spoil", "message"), BREAKS, ids=[str(i) for i in range(len(BREAKS))])
def test_what_makes_no_sense_is_refused_and_leaves_no_sheet(folder, spoil, message, capsys):
    spoil(folder)
    options = {"crops": [folder / "cropped_aligned"], "test_list": folder / "test.txt"}
    with pytest.raises(RequestError, match=message):
        find(folder, **options)
    if spoil is not copy_train:  # it lies outside the folder that the command names
        more = ["--crops", folder / "cropped_aligned", "--test-list", folder / "test.txt"]
        assert make(folder, *more) == 1
        assert capsys.readouterr().err.startswith("circumplex: error: ")
        assert not (folder / "samples.tsv").exists()


def test_two_folders_of_crops_of_one_sample(folder):
    put(folder / "more_crops/10-60/00001.jpg")
    with pytest.raises(RequestError, match=r"crops of sample '10-60': .*cropped_al.*more_crops"):
        find(folder, crops=[folder / "cropped_aligned", folder / "more_crops"])


def test_a_folder_that_cannot_be_listed(folder, monkeypatch):
    closed, scandir = folder / "batch2/more", os.scandir

    def refuse(path):  # not by chmod: root may read everything
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    find(folder)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(RequestError, match=r"batch2/more: the folder cannot be listed: Perm"):
        find(folder)


def test_a_sheet_is_replaced_only_by_force_and_two_runs_give_the_same_bytes(folder, capsys):
    sheet = put(folder / "samples.tsv", "mine\n")
    assert make(folder) == 1
    assert "--force" in capsys.readouterr().err
    assert sheet.read_text(encoding="utf-8") == "mine\n"
    assert make(folder, "--force") == 0
    first = sheet.read_bytes()
    assert make(folder, "--force") == 0
    assert sheet.read_bytes() == first
    assert not list(folder.glob(".partial*"))


def test_own_videos(tmp_path, capsys):
    names = ["b/second.MOV", "a first.mp4", "talk_left.webm", "視频.mkv", "c/.hidden.mp4", "n.txt"]
    for name in [*names, "song.wav", ".trash/old.mp4"]:
        put(tmp_path / "videos" / name)
    sheet = tmp_path / "made/folder/own.tsv"
    command = ["sheet", "videos", "--videos", str(tmp_path / "videos"), "--output", str(sheet)]
    assert main(command) == 0
    assert "4 samples (predict 4) of 4 videos" in capsys.readouterr().out
    samples = read_samples(sheet)
    assert [s.sample for s in samples] == ["a first", "second", "talk_left", "視频"]
    assert {s.split for s in samples} == {Split.PREDICT}
    assert {s.subject for s in samples} == {"largest"}
    assert len({s.group for s in samples}) == 4
    assert all(s.video.is_file() for s in samples)
    assert "../../videos/b/second.MOV" in sheet.read_text(encoding="utf-8")
    assert main([*command, "--sound", "--force"]) == 0
    assert "song" in {s.sample for s in read_samples(sheet)}


@pytest.mark.parametrize("sheet", ["link/own.tsv", "own.tsv", "other/own.tsv"])
@pytest.mark.parametrize("videos", ["videos", "link/../../../videos", "link/inner"])
def test_links_and_steps_up_lead_to_the_same_files(tmp_path, sheet, videos):
    real = tmp_path / "deep/er/real"
    inner = put(real / "inner/a.mp4")
    outer = put(tmp_path / "videos/a.mp4")
    (tmp_path / "link").symlink_to(real)
    write_sheet(find_videos([tmp_path / videos]).samples, tmp_path / sheet)
    (sample,) = read_samples(tmp_path / sheet)
    assert str(tmp_path) not in (tmp_path / sheet).read_text(encoding="utf-8")
    assert sample.video.samefile(inner if "inner" in videos else outer)


def test_a_path_that_shares_only_the_root_stays_absolute(tmp_path):
    sample = Sample("a", Path("/elsewhere/a.mp4"), "largest", None, None, None, Split.TEST, "a")
    write_sheet([sample], tmp_path / "samples.tsv")
    assert "\t/elsewhere/a.mp4\t" in (tmp_path / "samples.tsv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tab\there", "tab or line break"),
        ("line\nbreak", "tab or line break"),
        (os.fsdecode(b"\xff"), "not UTF-8"),
    ],
    ids=["tab", "break", "bytes"],
)
def test_names_that_a_sheet_cannot_hold(tmp_path, name, message):
    put(tmp_path / "videos" / f"{name}.mp4")
    with pytest.raises(RequestError, match=message) as caught:
        write_sheet(find_videos([tmp_path / "videos"]).samples, tmp_path / "own.tsv")
    assert ".partial" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


def test_the_command_runs_from_anywhere_and_loads_nothing_heavy(tmp_path):
    put(tmp_path / "videos/a.mp4")
    program = (
        "import sys\n"
        "from circumplex.cli.main import main\n"
        "assert main(['sheet', 'videos', '--videos', 'videos', '--output', 'own.tsv']) == 0\n"
        "heavy = {'numpy', 'pyarrow', 'torch', 'av', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (
        (tmp_path / "own.tsv").read_text(encoding="utf-8").splitlines()[1].startswith("a\tvideos/")
    )


def test_no_suffix_is_both_video_and_sound():
    assert not VIDEO_SUFFIXES & SOUND_SUFFIXES
