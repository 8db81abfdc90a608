"""What a program written against the description as it was released would stumble over in the description as it is."""

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]


def breaks(old: Node, new: Node) -> list[str]:
    """One line for each: an operation, answer, parameter, field or value that is gone, or newly demanded."""
    return sorted({*_operations(old, new), *_shapes(old, new)})


def _operations(old: Node, new: Node) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, was in methods.items():
            name, now = f"{method.upper()} {path}", new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{name}: gone"
                continue
            yield from _parameters(name, was, now)
            yield from (f"{name}: no answer {status} any more" for status in _good(was) - _good(now))
            for what, before, after in _contents(was, now):
                if before and after != before:
                    yield f"{name}: {what} is {after or 'nothing'} instead of {before}"


def _good(said: Node) -> set[str]:
    return {status for status in said["responses"] if status.startswith("2")}


def _contents(was: Node, now: Node) -> Iterator[tuple[str, str | None, str | None]]:
    yield "body", _shape(was.get("requestBody", {})), _shape(now.get("requestBody", {}))
    for status in _good(was) & _good(now):
        yield f"answer {status}", _shape(was["responses"][status]), _shape(now["responses"][status])


def _shape(holder: Node) -> str | None:
    schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return schema.get("$ref", "").rpartition("/")[2] or None


def _parameters(name: str, was: Node, now: Node) -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in was.get("parameters", [])}
    after = {(each["in"], each["name"]): each for each in now.get("parameters", [])}
    yield from (f"{name}: parameter {key[1]} gone" for key in before.keys() - after.keys())
    for key, each in after.items():
        if each.get("required") and not before.get(key, {}).get("required"):
            yield f"{name}: parameter {key[1]} is demanded"
        yield from _values(f"{name}: parameter {key[1]}", before.get(key, {}).get("schema", {}), each["schema"])


def _shapes(old: Node, new: Node) -> Iterator[str]:
    before, after = old["components"]["schemas"], new["components"]["schemas"]
    asked = _asked(old)
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            yield f"{name}: gone"
            continue
        yield from _values(name, was, now)
        fields, left = was.get("properties", {}), now.get("properties", {})
        yield from (f"{name}.{field}: gone" for field in fields.keys() - left.keys())
        must, had = set(now.get("required", [])), set(was.get("required", []))
        if name in asked:
            yield from (f"{name}.{field}: is demanded" for field in must - had)
        else:
            yield from (f"{name}.{field}: may be absent" for field in had - must if field in left)
        for field in fields.keys() & left.keys():
            yield from _values(f"{name}.{field}", fields[field], left[field])


def _asked(described: Node) -> set[str]:
    """The shapes of bodies: there a field that is newly demanded breaks whoever does not send it."""
    every = [said for methods in described["paths"].values() for said in methods.values()]
    return {shape for said in every if (shape := _shape(said.get("requestBody", {})))}


def _values(where: str, was: Node, now: Node) -> Iterator[str]:
    """Values that are gone, and kinds: what was a text is no number now."""
    yield from (f"{where}: {value!r} is no value any more" for value in _enum(was) - _enum(now) if _enum(now))
    lost = _kinds(was) - _kinds(now)
    if lost and _kinds(now):
        yield f"{where}: no {', '.join(sorted(lost))} any more"


def _enum(schema: Node) -> set[Any]:
    nested = [_enum(each) for each in schema.get("anyOf", [])]
    return {*schema.get("enum", []), *(value for values in nested for value in values)}


def _kinds(schema: Node) -> set[str]:
    """Its JSON types and references."""
    own = schema.get("type", [])
    kinds = {own} if isinstance(own, str) else set(own)
    kinds |= {schema["$ref"]} if "$ref" in schema else set()
    if "items" in schema:
        kinds |= {f"{kind} of items" for kind in _kinds(schema["items"])}
    return kinds.union(*(_kinds(each) for each in schema.get("anyOf", [])))
