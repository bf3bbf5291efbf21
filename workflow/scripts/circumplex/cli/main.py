"""The command `circumplex`."""


def main() -> None:
    """Run the command line."""
