"""The structs of a call: Python and the library agree on every field, or nothing is called."""

from __future__ import annotations

from ctypes import Structure, c_int64

import pytest

from gatewright.backends.native import library
from gatewright.backends.native.structs import STRUCTS, Direction, difference, places

PAIRS = [(struct, first) for struct in STRUCTS for first in range(len(struct._fields_) - 1)]


def changed(struct: type[Structure], fields: list[tuple[str, type]]) -> tuple[type, ...]:
    """The structs with one of them given other fields."""
    fake = type(struct.__name__, (Structure,), {"_fields_": fields})
    return tuple(fake if one is struct else one for one in STRUCTS)


def from_the_library() -> list:
    return list(library._fields(library.load().functions))


def test_both_sides_agree() -> None:
    assert difference(from_the_library(), places(STRUCTS)) is None


@pytest.mark.parametrize(("struct", "first"), PAIRS)
def test_two_fields_in_each_other_s_place_are_noticed(struct: type, first: int) -> None:
    fields = list(struct._fields_)
    fields[first], fields[first + 1] = fields[first + 1], fields[first]
    found = difference(from_the_library(), places(changed(struct, fields)))
    assert found is not None
    assert f"its {struct.__name__}" in found
    assert "bytes at" in found


@pytest.mark.parametrize("struct", STRUCTS)
def test_a_field_that_one_side_lacks_is_noticed(struct: type) -> None:
    fewer, more = struct._fields_[:-1], [*struct._fields_, ("new", c_int64)]
    for fields in (fewer, more):
        assert difference(from_the_library(), places(changed(struct, fields)))
    renamed = [("new", struct._fields_[0][1]), *struct._fields_[1:]]
    assert "nowhere" in str(difference(from_the_library(), places(changed(struct, renamed))))


def test_a_library_of_other_structs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = list(Direction._fields_)
    names = [name for name, *_ in fields]
    mask, zone = names.index("mask"), names.index("zone")
    fields[mask], fields[zone] = fields[zone], fields[mask]
    monkeypatch.setattr(library, "STRUCTS", changed(Direction, fields))
    with pytest.raises(
        library.EngineError,
        match=r"was built from other structs \(its Direction.mask is 8 bytes at \d+, and 8 bytes "
        r"at \d+ in Python\); build it again",
    ):
        library.load.__wrapped__()
