"""Watching every operation that torch runs."""

from torch.utils._python_dispatch import TorchDispatchMode


class Watching(TorchDispatchMode):
    """A dispatch mode that nobody compiles: without torch's guard against that, which takes longer than the rest."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
