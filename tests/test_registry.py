"""Registries: one name, one thing; a miss says what was meant."""

import pytest

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.registry import Registry, match_names


def registry(*names: str) -> Registry[int]:
    result: Registry[int] = Registry("attack")
    for number, name in enumerate(names):
        result.register(name)(number)
    return result


def test_get_gives_what_was_registered():
    table = registry("pgd", "apgd")
    assert table.get("apgd") == 1 and "pgd" in table and "bim" not in table
    assert list(table) == ["pgd", "apgd"]


def test_a_name_is_registered_once():
    table = registry("pgd")
    with pytest.raises(ValueError, match="attack 'pgd' is registered twice"):
        table.register("pgd")(7)
    assert table.get("pgd") == 0


def test_a_miss_names_the_nearest_or_all():
    table = registry("pgd-dgba", "apgd-dgba", "fgsm-total")
    with pytest.raises(UnknownNameError, match=r"^unknown attack 'apgd-dbga'; did you mean 'apgd-dgba'\?$"):
        table.get("apgd-dbga")
    with pytest.raises(InputError, match="known: apgd-dgba, fgsm-total, pgd-dgba"):
        table.get("zzz")
    with pytest.raises(InputError, match="known: none"):
        registry().get("x")


def test_names_come_in_natural_order_and_by_glob():
    table = registry("resnet10", "resnet9", "vit", "10a", "9a")
    assert table.names() == ["9a", "10a", "resnet9", "resnet10", "vit"]
    assert table.names("res*") == ["resnet9", "resnet10"]
    assert match_names(["a2", "a10", "b"], "a*") == ["a2", "a10"]


def test_a_message_is_one_line_whatever_a_name_holds() -> None:
    error = UnknownNameError("column", "id", ["\n", "a\r\nb"])
    assert str(error) == "unknown column 'id'; known:  , a b"
