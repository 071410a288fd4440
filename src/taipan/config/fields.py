"""Looking up a key of a model and saying in words what it allows.

Both the messages of the loader and the tables of the manual come from the JSON schema of the
pydantic models, read through the functions here, so that they cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema, to_jsonable_python

from taipan.clean_text import escape_line, hide_credentials
from taipan.suggestions import nearest as nearest

Schema = Mapping[str, Any]
KeyPath = Sequence[str | int]

_PATTERNS = {
    r"^[A-Za-z][A-Za-z0-9_]*$": "name (letters, digits and _)",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "name of a file, without .yaml",
    r"^#[0-9a-fA-F]{6}$": "colour such as #e42536",
    r"^[A-Za-z0-9][A-Za-z0-9.:-]*$": "name or address of a host",
    r"^[0-9a-f]{8}$": "8 hexadecimal digits",
    r"^[\w+-][\w.+-]*\.zip$": "name of a ZIP file",
    r"^(https?|roots?)://[^\s/]+.*$": "URL (http, https, root)",
}
_TYPES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_PLURALS = {
    "integer": "integers",
    "number": "numbers",
    "name": "names",
    "section": "sections",
    "URL": "URLs",
}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_LONGEST_VALUE = 60


class AllDefaults(GenerateJsonSchema):
    """Writes also those defaults into a schema that a factory makes."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """Give a default as a plain value."""
        factory: Any = schema.get("default_factory")
        if factory is None:
            return super().get_default_value(schema)
        return to_jsonable_python(factory())


class Fields:
    """The keys of a model, by path.

    Parameters
    ----------
    model
        Model of a YAML file.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self.root: Schema = model.model_json_schema(schema_generator=AllDefaults)
        self._definitions: Schema = self.root.get("$defs", {})
        self._found: dict[tuple[str | int, ...], Schema | None] = {(): self.resolve(self.root)}

    def resolve(self, node: Schema) -> Schema:
        """Follow references; of an optional value, give what it is when it is there."""
        while "$ref" in node:
            described = {k: v for k, v in node.items() if k != "$ref"}
            node = {**self._definitions[node["$ref"].rsplit("/", 1)[-1]], **described}
        if "discriminator" in node:
            return self._join_kinds(node)
        options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
        if len(options) == 1:
            outer = {k: v for k, v in node.items() if k != "anyOf"}
            return self.resolve({**options[0], **outer})
        return node

    def _join_kinds(self, node: Schema) -> Schema:
        """Give one section with the keys of all kinds of a thing, and each kind's own.

        A key that not all of them have says whose it is. `kinds` holds the section of each.
        """
        key = node["discriminator"]["propertyName"]
        kinds = {self._kind_of(key, option): self.resolve(option) for option in node["oneOf"]}
        names = dict.fromkeys(name for kind in kinds.values() for name in kind["properties"])
        joined: dict[str, Schema] = {}
        for name in names:
            found = {k: kind["properties"][name] for k, kind in kinds.items()
                     if name in kind["properties"]}  # fmt: skip
            texts: dict[str, list[str]] = {}
            for kind, child in found.items():
                texts.setdefault(str(child.get("description", "")), []).append(f"`{kind}`")
            text = next(iter(texts))
            if len(found) < len(kinds) or len(texts) > 1:
                text = " ".join(f"{', '.join(of)}: {words}" for words, of in texts.items())
            joined[name] = {**next(iter(found.values())), "description": text}
        joined[key] = {
            "enum": list(kinds),
            "type": "string",
            "description": joined[key]["description"],
        }
        required = [n for n in names if all(n in k.get("required", ()) for k in kinds.values())]
        described = {k: v for k, v in node.items() if k not in ("oneOf", "discriminator")}
        return {
            "description": "One of several kinds",
            **described,
            "type": "object",
            "properties": joined,
            "required": required,
            "additionalProperties": False,
            "kinds": kinds,
        }

    def _kind_of(self, key: str, option: Schema) -> str:
        return str(self.resolve(self.resolve(option)["properties"][key])["const"])

    def find(self, path: KeyPath) -> Schema | None:
        """Give the schema at a path of keys and list indices, or None if there is no such key."""
        node = self._found[()]
        for i, part in enumerate(path, start=1):
            if node is None:
                return None
            here = tuple(path[:i])
            if here not in self._found:
                child = _child(node, part)
                self._found[here] = None if child is None else self.resolve(child)
            node = self._found[here]
        return node

    def has_free_names(self, path: KeyPath) -> bool:
        """Tell whether the keys below a path are names that a user chooses."""
        node = self.find(path)
        return node is not None and entries(node) is not None

    def real_path(self, path: KeyPath) -> list[str | int]:
        """Drop the parts of an error's location that are no keys (kinds of a thing)."""
        return self.walk(path)[0]

    def walk(self, path: KeyPath) -> tuple[list[str | int], Schema]:
        """Follow an error's location, in which a kind's name stands before its keys.

        Returns
        -------
        kept, node
            The keys, and the schema of the last: of a kind its own section.
        """
        kept: list[str | int] = []
        node = self.resolve(self.root)
        for part in path:
            if part in node.get("kinds", {}):
                node = node["kinds"][part]
                continue
            child = _child(node, part)
            if child is not None:
                kept.append(part)
                node = self.resolve(child)
            elif (option := _choose_option(node, part)) is not None:
                node = self.resolve(option)
        return kept, node

    def describe(self, node: Schema) -> str:
        """Say in words what a value may be, e.g. ``integer, ≥ 2, ≤ 20``."""
        if "anyOf" in node:
            if len(node["anyOf"]) > 2 or not is_optional(node):
                return " or ".join(self.describe(option) for option in node["anyOf"])
            return f"{self.describe(self.resolve(node))}, or null"
        node = self.resolve(node)
        if "enum" in node:
            return "one of " + ", ".join(str(value) for value in node["enum"])
        if "const" in node:
            return str(node["const"])
        kind = node.get("type")
        if kind == "array":
            return self._describe_list(node)
        if kind == "object":
            inner = entries(node)
            if inner is None:
                return "section"
            return f"mapping of names to {self._plural(inner)}"
        if "pattern" in node:
            return _PATTERNS.get(node["pattern"], f"text matching {node['pattern']}")
        words = [_TYPES.get(str(kind), "any value")]
        words += [f"{sign} {node[key]:g}" for key, sign in _LIMITS.items() if key in node]
        if node.get("minLength"):
            words.append("not empty")
        return ", ".join(words)

    def _describe_list(self, node: Schema) -> str:
        if "prefixItems" in node:
            return f"list of {len(node['prefixItems'])} {self._plural(node['prefixItems'][0])}"
        text = f"list of {self._plural(node['items'])}"
        return f"{text}, at least {node['minItems']}" if node.get("minItems") else text

    def _plural(self, node: Schema) -> str:
        words = self.describe(node)
        for singular, plural in _PLURALS.items():
            if words == singular or words.startswith(f"{singular} ("):
                return plural + words.removeprefix(singular)
            if words.startswith(f"{singular}, "):
                return f"{plural} ({words.removeprefix(f'{singular}, ')})"
        return words


def _child(node: Schema, part: str | int) -> Schema | None:
    found: Schema | None
    if isinstance(part, int):
        found = node.get("items")
        prefix = node.get("prefixItems", ())
        return prefix[part] if part < len(prefix) else found
    found = node.get("properties", {}).get(part)
    return found if found is not None else entries(node)


def _choose_option(node: Schema, tag: str | int) -> Schema | None:
    """Give the kind of value, of several, that a part of an error's location names."""
    for option in node.get("anyOf", ()):
        is_list = option.get("type") == "array" and str(tag).startswith("list[")
        if is_list or option.get("$ref", "").rsplit("/", 1)[-1] == tag:
            found: Schema = option
            return found
    return None


def is_other_kind(detail: Any, details: Sequence[Any]) -> bool:
    """Tell whether a value may be of several kinds, and an error within another one says more."""
    if detail["type"] not in ("list_type", "model_type", "model_attributes_type"):
        return False
    place = detail["loc"][:-1]
    deeper = [other["loc"] for other in details if len(other["loc"]) > len(detail["loc"])]
    return any(loc[: len(place)] == place for loc in deeper)


def is_optional(node: Schema) -> bool:
    """Tell whether null is a value of the key."""
    return any(option.get("type") == "null" for option in node.get("anyOf", ()))


def entries(node: Schema) -> Schema | None:
    """Give the schema of the entries of a mapping with free names, None for a section."""
    for values in node.get("patternProperties", {}).values():
        found: Schema = values
        return found
    extra = node.get("additionalProperties")
    return extra if isinstance(extra, Mapping) else None


def format_path(path: KeyPath) -> str:
    """Write a path as it reads in a message: ``systematics.tau_energy_scale.samples[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def format_value(value: Any) -> str:
    """Write a value as it reads in YAML, quoted if text, shortened if long."""
    if isinstance(value, str):
        text = f"'{escape_line(value)}'"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = hide_credentials(text)  # before it is cut short, which could leave a part of one
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
