"""Rows as tables, cards, and files of other programs."""
