"""Pretrained networks: architectures, weights and inference."""
