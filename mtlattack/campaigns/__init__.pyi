from .campaign import ENGINES, Ended, run_campaign
from .description import Campaign, load_campaign
from .summary import render_summary
from .torchrun import evaluate_together, launched

__all__ = [
    "ENGINES",
    "Campaign",
    "Ended",
    "evaluate_together",
    "launched",
    "load_campaign",
    "render_summary",
    "run_campaign",
]
