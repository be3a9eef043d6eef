"""Which networks and images the studies of attacks take: the shipped ones, which anyone can load again."""

from dataclasses import dataclass

from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.models import create_model
from mtlattack.models.network import MultiTaskNetwork
from mtlattack.tasks import TaskMap

# All shipped networks were trained with it.
SHIPPED_SEED = 0


@dataclass(frozen=True)
class Family:
    """Networks of one data set that differ in layout, clean and adversarially trained."""

    data: str
    clean: tuple[str, ...]
    robust: tuple[str, ...]


ROOMS = Family(
    "rooms",
    tuple(f"rooms-resnet10t.{layout}" for layout in ("shared", "degree68", "degree32", "separate")),
    tuple(f"rooms-resnet10t.{layout}.at-dgba" for layout in ("shared", "degree68", "degree32", "separate")),
)
NYU = Family(
    "nyuv2",
    tuple(f"nyuv2-resnet10t.{layout}" for layout in ("shared", "degree53", "separate")),
    tuple(f"nyuv2-resnet10t.{layout}.at-dgba" for layout in ("shared", "degree53", "separate")),
)
FAMILIES = (ROOMS, NYU)


def families(quick: bool) -> tuple[Family, ...]:
    """Those of a study: the rooms' alone in a quick one."""
    return (ROOMS,) if quick else FAMILIES


def clean_networks(quick: bool, few: int = 1) -> list[str]:
    """Names of all clean ones; in a quick study the first `few` of the rooms'."""
    return [model for family in families(quick) for model in family.clean[: few if quick else None]]


def load(model: str, images: int) -> tuple[MultiTaskNetwork, PreparedDataset]:
    """A shipped network, and `spread` images of its data set.

    InputError where the real images are not prepared.
    """
    network = create_model(model)
    return network, spread(model.partition("-")[0], network.tasks, images)


def spread(data: str, tasks: TaskMap, images: int) -> PreparedDataset:
    """So many test images that are spread over the split, with labels of these tasks."""
    whole = load_dataset(data, tasks=tasks)
    return load_dataset(data, tasks=tasks, every=max(len(whole) // images, 1), limit=images)
