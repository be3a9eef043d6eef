"""How attacks carry over: between tasks, layouts and models."""

from mtlattack.evaluation.transfers.transferring import transfer, transfer_between_tasks

__all__ = ["transfer", "transfer_between_tasks"]
