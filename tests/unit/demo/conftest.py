"""The smallest synthetic corpus, which tests of its maker and of the checks read."""

import pytest

from demo.corpus.make import make_corpus


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    assert make_corpus(0, "tiny", folder / "data", folder / "truth")
    return folder
