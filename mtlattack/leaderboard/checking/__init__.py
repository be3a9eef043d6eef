"""The machine that decides whether a board, or a pull request against it, is well-formed and honest."""

from mtlattack.leaderboard.checking.board_check import check_board
from mtlattack.leaderboard.checking.findings import Finding

__all__ = ["Finding", "check_board"]
