"""Published tables of related tasks, and tables of one's own."""

from mtlattack.poisoning.sources import matlab_tables as matlab_tables
from mtlattack.poisoning.sources import mnist as mnist
from mtlattack.poisoning.sources.registry import READERS, Reader, read_tasks
from mtlattack.poisoning.sources.text_tables import read_described

__all__ = ["READERS", "Reader", "read_described", "read_tasks"]
