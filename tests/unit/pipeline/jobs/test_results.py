from circumplex.pipeline.jobs.results import list_failures, read_failures
from circumplex.pipeline.requests import FailuresRequest
from circumplex.pipeline.store import Entry, Status, write_index
from running_jobs import running_job


def test_names_of_failed_samples_are_no_formulas_in_a_spreadsheet(tmp_path):
    names = ["=cmd|'/c calc'!A0", "-5", "@sum", "a", "'=a"]
    index, table = tmp_path / "index.json", tmp_path / "list_failures.tsv"
    failed = Entry(Status.FAILED, stage="align_faces", reason="=1+1 is wrong")
    write_index(index, dict.fromkeys(names, failed))
    request = FailuresRequest("list_failures", "code", ["align_faces"])
    list_failures(running_job(tmp_path, request, {"indexes": [index]}, {"failures": table}))
    cells = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    assert {cell[0] for cell in cells} == {"'=cmd|'/c calc'!A0", "'-5", "'@sum", "a", "''=a"}
    assert {cell[2] for cell in cells} == {"'=1+1 is wrong"}
    assert {(row["sample"], row["reason"]) for row in read_failures(table)} == {
        (name, "=1+1 is wrong") for name in names
    }
