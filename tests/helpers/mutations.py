"""Random damage of documents and files, the same for the same seed."""

import json
import math
import random
import string
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

STRANGE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        7,
        255,
        2**31,
        2**63,
        10**30,
        0.5,
        1.5,
        -0.0,
        1e308,
        math.nan,
        math.inf,
        -math.inf,
    ),
    *("", " ", "a", "0", "CT", "../../x", "/etc/passwd", "C:\\x", "a\0b", "ä\u202e", "\ud800", "<script>", "x" * 5000),
    *([], [[]], [0], ["a"], [None], {}, {"": 0}, {"a": {}}, {"0": []}),
)
"""Values that are wrong in most places."""
BYTES = (b"\0", b"\xff", b"\n", b"[", b"{", b'"', b"\x1f\x8b", b"PK\3\4")


def deep(depth: int) -> list:
    """A list in a list in a list."""
    nested: list = []
    for _ in range(depth):
        nested = [nested]
    return nested


def mutate(content: Any, rng: random.Random) -> Any:
    """A copy of JSON content with one to three changes."""
    changed = {"": deepcopy(content)}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        where, key = rng.choice(places)
        _change(where, key, rng)
    return changed.get("")


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Each container with each of its keys, at any depth."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield content, key
            yield from _places(value)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield content, index
            yield from _places(value)


def _change(where: Any, key: Any, rng: random.Random) -> None:
    value, kind = where[key], rng.randrange(8)
    if kind == 0 and key != "":
        del where[key]
    elif kind == 1 and isinstance(where, dict) and key != "":
        where[rng.choice([str(key).upper(), f"{key} ", "", rng.choice(string.ascii_letters)])] = where.pop(key)
    elif kind == 2 and isinstance(value, list) and value:
        value.append(deepcopy(rng.choice(value)))
    elif kind == 3 and isinstance(value, list):
        value.insert(0, deepcopy(rng.choice(STRANGE)))
    elif kind == 4 and isinstance(value, dict):
        value[rng.choice(("", "x", "0", "-1", "mass", "\0"))] = deepcopy(rng.choice(STRANGE))
    elif kind == 5 and isinstance(value, int | float) and not isinstance(value, bool):
        where[key] = rng.choice((-value, value + 1, value * 1000, float(value), str(value)))
    elif kind == 6:
        where[key] = rng.choice(([value], {"x": value}, str(value)))
    else:
        where[key] = deepcopy(rng.choice(STRANGE))


def mutated_json(content: Any, rng: random.Random) -> bytes:
    """The text of mutated JSON content; now and then the text itself is damaged, or nested beyond all measure."""
    kind = rng.randrange(20)
    if kind == 0:
        return b"[" * 100_000
    if kind == 1:
        return json.dumps(mutate({"x": deep(rng.choice((20, 100)))}, rng)).encode()
    text = json.dumps(mutate(content, rng)).encode()
    return damaged(text, rng) if kind < 5 else text


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Bytes with one to four of them changed, or with a piece cut out, doubled, or replaced by noise."""
    result = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not result:
            break
        start = rng.randrange(len(result))
        end = min(len(result), start + rng.choice((1, 2, 4, 16, 256)))
        kind = rng.randrange(6)
        if kind == 0:
            result[start] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del result[start:end]
        elif kind == 2:
            del result[start:]
        elif kind == 3:
            result[start:start] = rng.choice(BYTES) * rng.choice((1, 10))
        elif kind == 4:
            result[start:end] = rng.randbytes(end - start)
        else:
            result[start:start] = result[start:end]
    return bytes(result)


def pick(rng: random.Random, *choices: Sequence[Any]) -> Any:
    """One of the values in one of the lists, each list as often as the others."""
    return rng.choice(rng.choice(choices))
