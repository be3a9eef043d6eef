"""Campaigns: many runs with one queue, on this machine or on a Ray cluster; and one run under torchrun."""

from mtlattack.campaigns.campaign import ENGINES, Ended, run_campaign
from mtlattack.campaigns.description import Campaign, load_campaign
from mtlattack.campaigns.summary import render_summary
from mtlattack.campaigns.torchrun import evaluate_together, launched

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
