"""Hard sharing: a backbone cut into stages, shared as a layout says."""

from collections.abc import Sequence

from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models.backbones import Backbone
from mtlattack.models.layouts import Layout, parse_layout
from mtlattack.models.network import MultiTaskNetwork, NetworkConfig


class TreeNetwork(MultiTaskNetwork):
    """Stage `s` holds one copy of the backbone's stage per group of the layout's partition.

    A task's features come from the groups it belongs to, so tasks share exactly the stages in which they share a group.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        backbone = self._create_backbone()
        self.layout = parse_layout(config.layout, list(self.tasks), len(backbone.stages))
        # Copies come from backbones of their own, so each starts from weights that timm drew for it.
        twins = [self._create_backbone() for _ in range(max(map(len, self.layout.partitions)) - 1)]
        self.stages = _grow_tree([backbone, *twins], self.layout)
        self.heads = self._create_heads(backbone)

    def features(self, x: Tensor) -> dict[str, list[Tensor]]:
        """Each task's features, finest first; a shared stage runs once."""
        paths: dict[str, list[Tensor]] = {name: [] for name in self.tasks}
        for partition, copies in zip(self.layout.partitions, self.stages, strict=True):
            for group, stage in zip(partition, copies, strict=True):  # type: ignore[call-overload]
                path = paths[group[0]]
                features = stage(path[-1] if path else x)
                for name in group:
                    paths[name] = [*paths[name], *features]
        return paths

    def features_and_shared(self, x: Tensor) -> tuple[dict[str, list[Tensor]], Tensor]:
        """What all tasks share is the very same tensor in the paths of all."""
        self._shared_stages()
        paths = self.features(x)
        first, *others = paths.values()
        common = [level for level, *same in zip(first, *others, strict=False) if all(level is other for other in same)]
        return paths, common[-1]

    def deepest_shared(self, x: Tensor) -> Tensor:
        """What the last stage gives that has one copy for all tasks; InputError where the first has several."""
        for copies in self.stages[: self._shared_stages()]:  # type: ignore[union-attr]
            x = copies[0](x)[-1]  # type: ignore[index]
        return x

    def _shared_stages(self) -> int:
        shared = sum(len(partition) == 1 for partition in self.layout.partitions)
        if not shared:
            raise InputError(f"layout {self.layout} has no stage that all tasks share, hence no shared features")
        return shared

    def parts(self) -> dict[str, nn.Module]:
        """`stage 1`… with all copies of a stage, then `head <task>`."""
        return {f"stage {i}": stage for i, stage in enumerate(self.stages, 1)} | self._head_parts()


def _grow_tree(backbones: Sequence[Backbone], layout: Layout) -> nn.ModuleList:
    """Per stage, one copy a group: the first group's from the first backbone, the second's from the second…"""
    return nn.ModuleList(
        nn.ModuleList(backbone.stages[stage] for _, backbone in zip(partition, backbones, strict=False))
        for stage, partition in enumerate(layout.partitions)
    )
