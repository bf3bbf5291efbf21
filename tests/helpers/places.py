"""Folders of the checkout that tests read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
MEDIA = ROOT.parent / "shared" / "media"
"""Real clips beside the checkout; tests that need them are skipped where there are none."""
