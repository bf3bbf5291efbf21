"""Reading and writing files: atomically, as Parquet, as tensors."""
