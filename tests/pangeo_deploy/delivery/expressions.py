"""GitHub's expressions (`${{ }}`): parse and evaluate, as the language reference says they are.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))"
    r"|'(?P<string>(?:[^']|'')*)'"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<op>&&|\|\||==|!=|<=|>=|[!<>()\[\].,*]))"
)
LITERALS = {"true": True, "false": False, "null": None}
STATUS = {"success", "failure", "cancelled", "always"}


@dataclass
class Parser:
    """One expression's tokens, evaluated while they are read; both sides of && and || are read."""

    tokens: list[tuple[str, str]]
    contexts: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]
    at: int = 0

    def peek(self, *ops: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in [("op", op) for op in ops]

    def take(self, *ops: str) -> str:
        if not self.peek(*ops):
            raise ValueError(f"expected {ops}, found {self.tokens[self.at :]}")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def either(self) -> Any:
        left = self.both()
        while self.peek("||"):
            self.take("||")
            right = self.both()
            left = left if truthy(left) else right
        return left

    def both(self) -> Any:
        left = self.compared()
        while self.peek("&&"):
            self.take("&&")
            right = self.compared()
            left = right if truthy(left) else left
        return left

    def compared(self) -> Any:
        left = self.unary()
        while self.peek("==", "!=", "<", "<=", ">", ">="):
            op = self.take("==", "!=", "<", "<=", ">", ">=")
            left = compare(op, left, self.unary())
        return left

    def unary(self) -> Any:
        if self.peek("!"):
            self.take("!")
            return not truthy(self.unary())
        return self.postfix()

    def postfix(self) -> Any:
        value = self.primary()
        while self.peek(".", "["):
            if self.take(".", "[") == ".":
                if self.peek("*"):
                    self.take("*")
                    value = list(value.values()) if isinstance(value, Mapping) else value
                    continue
                kind, name = self.tokens[self.at]
                assert kind == "name", self.tokens
                self.at += 1
                value = (
                    [at(one, name) for one in value] if isinstance(value, list) else at(value, name)
                )
            else:
                value = at(value, self.either())
                self.take("]")
        return value

    def primary(self) -> Any:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return float(int(text, 16)) if "x" in text else float(text)
        if kind == "string":
            return text.replace("''", "'")
        if (kind, text) == ("op", "("):
            value = self.either()
            self.take(")")
            return value
        if kind != "name":
            raise ValueError(f"unexpected {text!r}")
        if self.peek("("):
            return self.call(text)
        if text.lower() in LITERALS:
            return LITERALS[text.lower()]
        if text not in self.contexts:
            raise ValueError(f"there is no context {text!r}")
        return self.contexts[text]

    def call(self, name: str) -> Any:
        self.take("(")
        arguments = []
        while not self.peek(")"):
            arguments.append(self.either())
            if self.peek(","):
                self.take(",")
        self.take(")")
        known = {key.lower(): value for key, value in {**FUNCTIONS, **self.functions}.items()}
        return known[name.lower()](*arguments)


def tokens(text: str) -> list[tuple[str, str]]:
    """Return (kind, text) of each token."""
    found, position = [], 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if not match:
            raise ValueError(f"cannot read {text[position:]!r}")
        assert match.lastgroup
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def evaluate(text: str, contexts: Mapping[str, Any], functions: Mapping[str, Any]) -> Any:
    """Return the value of one expression."""
    parser = Parser(tokens(text), contexts, functions)
    value = parser.either()
    if parser.at != len(parser.tokens):
        raise ValueError(f"left over in {text!r}: {parser.tokens[parser.at :]}")
    return value


def filled(value: Any, contexts: Mapping[str, Any], functions: Mapping[str, Any]) -> Any:
    """Return `value` with every `${{ }}` in it evaluated; one alone keeps its type."""
    if isinstance(value, Mapping):
        return {key: filled(one, contexts, functions) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, contexts, functions) for one in value]
    if not isinstance(value, str) or "${{" not in value:
        return value
    parts = re.split(r"\$\{\{(.*?)\}\}", value.strip(), flags=re.DOTALL)
    if len(parts) == 3 and not parts[0] and not parts[2]:
        return evaluate(parts[1], contexts, functions)
    return "".join(
        text(evaluate(one, contexts, functions)) if odd % 2 else one
        for odd, one in enumerate(parts)
    )


def condition(raw: Any, contexts: Mapping[str, Any], functions: Mapping[str, Any]) -> bool:
    """Return whether an `if:` holds; without a status function it also asks for success()."""
    whole = str(raw) if raw is not None else "success()"
    inside = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", whole, flags=re.DOTALL)
    expression = inside[1] if inside else whole
    names = {one.lower() for kind, one in tokens(expression) if kind == "name"}
    if not names & STATUS and not functions["success"]():
        return False
    return truthy(evaluate(expression, contexts, functions))


def at(value: Any, key: Any) -> Any:
    """Return a member; what is not there is null. Names do not care for case."""
    if isinstance(value, Mapping):
        return next((one for name, one in value.items() if name.lower() == str(key).lower()), None)
    if isinstance(value, list) and isinstance(key, float) and int(key) < len(value):
        return value[int(key)]
    return None


def truthy(value: Any) -> bool:
    """Return whether a value counts as true: all but false, 0, '', null and NaN."""
    return bool(value) and value == value if not isinstance(value, Mapping | list) else True


def compare(op: str, left: Any, right: Any) -> bool:
    """Compare as GitHub does: strings without case, different types as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.lower(), right.lower()
    elif type(left) is not type(right):
        left, right = number(left), number(right)
    return bool(
        {
            "==": lambda: left == right,
            "!=": lambda: left != right,
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
        }[op]()
    )


def number(value: Any) -> float:
    """Return a value as a number, NaN where it is none."""
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def text(value: Any) -> str:
    """Return a value as it becomes part of a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, Mapping | list) else str(value)


def contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(compare("==", one, what) for one in where)
    return text(what).lower() in text(where).lower()


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "contains": contains,
    "startsWith": lambda whole, part: text(whole).lower().startswith(text(part).lower()),
    "endsWith": lambda whole, part: text(whole).lower().endswith(text(part).lower()),
    "format": lambda pattern, *values: text(pattern).format(*map(text, values)),
    "join": lambda values, between=",": text(between).join(map(text, values)),
    "toJSON": lambda value: json.dumps(value, indent=2),
    "fromJSON": lambda value: json.loads(text(value)),
}
