"""Circumplex: valence-arousal estimation from video, as a typed library under a Snakemake workflow.

The package lives beside the workflow's scripts so that it imports in every environment without
being installed: Snakemake puts the folder of a script on ``sys.path``.
"""
