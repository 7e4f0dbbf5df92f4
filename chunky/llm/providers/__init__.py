"""Providers of models, each behind a lazy import."""
