"""JSON that others wrote, read field by field: duplicate and unknown keys, wrong types and sizes over a cap are refused."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from split_ci.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SPEC_ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
MAX_BYTES = 64 * 1024 * 1024
MAX_VALUES = 2_000_000
BIG = 1024 * 1024


def read_object(text: str, what: str, limit: int = MAX_BYTES) -> Fields:
    """The one JSON object in a text. `what` names it in messages. Raises Refused."""
    if len(text) > limit:
        raise Refused(f"{what}: larger than {limit} characters")
    if len(text) > BIG and _values(text) > MAX_VALUES:
        raise Refused(f"{what}: more than {MAX_VALUES} values")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise Refused(f"{what}: not JSON: {error}") from None
    except RecursionError:
        raise Refused(f"{what}: nested too deeply") from None
    return Fields(value, what)


def _values(text: str) -> int:
    """About how many values a JSON text holds: `[[],[],…]` takes twenty times its own size in memory."""
    bare = re.sub(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)', "", text, flags=re.DOTALL)
    return sum(map(bare.count, ",[{"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = sorted(k for k, _ in pairs)
        twice = next(a for a, b in pairwise(seen) if a == b)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


class Fields:
    """One JSON object. Each getter takes a key out; `end` refuses what nobody took."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise Refused(f"{what}: not an object")
        self._left: dict[str, Any] = dict(value)
        self.what = what

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def _take(self, key: str) -> Any:  # noqa: ANN401 - JSON
        if key not in self._left:
            raise Refused(f"{self.what}: {key} is missing")
        return self._left.pop(key)

    def _wrong(self, key: str, asked: str) -> Refused:
        return Refused(f"{self.what}: {key} must be {asked}")

    def is_null(self, key: str) -> bool:
        """Whether a key is there and null; then it is taken."""
        null = self._left.get(key, "") is None
        if null:
            self._left.pop(key)
        return null

    def facts(self, key: str) -> dict[str, bool | str]:
        """An object of texts, trues and falses by name."""
        value = self._take(key)
        if not isinstance(value, dict) or len(value) > 100:
            raise self._wrong(key, "an object of at most 100 keys")
        for name, fact in value.items():
            if not isinstance(fact, bool | str) or len(str(fact)) > 4096:
                raise Refused(f"{self.what}: {key}: {name[:40]} must be a text, true or false")
        return dict(value)

    def text(self, key: str, limit: int = 65_536) -> str:
        value = self._take(key)
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        if len(value) > limit:
            raise self._wrong(key, f"at most {limit} characters long")
        return value

    def text_or_none(self, key: str, limit: int = 65_536) -> str | None:
        if self._left.get(key, "") is None:
            self._left.pop(key)
            return None
        return self.text(key, limit)

    def spec_id(self, key: str) -> str:
        value = self.text(key, 63)
        if not value or value[0] == "-" or not set(value) <= SPEC_ID:
            raise self._wrong(key, "a spec id (a-z, 0-9 and -, at most 63)")
        return value

    def one_of(self, key: str, names: tuple[str, ...]) -> str:
        value = self._take(key)
        if not isinstance(value, str) or value not in names:
            raise self._wrong(key, "one of " + ", ".join(n or '""' for n in names))
        return value

    def hex(self, key: str, sizes: tuple[int, ...] = (40, 64)) -> str:
        value = self._take(key)
        if not isinstance(value, str) or len(value) not in sizes or not set(value) <= set("0123456789abcdef"):
            raise self._wrong(key, f"{' or '.join(map(str, sizes))} hex digits")
        return value

    def hex_or_none(self, key: str, sizes: tuple[int, ...] = (40, 64)) -> str | None:
        if self._left.get(key, "") is None:
            self._left.pop(key)
            return None
        return self.hex(key, sizes)

    def integer(self, key: str, lowest: int = 0, highest: int = 2**53) -> int:
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise self._wrong(key, f"a whole number from {lowest} to {highest}")
        return value

    def number(self, key: str) -> float:
        value = self._take(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1e15:
            raise self._wrong(key, "a number that is not negative")
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        if self._left.get(key, "") is None:
            self._left.pop(key)
            return None
        return self.number(key)

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def flag_or_none(self, key: str) -> bool | None:
        if self._left.get(key, "") is None:
            self._left.pop(key)
            return None
        return self.flag(key)

    def object(self, key: str) -> Fields:
        return Fields(self._take(key), f"{self.what}: {key}")

    def texts(self, key: str, limit: int = 1000, size: int = 4096) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(v, str) and len(v) <= size for v in value):
            raise self._wrong(key, f"a list of texts of at most {size} characters")
        if len(value) > limit:
            raise self._wrong(key, f"a list of at most {limit}")
        return tuple(value)

    def objects(self, key: str, read: Callable[[Fields], T], limit: int) -> tuple[T, ...]:
        """A list of objects, each read by `read`."""
        value = self._take(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        if len(value) > limit:
            raise self._wrong(key, f"a list of at most {limit}")
        found = []
        for at, each in enumerate(value):
            fields = Fields(each, f"{self.what}: {key}[{at}]")
            found.append(read(fields))
            fields.end()
        return tuple(found)

    def pairs(self, key: str, names: tuple[str, ...], limit: int) -> tuple[tuple[str, str], ...]:
        """A list of `[name, text]`."""
        value = self._take(key)
        if not isinstance(value, list) or len(value) > limit:
            raise self._wrong(key, f"a list of at most {limit}")
        for pair in value:
            if not isinstance(pair, list) or [type(p) for p in pair] != [str, str] or pair[0] not in names:
                raise self._wrong(key, "a list of pairs of texts")
        return tuple((name, text[:200]) for name, text in value)

    def counts(self, key: str) -> dict[str, int]:
        """An object of whole numbers by name."""
        value = self._take(key)
        if not isinstance(value, dict) or not all(
            isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value.values()
        ):
            raise self._wrong(key, "an object of whole numbers")
        return dict(value)

    def end(self) -> None:
        """Raises Refused where a key is left over."""
        if self._left:
            raise Refused(f"{self.what}: unknown key {min(self._left)[:40]!r}")


def canonical(value: object) -> str:
    """JSON that is the same for the same value: sorted keys, ASCII, no blanks."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
