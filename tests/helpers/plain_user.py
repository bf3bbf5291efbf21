"""Commands as any user but root runs them: permissions of files count."""

import os
import shutil

import pytest

BYPASSES = "-dac_override,-dac_read_search"
"""Capabilities by which root reads what its permissions forbid."""


def without_bypass() -> tuple[str, ...]:
    """What to put before a command; nothing for a plain user. Skips the test where root cannot."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root reads any file, and setpriv is not installed")
    return ("setpriv", f"--bounding-set={BYPASSES}", f"--inh-caps={BYPASSES}")
