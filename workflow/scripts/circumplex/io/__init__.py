"""Reading and writing files: atomic writes, Parquet, tensors, digests and Markdown tables."""
