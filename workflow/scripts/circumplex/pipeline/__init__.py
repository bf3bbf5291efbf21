"""The workflow: plan, requests, store and results."""
