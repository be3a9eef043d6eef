"""How attacks carry over: between tasks, layouts and models."""

from mtlattack.evaluation.transfer.transferring import transfer, transfer_between_tasks

__all__ = ["transfer", "transfer_between_tasks"]
