import numpy as np
import pytest

from circumplex.cli.main import main
from circumplex.config.samples import read_samples
from circumplex.corpora.sheet import write_sheet
from circumplex.corpora.videos import find_videos, name_samples
from circumplex.errors import RequestError
from clips import write_video


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def names(folder, **options):
    return [sample.sample for sample in find_videos([folder], **options).samples]


def skipped(folder):
    found = find_videos([folder]).skipped
    return {reason: sorted(p.name for p in paths) for reason, paths in found.items()}


@pytest.mark.parametrize("suffix", ["vob", "m2ts", "mxf", "f4v", "gif", "MOV", "mpg"])
def test_suffixes_of_videos(tmp_path, suffix):
    put(tmp_path / f"a.{suffix}")
    assert names(tmp_path) == ["a"]


def test_files_of_one_name_are_named_by_their_folders(tmp_path):
    for path in ("S01/clip1.mp4", "S02/clip1.mp4", "S02/clip2.mp4", "S02/clip2.avi", "S03/c.mp4"):
        put(tmp_path / path)
    corpus = find_videos([tmp_path])
    assert [sample.sample for sample in corpus.samples] == [
        *("S01-clip1", "S02-clip1", "c", "clip2.avi", "clip2.mp4")
    ]
    assert set(corpus.renamed) == {"S01-clip1", "S02-clip1", "clip2.avi", "clip2.mp4"}
    put(tmp_path / "more/S01/clip1.mp4")
    assert f"{tmp_path.name}-S01-clip1" in names(tmp_path)
    assert "more-S01-clip1" in names(tmp_path)


def test_names_that_join_to_the_same(tmp_path):
    paths = [tmp_path / "a-b/c/x.mp4", tmp_path / "a/b-c/x.mp4", tmp_path / "a-b-c/x.mp4"]
    found = name_samples(paths)
    assert sorted(found.values()) == sorted(paths)


def test_a_name_that_cannot_be_used_is_changed(tmp_path):
    for name in ("x" * 121, "x" * 130, "back\\slash", "\x07bell", "ü" * 110):
        put(tmp_path / "videos" / f"{name}.mp4")
    corpus = find_videos([tmp_path / "videos"])
    write_sheet(corpus.samples, tmp_path / "own.tsv")
    read = [sample.sample for sample in read_samples(tmp_path / "own.tsv")]
    assert len(set(read)) == 5
    assert {"back_slash", "_bell"} < set(read)
    assert set(corpus.renamed) == set(read)


def test_what_is_left_out_is_listed_with_the_reason(tmp_path):
    for name in ("a.mp4", "notes.txt", "picture.png", "song.mp3", ".hidden.mp4", ".git/b.mp4"):
        put(tmp_path / name)
    put(tmp_path / "tab\there.mp4")
    (tmp_path / "again.mp4").symlink_to(tmp_path / "a.mp4")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "itself.mp4").symlink_to(tmp_path / "itself.mp4")
    (tmp_path / "nothing.mp4").symlink_to(tmp_path / "gone.mp4")
    found = skipped(tmp_path)
    unwritable = found.pop(next(reason for reason in found if "a sheet cannot hold" in reason))
    assert unwritable == ["tab\there.mp4"]
    assert found == {
        "no video": ["notes.txt", "picture.png"],
        "sound without picture, which --sound takes": ["song.mp3"],
        "hidden": [".git", ".hidden.mp4"],
        "the same file as another one": ["again.mp4"],
        "link to a folder that is searched already": ["loop"],
        "link to nothing, or to itself": ["itself.mp4", "nothing.mp4"],
    }


def test_files_without_a_known_suffix_are_opened(tmp_path):
    film = write_video(tmp_path / "film.mp4", frames=5)
    film.rename(tmp_path / "film")
    write_video(tmp_path / "other.mp4", frames=5).rename(tmp_path / "other.recording")
    (tmp_path / "text").write_text("a text\n" * 100)
    (tmp_path / "data.unknown").write_bytes(np.random.default_rng(0).bytes(5000))
    assert names(tmp_path) == ["film", "other"]
    assert skipped(tmp_path) == {"no video": ["data.unknown", "text"]}


def test_a_folder_without_a_video_names_what_is_there(tmp_path):
    put(tmp_path / "song.mp3")
    hint = r"no video, but 1 sound file without picture, such as .*song\.mp3: add --sound to take"
    with pytest.raises(RequestError, match=hint):
        find_videos([tmp_path])
    assert names(tmp_path, sound=True) == ["song"]
    put(tmp_path / "only/notes.txt")
    with pytest.raises(RequestError, match=r"no video \(no video: .*notes\.txt\)"):
        find_videos([tmp_path / "only"])


def test_the_command_prints_new_names_and_what_is_left_out(tmp_path, capsys):
    for name in ("S01/clip1.mp4", "S02/clip1.mp4", "S02/notes.txt"):
        put(tmp_path / "videos" / name)
    words = ["sheet", "videos", "--videos", str(tmp_path / "videos")]
    assert main([*words, "--output", str(tmp_path / "own.tsv")]) == 0
    said = capsys.readouterr()
    assert f"named S01-clip1: {tmp_path}/videos/S01/clip1.mp4" in said.out
    assert f"left out, no video (1): {tmp_path}/videos/S02/notes.txt" in said.err
