"""How attacks carry over: matrices, their intervals and tests, tables, heat maps, a page."""

from mtlattack.analysis.transfer.record import TransferRecord
from mtlattack.analysis.transfer.run import AGREEMENT, PLAN, Transfer, read_transfer

__all__ = ["AGREEMENT", "PLAN", "Transfer", "TransferRecord", "read_transfer"]
