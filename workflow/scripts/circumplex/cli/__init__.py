"""The command `circumplex`: one module per subcommand, with `add_arguments` and `run`."""
