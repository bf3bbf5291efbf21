"""Tables with a column of times, as programs and people write them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

TIMES = np.arange(51) / 25
RAMP = [(k / 4, k / 10, -k / 20) for k in range(9)]
EXPECTED = np.stack([TIMES / 0.25 / 10, -TIMES / 0.25 / 20], axis=1)


def text(rows=RAMP, separator=",", decimal=".", header="time{0}valence{0}arousal", end="\n"):
    lines = [header.format(separator)]
    for row in rows:
        lines.append(separator.join(f"{cell:g}".replace(".", decimal) for cell in row))
    return end.join(lines) + end


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")]
)
def test_separators_decimal_signs_and_ends_of_lines(labels, bom, end, separator, decimal):
    path = labels.write("a.csv", bom + text(separator=separator, decimal=decimal, end=end))
    assert recognise(path) == "csv"
    values, metadata = labels(path)
    np.testing.assert_allclose(values, EXPECTED, atol=1e-6)
    assert metadata["rows_dropped"] == 0


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Time,Valence,Arousal", 1),
        ("timestamp,valence,arousal", 1),
        ("Time (sec),valence,arousal", 1),
        ("time_ms,valence,arousal", 1000),
        ("Time [ms],valence,arousal", 1000),
        ("Milliseconds,valence,arousal", 1000),
    ],
)
def test_units_by_the_columns_name(labels, header, unit):
    rows = [(unit * time, *values) for time, *values in RAMP]
    values, _ = labels(labels.write("a.csv", text(rows, header=header)))
    np.testing.assert_allclose(values, EXPECTED, atol=1e-6)


def test_columns_in_any_order_with_others_beside_them(labels):
    rows = [(arousal, 7, time, valence) for time, valence, arousal in RAMP]
    path = labels.write("a.csv", text(rows, header="arousal,confidence,time,valence"))
    np.testing.assert_allclose(labels(path)[0], EXPECTED, atol=1e-6)


def test_columns_range_and_unit_that_the_config_names(labels):
    rows = [(1000 * time, 50 + 50 * valence, 50 + 50 * arousal) for time, valence, arousal in RAMP]
    path = labels.write("a.csv", text(rows, header="Zeit;V;A", separator=";", decimal=","))
    table = {"time": "Zeit", "valence": ["V"], "arousal": ["A"], "unit": "ms", "range": [0, 100]}
    assert recognise(path, has_time=True) == "csv"
    assert recognise(path) == "affwild2"
    values, _ = labels(path, layout="csv", table=table)
    np.testing.assert_allclose(values, EXPECTED, atol=1e-6)


def test_two_files_one_per_target(labels):
    valence = labels.write("v.csv", text([row[:2] for row in RAMP], header="time,value"))
    arousal = labels.write("a.csv", text([row[::2] for row in RAMP], header="time,A1"))
    values, _ = labels(valence=valence, arousal=arousal)
    np.testing.assert_allclose(values, EXPECTED, atol=1e-6)
    values, _ = labels(valence=valence)
    np.testing.assert_allclose(values[:, 0], EXPECTED[:, 0], atol=1e-6)
    assert np.isnan(values[:, 1]).all()


def test_annotators_in_columns_rows_and_files_give_the_same(labels):
    first = [(time, valence) for time, valence, _ in RAMP]
    second = [(time, valence / 2) for time, valence, _ in RAMP]
    columns = [(time, valence, valence / 2) for time, valence, _ in RAMP]
    header = "time,valence_anna,valence_ben"
    wide = labels.write("wide.csv", text(columns, header=header))
    rows = "".join(
        f"{time},{value},{name}\n"
        for name, of in (("anna", first), ("ben", second))
        for time, value in of
    )
    long = labels.write("long.csv", "time,valence,annotator\n" + rows)
    labels.write("both/anna.csv", text(first, header="time,valence"))
    labels.write("both/ben.csv", text(second, header="time,valence"))
    labels.write("both/.hidden", "no table")
    folder = labels.folder / "both"
    assert recognise(folder) == "csv"
    results = [labels(path) for path in (wide, long, folder)]
    for values, metadata in results:
        np.testing.assert_allclose(values[:, 0], 0.75 * EXPECTED[:, 0], atol=1e-6)
        assert metadata["agreement"]["valence"]["annotators"] == 2
        assert metadata["agreement"] == results[0][1]["agreement"]
    _, metadata = labels(wide, combination="ewe")
    np.testing.assert_allclose(metadata["agreement"]["valence"]["weights"], [0.5, 0.5], atol=1e-5)


def test_missing_values_are_unannotated(labels):
    path = labels.write("a.csv", "time,valence,arousal\n0,0.5,\n1,NaN,0.5\n2,0.5,0.5\n")
    values, _ = labels(path)
    assert np.isnan(values[1:50, 0]).all()
    assert np.isnan(values[:25, 1]).all()
    np.testing.assert_array_equal(values[25:, 1], 0.5)
    np.testing.assert_array_equal(values[[0, 50], 0], 0.5)


@pytest.mark.parametrize("rows", [["0,0.1,0.2"], ["0.004,0.1,0.2"]])
def test_one_row(labels, rows):
    path = labels.write("a.csv", "time,valence,arousal\n" + "\n".join(rows))
    if rows[0].startswith("0,"):
        values, _ = labels(path)
        assert (~np.isnan(values)).sum() == 2
        return
    with pytest.raises(SampleError, match="annotates no frame"):
        labels(path)


def test_rows_beyond_the_videos_end_are_dropped_and_counted(labels):
    rows = [*RAMP, (2.5, 0, 0), (3.0, 0, 0)]
    values, metadata = labels(labels.write("a.csv", text(rows)))
    np.testing.assert_allclose(values, EXPECTED, atol=1e-6)
    assert metadata["rows_dropped"] == 4  # two of each trace


HEADER = "time,valence,arousal\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"a\.csv is empty"),
        (" \r\n\r\n", r"a\.csv is empty"),
        (HEADER, "has no rows"),
        (
            HEADER + "0,0,0\n60,0,0\n",
            "ends at 60 s, read as seconds, .* video at 2.04 s: is it",
        ),
        (HEADER + "0,0,0\n1000,0,0\n2000,0,0\n", "look like milliseconds.*labels.table.unit to ms"),
        ("time_ms,valence\n0,0\n1,0\n2,0\n", "look like seconds: set labels.table.unit to s"),
        (HEADER + "0,0,5,0,5\n", "line 2 has 5 cells.*decimal commas.*export with semicolons"),
        (HEADER.replace(",", ";") + "0,0.1,0.2\n", "line 2 has 1 cells.*separated in another way"),
        (HEADER + "0;0.1;0.2\n", "line 2 has 1 cells.*separated in another way"),
        (HEADER.replace(",", ";") + "0;0,1;0.2\n", "commas .line 2. and decimal points .line 2."),
        (HEADER + "0,0,0\n1,0\n", "line 3 has 2 cells, the header has 3: the file is cut off"),
        (HEADER + "0,0,0\n1,zero,0\n", "line 3: 'zero' is not a number"),
        (HEADER + "0,0,0\n1,1_0,0\n", "line 3: '1_0' is not a number"),
        (HEADER + "0,0,0\n,0,0\n", "line 3: the time is missing"),
        (HEADER + "0,0,0\ninf,0,0\n", "line 3: the time is missing or no number"),
        (HEADER + "1,0,0\n0,0,0\n", "line 3 has an earlier time than line 2"),
        (HEADER + "0,0,0\n\n0,0,0\n", "line 4 repeats the time of line 2"),
        (HEADER + "0,0,0\n1,2,0\n", "valence is 2, outside the range of -1 to 1: declare"),
        (HEADER + "0,0,0\n1,inf,0\n", "valence is inf, outside"),
        ("time,v,a\n0,0,0\n", "no column valence or arousal; its columns are 'time', 'v', 'a'"),
        (HEADER + '0,0,"0\n' + "1,0,0\n" * 30000, "is no table"),
        (HEADER.encode() + b"\xff\xfe\n", "not text"),
        ("time," + "v," * 2000 + "\n", "more than 1000 columns"),
    ],
)
def test_what_is_refused(labels, content, message):
    path = labels.write("a.csv", content)
    with pytest.raises(SampleError, match=message):
        labels(path, layout="csv")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"time": "Zeit"}, r"no column named 'Zeit' \(labels.table.time\)"),
        ({"valence": ["V"]}, r"no column 'V' \(labels.table.valence\)"),
        ({"annotator": "who"}, r"no column 'who' \(labels.table.annotator\)"),
        ({"decimal": "comma"}, "is not a number"),
    ],
)
def test_what_the_config_names_must_be_there(labels, table, message):
    rows = text(separator=";") + ";;\n"
    path = labels.write("a.csv", rows)
    if table == {"decimal": "comma"}:
        path = labels.write("a.csv", "time;valence\n0;1,000,5\n")
    with pytest.raises(SampleError, match=message):
        labels(path, layout="csv", table=table)


def test_a_declared_decimal_sign_decides(labels):
    path = labels.write("a.csv", "time;valence\n0;0,5\n1.5;0,5\n")
    values, _ = labels(path, table={"decimal": "comma"})
    np.testing.assert_array_equal(values[:38, 0], 0.5)


def test_a_file_of_one_target_must_say_which(labels):
    path = labels.write("a.csv", "time,anna,ben\n0,0.1,0.3\n2,0.1,0.3\n")
    with pytest.raises(SampleError, match="no column valence or arousal"):
        labels(path)
    with pytest.raises(SampleError, match=r"labels\.table\.valence"):
        labels(valence=path)
    values, metadata = labels(valence=path, table={"valence": ["anna", "ben"]})
    np.testing.assert_allclose(values[:, 0], 0.2, atol=1e-7)
    assert metadata["agreement"]["valence"]["annotators"] == 2


def test_a_file_that_is_too_large_is_not_read(labels, monkeypatch):
    monkeypatch.setattr("circumplex.annotations.tables.MOST_BYTES", 10)
    with pytest.raises(SampleError, match="it is no annotation"):
        labels(labels.write("a.csv", text()))


PIECES = st.sampled_from(["time", "valence", ",", ";", "\t", "\n", "\r", '"', "0.5", "nan", "1e9"])
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TEXTS | TEXTS.map(lambda text: HEADER + text), st.sampled_from(["csv", None]))
def test_any_text_is_read_or_refused(labels, content, layout):
    path = labels.write("a.csv", content.encode("utf-8", errors="surrogatepass"))
    try:
        values, _ = labels(path, layout=layout)
    except SampleError:
        return
    known = values[~np.isnan(values)]
    assert len(known) > 0
    assert (np.abs(known) <= 1).all()
