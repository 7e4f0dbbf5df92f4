"""What models make of a mix: attributes of its texts, names of its clusters. Frames in, frames out.

The same tables that rules fill, so that nothing downstream asks who wrote them. A reply that cannot be used is a row of
failures with its reason, never a default.

asking        requests to a model and what its replies say; when a step has seen enough
extraction    ten sentences a query, ten a response
naming        one sentence a cluster
estimating    tokens and dollars before they are spent
"""

from chunky.by_model.asking import Asker

__all__ = ["Asker"]
