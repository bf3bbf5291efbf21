"""What scripts under Snakemake share: shards, logs, devices."""
