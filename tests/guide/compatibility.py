"""Finds incompatible changes between the released OpenAPI document and the current one."""

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]


def find_breaking_changes(old: Node, new: Node) -> list[str]:
    """One line for each: an operation, answer, parameter, field or value that is gone, or newly demanded."""
    return sorted({*_operations(old, new), *_schemas(old, new)})


def _operations(old: Node, new: Node) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, old_node in methods.items():
            name, new_node = f"{method.upper()} {path}", new["paths"].get(path, {}).get(method)
            if new_node is None:
                yield f"{name}: gone"
                continue
            yield from _parameters(name, old_node, new_node)
            yield from (
                f"{name}: no answer {status} any more"
                for status in _success_statuses(old_node) - _success_statuses(new_node)
            )
            for what, before, after in _content_schemas(old_node, new_node):
                if before and after != before:
                    yield f"{name}: {what} is {after or 'nothing'} instead of {before}"


def _success_statuses(operation: Node) -> set[str]:
    return {status for status in operation["responses"] if status.startswith("2")}


def _content_schemas(old_node: Node, new_node: Node) -> Iterator[tuple[str, str | None, str | None]]:
    yield "body", _schema_name(old_node.get("requestBody", {})), _schema_name(new_node.get("requestBody", {}))
    for status in _success_statuses(old_node) & _success_statuses(new_node):
        yield (
            f"answer {status}",
            _schema_name(old_node["responses"][status]),
            _schema_name(new_node["responses"][status]),
        )


def _schema_name(holder: Node) -> str | None:
    schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return schema.get("$ref", "").rpartition("/")[2] or None


def _parameters(name: str, old_node: Node, new_node: Node) -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in old_node.get("parameters", [])}
    after = {(each["in"], each["name"]): each for each in new_node.get("parameters", [])}
    yield from (f"{name}: parameter {key[1]} gone" for key in before.keys() - after.keys())
    for key, each in after.items():
        if each.get("required") and not before.get(key, {}).get("required"):
            yield f"{name}: parameter {key[1]} is demanded"
        yield from _values(f"{name}: parameter {key[1]}", before.get(key, {}).get("schema", {}), each["schema"])


def _schemas(old: Node, new: Node) -> Iterator[str]:
    before, after = old["components"]["schemas"], new["components"]["schemas"]
    request_schemas = _request_schemas(old)
    for name, old_node in before.items():
        new_node = after.get(name)
        if new_node is None:
            yield f"{name}: gone"
            continue
        yield from _values(name, old_node, new_node)
        fields, left = old_node.get("properties", {}), new_node.get("properties", {})
        yield from (f"{name}.{field}: gone" for field in fields.keys() - left.keys())
        required, required_before = set(new_node.get("required", [])), set(old_node.get("required", []))
        if name in request_schemas:
            yield from (f"{name}.{field}: is demanded" for field in required - required_before)
        else:
            yield from (f"{name}.{field}: may be absent" for field in required_before - required if field in left)
        for field in fields.keys() & left.keys():
            yield from _values(f"{name}.{field}", fields[field], left[field])


def _request_schemas(document: Node) -> set[str]:
    """The shapes of bodies: there a field that is newly demanded breaks whoever does not send it."""
    every = [operation for methods in document["paths"].values() for operation in methods.values()]
    return {name for operation in every if (name := _schema_name(operation.get("requestBody", {})))}


def _values(where: str, old_node: Node, new_node: Node) -> Iterator[str]:
    """Values that are gone, and kinds: what was a text is no number now."""
    yield from (
        f"{where}: {value!r} is no value any more" for value in _enum(old_node) - _enum(new_node) if _enum(new_node)
    )
    lost = _types(old_node) - _types(new_node)
    if lost and _types(new_node):
        yield f"{where}: no {', '.join(sorted(lost))} any more"


def _enum(schema: Node) -> set[Any]:
    nested = [_enum(each) for each in schema.get("anyOf", [])]
    return {*schema.get("enum", []), *(value for values in nested for value in values)}


def _types(schema: Node) -> set[str]:
    """Its JSON types and references."""
    own = schema.get("type", [])
    types = {own} if isinstance(own, str) else set(own)
    types |= {schema["$ref"]} if "$ref" in schema else set()
    if "items" in schema:
        types |= {f"{type_} of items" for type_ in _types(schema["items"])}
    return types.union(*(_types(each) for each in schema.get("anyOf", [])))
