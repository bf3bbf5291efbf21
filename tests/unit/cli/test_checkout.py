import pytest

from circumplex.cli.checkout import find_checkout
from circumplex.errors import RequestError
from places import ROOT


def test_the_packages_own_checkout_is_found():
    assert find_checkout() == ROOT


def test_the_nearest_folder_with_both_files_is_the_checkout(tmp_path):
    for folder in (tmp_path, tmp_path / "inner/inner"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Snakefile").touch()
    (tmp_path / "config.yaml").touch()
    assert find_checkout(tmp_path / "inner/inner/module.py") == tmp_path


def test_a_package_without_its_workflow_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"install the package from a checkout"):
        find_checkout(tmp_path / "module.py")
