"""Errors of Snakemake, as its own functions write them, without what surrounds the text."""

import pytest
from snakemake.exceptions import (
    InputFunctionException,
    LockException,
    WorkflowError,
    format_exception_to_string,
)

from snakemake_logger_plugin_circumplex.messages import UNLOCK, plain_error

TEXT = "densenet: weights nowhere.pth are missing\n  put the file there\n\nor ask by name"


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


def in_a_rule_file(tmp_path):
    """A `WorkflowError` that code of a rule file raised, as Snakemake writes it."""
    path = tmp_path / "common.smk"
    path.write_text(f"raise Wrong({TEXT!r})\n")
    try:
        exec(compile(path.read_text(), str(path), "exec"), {"Wrong": WorkflowError})  # noqa: S102
    except WorkflowError as error:
        return format_exception_to_string(error, {str(path): {1: 1}})


def in_an_input_function():
    rule = type("Rule", (), {"workflow": type("W", (), {"linemaps": {}}), "name": "x"})
    rule.lineno, rule.snakefile = 3, "features.smk"
    error = InputFunctionException(
        raised(WorkflowError(TEXT)), wildcards={"shard": "000-of-001"}, rule=rule
    )
    return format_exception_to_string(error)


def test_an_error_of_the_request_is_its_text_alone(tmp_path):
    text = in_a_rule_file(tmp_path)
    assert text.startswith("WorkflowError in file")
    assert plain_error(text) == TEXT


def test_an_error_in_a_function_that_names_inputs_is_its_text_alone():
    text = in_an_input_function()
    assert "Wildcards:" in text
    assert plain_error(text) == TEXT


def test_advice_for_a_locked_folder_works_without_a_config():
    text = format_exception_to_string(LockException())
    assert "--unlock" in text
    assert plain_error(text) == UNLOCK


@pytest.mark.parametrize(
    "text", ["Traceback (most recent call last):\n  File ...\nKeyError: 3", "x"]
)
def test_other_text_stays(text):
    assert plain_error(text) == text
