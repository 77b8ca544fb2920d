"""The contract: Stripe's API as derived from its own published types, checked in both directions.

`spec3.json.gz` is OpenAPI 3.0. A reference to another schema is checked as a stub (object and deleted), and then each
object found in the answer against its own schema: compiling the references whole takes minutes, they reach everything.
"""

import copy
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import msgspec

from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.forms import coerce, format_param, unflatten

HERE = Path(__file__).parent
Schema = dict[str, Any]
PLAIN = {"nullable", "x-openEnum", "x-eventObjects", "x-stub"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One violation. `kind` is the keyword of JSON Schema; `path` leads to the value."""

    path: tuple[str | int, ...]
    kind: str
    message: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'/'.join(map(str, self.path))}: {self.message[:300]}"


@dataclass(slots=True, eq=False)
class Operation:
    """One method of one path. `schema` is of the request (form, JSON, or query); `answer` of the 200."""

    method: str
    path: str
    schema: Schema
    answer: Schema
    is_json: bool
    is_query: bool
    validators: dict[str, Any] = field(default_factory=dict)


class Contract:
    def __init__(self) -> None:
        spec = msgspec.json.decode(gzip.decompress((HERE / "spec3.json.gz").read_bytes()))
        self.version: str = spec["info"]["version"]
        self.schemas: dict[str, Schema] = spec["components"]["schemas"]
        self.event_objects: dict[str, list[str]] = self.schemas["event"]["x-eventObjects"]
        self.event_types = frozenset(self.schemas["event"]["properties"]["type"]["enum"])
        self.thin_events: dict[str, str] = {}
        self.by_object: dict[tuple[str, bool], str] = {}
        for name, schema in self.schemas.items():
            kind = schema.get("properties", {}).get("object", {}).get("enum", [""])[0]
            if kind == "v2.core.event" and name != kind:
                self.thin_events[schema["properties"]["type"]["enum"][0]] = name
            elif kind:
                self.by_object[kind, name.startswith("deleted_")] = name
        self.literal: dict[tuple[str, str], Operation] = {}
        self.templated: dict[int, list[tuple[re.Pattern[str], dict[str, Operation]]]] = {}
        self.operations: dict[tuple[str, str], Operation] = {}
        self.validators: dict[str, Any] = {}
        self.branches: dict[int, Any] = {}
        for path, methods in spec["paths"].items():
            operations = {method.upper(): read_operation(method.upper(), path, op) for method, op in methods.items()}
            for method, operation in operations.items():
                self.operations[method, path] = operation
                if "{" not in path:
                    self.literal[method, path] = operation
            if "{" in path:
                pattern = re.compile(re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", path) + "$")
                self.templated.setdefault(path.count("/"), []).append((pattern, operations))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation and the path's parameters; nothing if the contract has none."""
        if operation := self.literal.get((method, path)):
            return operation, {}
        for pattern, operations in self.templated.get(path.count("/"), []):
            if method in operations and (match := pattern.match(path)):
                return operations[method], match.groupdict()
        return None

    # Requests

    def read_params(self, operation: Operation, pairs: list[tuple[str, str]]) -> dict[str, Any]:
        return cast(dict[str, Any], coerce(unflatten(pairs), operation.schema, self.fits))

    def check_request(self, operation: Operation, params: Any, *, allowed: frozenset[str] = frozenset()) -> None:
        """Raise the error that Stripe answers. `allowed`: parameters that the compat mode lets through."""
        if operation.validators.get("request") is None:
            operation.validators["request"] = self.compile(operation.schema)
        if operation.validators["request"].is_valid(params):
            return
        problems = list(self.list_problems(operation.validators["request"], params))
        for problem in problems:
            if problem.kind == "additionalProperties" and allowed:
                names = tuple(name for name in problem.names if format_name((*problem.path, name)) not in allowed)
                if not names:
                    continue
                problem = Problem(problem.path, problem.kind, problem.message, names)
            raise describe_problem(problem, params)

    def fits(self, value: Any, schema: Schema) -> bool:
        """Whether a branch of a choice takes the value; compiled once for each branch."""
        validator = self.branches.get(id(schema))
        if validator is None:
            validator = self.branches[id(schema)] = self.compile(schema)
        return bool(validator.is_valid(value))

    # Answers and webhook bodies

    def check_answer(self, operation: Operation, body: Any) -> list[Problem]:
        """What is wrong with an answer of 200. An operation that answers nothing has an empty schema."""
        if not operation.answer:
            return []
        if operation.validators.get("answer") is None:
            operation.validators["answer"] = self.compile(operation.answer)
        problems = list(self.list_problems(operation.validators["answer"], body))
        return problems + list(self.check_objects(body, ()))

    def check_event(self, event: dict[str, Any]) -> list[Problem]:
        """A webhook's body: the event, whether its object is of the kind its type promises, and the object."""
        problems = self.check_object(event)
        wanted = self.event_objects.get(event["type"])
        if wanted:
            inner = event["data"]["object"]
            found = self.by_object.get((inner.get("object", ""), inner.get("deleted") is True))
            if found is not None and found.removeprefix("deleted_") not in {n.removeprefix("deleted_") for n in wanted}:
                problems.append(Problem(("data", "object"), "kind", f"{event['type']} carries {wanted}, not {found}"))
        return problems

    def check_object(self, value: Any) -> list[Problem]:
        return list(self.check_objects(value, ()))

    def check_objects(self, value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
        if isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, (dict, list)):
                    yield from self.check_objects(item, (*path, position))
        elif isinstance(value, dict):
            kind = value.get("object")
            if isinstance(kind, str) and kind not in ("list", "search_result"):
                yield from self.check_by_kind(kind, value, path)
            for key, item in value.items():
                if isinstance(item, (dict, list)) and key not in ("metadata", "previous_attributes", "payload"):
                    yield from self.check_objects(item, (*path, key))

    def check_by_kind(self, kind: str, value: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[Problem]:
        if kind == "v2.core.event":
            name = self.thin_events.get(str(value.get("type")))
        elif kind == "v2.core.event_destination" and value.get("deleted"):
            return
        else:
            name = self.by_object.get((kind, value.get("deleted") is True))
        if name is None:
            yield Problem(path, "object", f"the contract has no object {kind!r}")
            return
        for problem in self.list_problems(self.get_validator(name), value):
            yield Problem((*path, *problem.path), problem.kind, problem.message, problem.names)

    # Compilation

    def get_validator(self, name: str) -> Any:
        if name not in self.validators:
            self.validators[name] = self.compile(self.schemas[name])
        return self.validators[name]

    def compile(self, schema: Schema) -> Any:
        return jsonschema_rs.Draft202012Validator(self.convert(schema))

    def convert(self, schema: Any) -> Any:
        """OpenAPI 3.0 to JSON Schema: `nullable` becomes a type, a reference a stub."""
        if "$ref" in schema:
            return self.make_stub(schema["$ref"].rpartition("/")[2])
        made = {key: value for key, value in schema.items() if key not in PLAIN}
        if made.get("additionalProperties") is False:  # without any property the validator would not name what is extra
            made.setdefault("properties", {})
        if "properties" in made:
            made["properties"] = {key: self.convert(value) for key, value in made["properties"].items()}
        for key in ("items", "additionalProperties"):
            if isinstance(made.get(key), dict):
                made[key] = self.convert(made[key])
        if "anyOf" in made:
            made["anyOf"] = [self.convert(branch) for branch in made["anyOf"]]
        if schema.get("nullable"):
            if "type" in made:
                made["type"] = [made["type"], "null"]
            if "enum" in made and None not in made["enum"]:
                made["enum"] = [*made["enum"], None]
            if "anyOf" in made:
                made["anyOf"] = [*made["anyOf"], {"type": "null"}]
        return made

    def make_stub(self, name: str) -> Schema:
        schema = self.schemas[name]
        properties = {key: schema["properties"][key] for key in ("object", "deleted") if key in schema["properties"]}
        if name in self.thin_events.values():
            properties["type"] = schema["properties"]["type"]
        stub = {"type": "object", "properties": properties, "required": [*properties]}
        if "deleted" not in properties and ("deleted_" + name) in self.schemas:
            properties["deleted"] = {"enum": [False]}
        return stub

    def list_problems(self, validator: Any, value: Any) -> Iterator[Problem]:
        if validator.is_valid(value):
            return
        for error in validator.iter_errors(value):
            yield read_error(error)


@cache
def get_contract() -> Contract:
    return Contract()


def read_operation(method: str, path: str, raw: dict[str, Any]) -> Operation:
    content = raw.get("requestBody", {}).get("content", {})
    answer = raw["responses"]["200"]["content"]["application/json"]["schema"]
    for kind, media in content.items():
        return Operation(method, path, media["schema"], answer, kind.endswith("json"), is_query=False)
    params = [param for param in raw.get("parameters", []) if param["in"] == "query"]
    schema: Schema = {
        "type": "object",
        "properties": {param["name"]: param["schema"] for param in params},
        "required": [param["name"] for param in params if param.get("required")],
        "additionalProperties": False,
    }
    return Operation(method, path, schema, answer, is_json=False, is_query=True)


def read_error(error: Any) -> Problem:
    """A choice that no branch takes is told by the branch that came furthest."""
    kind = error.kind
    if kind.name == "anyOf":
        inner = [sub for branch in kind.context for sub in branch]
        if inner:
            deepest = max(inner, key=lambda sub: (len(sub.instance_path), sub.kind.name not in ("type", "enum")))
            if len(deepest.instance_path) > len(error.instance_path) or deepest.kind.name not in ("type", "enum"):
                return read_error(deepest)
    names: tuple[str, ...] = ()
    if kind.name == "additionalProperties":
        names = tuple(kind.unexpected)
    elif kind.name == "required":
        names = (kind.property,)
    elif kind.name == "enum":
        names = tuple(str(option) for option in kind.options)
    elif kind.name == "type":
        names = tuple(kind.types) if isinstance(kind.types, (list, tuple)) else (str(kind.types),)
    return Problem(tuple(error.instance_path), kind.name, error.message, names)


def describe_problem(problem: Problem, params: Any) -> StripeError:
    """A violation in Stripe's words."""
    param = format_param(problem.path)
    if problem.kind == "additionalProperties":
        name = format_param((*problem.path, problem.names[0]))
        return refuse(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
    if problem.kind == "required":
        name = format_param((*problem.path, problem.names[0]))
        return refuse(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if problem.kind == "enum":
        *first, last = problem.names or ("",)
        options = f"{', '.join(first)}, or {last}" if first else last
        return refuse(f"Invalid {param}: must be one of {options}", param=param)
    given = read_path(params, problem.path)
    wanted = next((name for name in problem.names if name != "null"), problem.kind)
    if given == "":
        return refuse(
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{param}' cannot be unset. You should remove '{param}' from your request or supply a non-empty "
            "value.",
            param=param,
            code="parameter_invalid_empty",
        )
    code = "parameter_invalid_integer" if wanted == "integer" else None
    if problem.kind == "pattern":
        return refuse(
            f"Invalid decimal: {given}; must be a decimal string with at most 12 decimal places.", param=param
        )
    return refuse(f"Invalid {wanted}: {json.dumps(given)[:200].strip(chr(34))}", param=param, code=code)


def read_path(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def format_name(path: tuple[str | int, ...]) -> str:
    """A parameter's name without positions: `phases.iterations`."""
    return ".".join(part for part in map(str, path) if not part.isdigit())


@cache
def load_samples() -> dict[str, Any]:
    samples: dict[str, Any] = msgspec.json.decode((HERE / "fixtures3.json").read_bytes())["resources"]
    return samples


def make_blank(schema: Schema) -> Any:
    """The emptiest value: null where allowed, required fields only, the first of an enum."""
    if schema.get("nullable"):
        return None
    if "anyOf" in schema:
        return make_blank(schema["anyOf"][0])
    if "$ref" in schema:
        return ""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: make_blank(properties[name]) for name in schema.get("required", []) if name in properties}
    blanks: dict[Any, Any] = {"array": [], "string": "", "integer": 0, "number": 0, "boolean": False}
    if schema.get("format") == "decimal":
        return "0"
    return blanks.get(kind, {})


@cache
def get_blank(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], make_blank(get_contract().schemas[name]))


def template(kind: str, /, **given: Any) -> dict[str, Any]:
    """A fresh object with every field that the schema requires, null or empty unless given."""
    return copy.deepcopy(get_blank(kind)) | given
