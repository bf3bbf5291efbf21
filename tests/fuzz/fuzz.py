"""Feed damaged and hostile files to the code that reads them: ``make fuzz``.

Each input is drawn from the seed, its kind and its number, and read in a process of its own, with
limits of memory, file size and time. A fault is a crash, a hang, an error that is no clear message,
a lost or changed result of the sample beside, or content of another file in a result. Inputs that
show one are kept.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tabulate import tabulate
from tqdm import tqdm

from fuzz.kind import Kind
from fuzz.kinds import KINDS
from fuzz.sandbox import Ending, run_apart

LONGEST_MESSAGE = 2000
UNCLEAR = ("Traceback", "unexpected error")
"""Words of a message that is no clear one."""


@dataclass(frozen=True)
class Fault:
    """What one input showed."""

    kind: str
    number: int
    text: str


def fuzz(kinds: Sequence[Kind], inputs: int, seed: int, work: Path) -> tuple[list[Fault], Counter]:
    """Try inputs of each kind in turn.

    Args:
        kinds: to draw from.
        inputs: number of inputs, of all kinds together.
        seed: of the draw.
        work: folder to work in; holds the inputs that showed a fault.

    Returns:
        faults, and how often each kind was accepted or refused.
    """
    faults, outcomes = [], Counter()
    for number in tqdm(range(inputs), unit="input", disable=None):
        kind = kinds[number % len(kinds)]
        folder = work / f"{kind.name}-{number}"
        found, outcome = try_input(kind, Random(f"{seed} {kind.name} {number}"), folder)
        outcomes[kind.name, outcome] += 1
        faults += [Fault(kind.name, number, text) for text in found]
        if not found:
            shutil.rmtree(folder)
    return faults, outcomes


def try_input(kind: Kind, rng: Random, folder: Path) -> tuple[list[str], str]:
    """Write one input and have it read; returns its faults, and whether it was accepted."""
    folder.mkdir(parents=True)
    bad = kind.write_bad(rng, folder)
    ending = run_apart(partial(kind.consume, bad, folder), folder / "log.txt", kind.time_limit_s)
    faults = [*find_faults(ending)]
    if ending.kind == "fine":
        faults += kind.find_faults(folder)
    return faults, "accepted" if ending.text == "accepted" else "refused"


def find_faults(ending: Ending) -> list[str]:
    """What is wrong with how a process ended."""
    if ending.kind in ("crashed", "hung"):
        return [f"{ending.kind}: {ending.text}"]
    if ending.kind == "raised" and not ending.text.startswith("RequestError: "):
        return [f"not a clear message: {ending.text[:300]}"]
    if ending.text.startswith("FOLLOWED"):
        return [ending.text]
    unclear = any(words in ending.text for words in UNCLEAR)
    if unclear or len(ending.text) > LONGEST_MESSAGE:
        return [f"not a clear message: {ending.text[:300]}"]
    return []


def main() -> int:
    """Print a table of outcomes and the faults; returns 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [kind.name for kind in KINDS]
    parser.add_argument("--inputs", type=int, default=2000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    kinds = [kind(work / "seeds") for kind in KINDS if kind.name in options.kinds]
    faults, outcomes = fuzz(kinds, options.inputs, options.seed, work)
    rows = [
        [
            *(name, outcomes[name, "accepted"], outcomes[name, "refused"]),
            sum(fault.kind == name for fault in faults),
        ]
        for name in options.kinds
    ]
    print(tabulate(rows, ["kind", "accepted", "refused", "faults"]))
    for fault in faults:
        print(f"{work / f'{fault.kind}-{fault.number}'}: {fault.text}")
    if not faults:
        shutil.rmtree(work)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
