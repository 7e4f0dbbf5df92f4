"""Clusters of sentences: spherical k-means over their vectors, the size of it, and what each cluster says."""

from __future__ import annotations

from chunky.clusters.assigning import Assigned, assign
from chunky.clusters.sizes import auto_k
from chunky.clusters.spherical import Checkpoint, Clustering, State, kmeans
from chunky.clusters.summaries import summarize

__all__ = ["Assigned", "Checkpoint", "Clustering", "State", "assign", "auto_k", "kmeans", "summarize"]
