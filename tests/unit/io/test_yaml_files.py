"""YAML files of people: read whole, or refused within seconds."""

import time

import pytest

from circumplex.errors import RequestError
from circumplex.io.yaml_files import read_small_yaml
from places import ROOT

LISTS = "".join(f"b{k}: &b{k} [{', '.join([f'*b{k - 1}'] * 9)}]\n" for k in range(1, 12))
MERGES = "".join(f"b{k}: &b{k} {{<<: [{', '.join([f'*b{k - 1}'] * 9)}]}}\n" for k in range(1, 12))


@pytest.fixture
def write(tmp_path):
    def write_text(text):
        path = tmp_path / "a.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: {c: [x, 2.5]}\n", {"a": 1, "b": {"c": ["x", 2.5]}}),
        ('{"a": 1e5}', {"a": 1e5}),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("", None),
    ],
)
def test_plain_values(write, text, value):
    assert read_small_yaml(write(text)) == value


def test_the_shipped_configs_are_read():
    for path in [ROOT / "config.yaml", *(ROOT / "config").rglob("*.yaml")]:
        assert isinstance(read_small_yaml(path), dict)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x\n  b: *x\n", r"a\.yaml, line 2: \*x refers to a value within itself"),
        ("&x\na: *x\n", "refers to a value within itself"),
        ("a: &x\n  <<: *x\n", "refers to a value within itself"),
        ("a: " + "[" * 5000 + "]" * 5000, "more than 50 levels"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "cannot be read|more than 50 levels"),
        ("".join(" " * k + "a:\n" for k in range(4000)), "more than 50 levels"),
        ("b0: &b0 [x, x, x, x, x, x, x, x, x]\n" + LISTS, "more than 200000 values"),
        ("b0: &b0 {x: 1}\n" + MERGES, "more than 200000 values"),
        ("a: [" + "b," * 300_000 + "]", "more than 200000 values"),
        ("#" * 10_000_001, "more than 10000000 bytes"),
        ("a: " + "9" * 5000, "cannot be read: .*digits"),
        ("a: [\n", "cannot be read"),
        ("? [a]\n: 1\n", "cannot be read"),
        ("a: !!python/object/apply:os.getcwd []\n", "cannot be read"),
    ],
)
def test_a_hostile_file_is_refused_at_once_with_one_message(write, text, message):
    path = write(text)
    start = time.monotonic()
    with pytest.raises(RequestError, match=message) as raised:
        read_small_yaml(path)
    assert time.monotonic() - start < 5
    assert len(str(raised.value)) < 500


def test_no_file(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_small_yaml(tmp_path / "none.yaml")
