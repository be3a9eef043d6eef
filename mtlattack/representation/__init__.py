"""Robust multi-task representation learning: the linear case, where everything is exact."""
