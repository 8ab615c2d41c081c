"""Models: which there are, and how one is loaded by its name."""

from livevlm.models.registry import BUNDLED, Listing, bundled_path, list_models, load_backbone

__all__ = ["BUNDLED", "Listing", "bundled_path", "list_models", "load_backbone"]
