"""Where shards and cells run: here, under torchrun, on Ray."""

from mtlattack.campaigns.torchrun import evaluate_together, launched

__all__ = ["evaluate_together", "launched"]
