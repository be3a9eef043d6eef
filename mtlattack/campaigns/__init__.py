"""Campaigns: many runs with one queue, on this machine or on a Ray cluster."""

from mtlattack.campaigns.campaign import ENGINES, Ended, run_campaign
from mtlattack.campaigns.description import Campaign, load_campaign
from mtlattack.campaigns.summary import render_summary

__all__ = [
    "ENGINES",
    "Campaign",
    "Ended",
    "load_campaign",
    "render_summary",
    "run_campaign",
]
