"""The skeleton of a new adapter: `draw` makes its files from templates, `write` puts them on disk.

What it draws pretends nothing: no operation is in it, and the conformance suite says what to write.
"""

from giftcard_conformance.skeleton.skeleton import Skeleton, SkeletonError, draw, is_checkout, write

__all__ = ["Skeleton", "SkeletonError", "draw", "is_checkout", "write"]
