"""The command `circumplex`."""
