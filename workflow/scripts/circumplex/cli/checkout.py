"""The checkout that the command works on: the folder of the Snakefile and ``config.yaml``."""

from pathlib import Path

from circumplex.errors import RequestError


def find_checkout(inside: Path = Path(__file__)) -> Path:
    """The nearest folder above ``inside`` that holds a Snakefile and a ``config.yaml``.

    Raises:
        RequestError: there is none; the package was installed without its workflow.
    """
    for folder in inside.resolve().parents:
        if all((folder / name).is_file() for name in ("Snakefile", "config.yaml")):
            return folder
    raise RequestError(
        f"no Snakefile and config.yaml above {inside}: install the package from a checkout, by "
        "`pip install --no-deps --no-build-isolation -e .` in its folder"
    )
