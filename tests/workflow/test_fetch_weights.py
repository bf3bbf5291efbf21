"""`snakemake weights`, against a server of our own: what it fetches, and what a run says before."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml

from circumplex.networks.vggish import Postprocessor
from circumplex.networks.weights import Weights, build_network
from projects import Project, copy_project

HEADER = "sample\tvideo\tannotation\tsplit\n"
ROWS = "a\ta.mp4\ta.txt\ttrain\nb\tb.mp4\tb.txt\tval\n"
CONFIG = """\
samples: samples.tsv
shards: 1
weights_cache: ../shared
features:
  vggish: {weights: "random:0", postprocess: quantised, pca: "published:vggish_pca"}
experiments:
  lstm_D_W: {features: [vggish, densenet]}
  transformer_D_WC: null
  transformer_IF_WVCE: null
ensembles: {main: {valence: [lstm_D_W], arousal: [lstm_D_W]}}
"""


class Quiet(SimpleHTTPRequestHandler):
    """A plain file server, which knows no ranges."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(site: tuple[Path, str], tmp_path: Path) -> Project:
    """A project whose catalogue names that server."""
    folder, address = site
    state = build_network(Postprocessor, Weights(seed=0)).state_dict()
    torch.save(state, folder / "pca.pth")
    made = copy_project(tmp_path / "project")
    catalogue = yaml.safe_load(
        (made.root / "workflow/scripts/circumplex/config/weights.yaml").read_text()
    )
    (file,) = catalogue["published"]["vggish_pca"]["files"]
    file["address"], file["sha256_prefix"] = f"{address}/pca.pth", None
    (made.root / "workflow/scripts/circumplex/config/weights.yaml").write_text(
        yaml.safe_dump(catalogue)
    )
    (made.root / "samples.tsv").write_text(HEADER + ROWS)
    (made.root / "own.yaml").write_text(CONFIG)
    return made


def test_weights_are_fetched_by_name_and_missing_ones_stop_a_run(
    project: Project, site: tuple[Path, str], tmp_path: Path
) -> None:
    dry = project.snakemake(configs=("own.yaml",), options=("-n",))
    assert dry.code == 1
    assert dry.rules == set()
    cached = tmp_path / "shared" / "vggish_pca_params-970ea276.pth"
    assert "densenet: weights resources/weights/densenet_ferplus.pth are missing" in dry.text
    assert "vggish: weights ../shared/vggish_pca_params-970ea276.pth are missing" in dry.text
    assert "`snakemake --cores 1 weights`" in dry.text

    fetched = project.snakemake("weights", configs=("own.yaml",))
    assert fetched.code == 0, fetched.text
    assert fetched.rules == {"fetch_weights"}
    assert cached.read_bytes() == (site[0] / "pca.pth").read_bytes()
    assert "to be obtained by hand: densenet: weights resources/weights/densenet" in fetched.text
    assert "100%" in fetched.text

    again = project.snakemake("weights", configs=("own.yaml",))
    assert again.code == 0
    assert again.rules == set()
    dry = project.snakemake(configs=("own.yaml",), options=("-n",))
    assert "vggish_pca" not in dry.text
    assert "densenet: weights" in dry.text

    digest = hashlib.sha256(cached.read_bytes()).hexdigest()
    cached.write_bytes(b"altered")
    dry = project.snakemake(configs=("own.yaml",), options=("-n",))
    assert f"the first download had {digest}" in dry.text
    cached.unlink()
    assert project.snakemake("weights", configs=("own.yaml",)).rules == {"fetch_weights"}
    assert cached.is_file()

    random = "densenet: {weights: 'random:0', batch_size: 32}"
    (project.root / "random.yaml").write_text(f"features: {{{random}}}\n")
    dry = project.snakemake(configs=("own.yaml", "random.yaml"), options=("-n",))
    assert dry.code == 0, dry.text
    assert {"extract_vggish", "extract_densenet", "check_failures"} <= dry.rules
    assert "fetch_weights" not in dry.rules


def test_a_server_that_is_gone_is_named_with_what_to_put_where(
    project: Project, site: tuple[Path, str]
) -> None:
    (site[0] / "pca.pth").unlink()
    failed = project.snakemake("weights", configs=("own.yaml",))
    assert failed.code == 1
    assert "vggish_pca_params-970ea276.pth cannot be fetched" in failed.text
    assert "status 404" in failed.text
    assert f"put {site[1]}/pca.pth at " in failed.text
