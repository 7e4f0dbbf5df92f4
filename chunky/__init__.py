"""Audit what a post-training mix teaches language models by accident."""

__version__ = "0.1.0"
