"""Rows: their schema, where their numbers come from, and what may enter."""
