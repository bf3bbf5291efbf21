"""Whether memory has run out, or an input has asked for more than any machine has.

Imported while the workflow is parsed: standard library only.
"""

ENOUGH_BYTES = 1 << 28
"""Memory that a job still gets unless it has run out."""


def has_run_out() -> bool:
    """Whether not even a moderate amount of memory can be allocated.

    If it can, the `MemoryError` before was the fault of an input that asks for an absurd amount.
    """
    try:
        bytearray(ENOUGH_BYTES)
    except MemoryError:
        return True
    return False
