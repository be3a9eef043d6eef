"""The board as pages: static HTML that works from disk."""

from mtlattack.leaderboard.pages.build import build_pages

__all__ = ["build_pages"]
