"""Write what hashicorp/aws decides about each attribute, read from the provider's own source.

    python tools/provider_facts.py [--source FOLDER]

The schema (`tools/provider_schema.py`) says which attributes there are. The source also says whose
change replaces the thing, what is taken where the configuration is silent, and which values are
refused. This tool has `go` fetch the provider's module (its source; nothing of it is compiled) and
read its schemas (`tools/provider_facts/`), and writes `src/emulated_aws/aws_facts.json`. A newer
provider shows its effect as a diff of that file. It needs Go 1.21 and takes a few seconds.

Checks that the source writes as functions keep their names; `emulated_aws.named_checks` has those
by hand, and this tool names the ones that it has not.
"""

import argparse
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

from emulated_aws.named_checks import BY_HAND

REPOSITORY = Path(__file__).parents[1]
PROGRAM = REPOSITORY / "tools/provider_facts"
SCHEMA = REPOSITORY / "src/emulated_aws/aws_schema.json"
TARGET = REPOSITORY / "src/emulated_aws/aws_facts.json"
MODULE = "github.com/hashicorp/terraform-provider-aws"
# Tagged releases have no name in the Go module proxy (their path lacks the major version), so a
# commit is named. Take a newer one with the release that the schema is of.
VERSION = "v1.60.1-0.20260602190131-5f2286d6d836"
RELEASE = "6.48.0-dev"

# botocore's name of a service where Go's is another.
SERVICES = {"budgets": "budgets", "costexplorer": "ce", "bcmdataexports": "bcm-data-exports"}
SERVICES |= {"cloudwatchlogs": "logs", "eventbridge": "events"}


def download() -> Path:
    """Have `go` fetch the module; return the folder of its source."""
    command = ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"]
    done = subprocess.run(command, cwd=PROGRAM, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"could not fetch {MODULE}@{VERSION}:\n{done.stderr}{done.stdout}")
    return Path(json.loads(done.stdout)["Dir"])


def read_source(source: Path, types: list[str]) -> dict[str, Any]:
    """Return what the program in `tools/provider_facts` reads, by type."""
    command = ["go", "run", ".", "-source", str(source), "-types", ",".join(types)]
    done = subprocess.run(command, cwd=PROGRAM, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@cache
def model(service: str) -> Any:
    """Return botocore's model of a service that Go's SDK calls `service`."""
    return botocore.session.get_session().get_service_model(SERVICES.get(service, service))


def enumeration(reference: str) -> list[str]:
    """Return the values of an enumeration of AWS's, `sdk:SERVICE.Name`."""
    service, _, name = reference.removeprefix("sdk:").partition(".")
    shapes = {shape.lower(): shape for shape in model(service).shape_names}
    return list(model(service).shape_for(shapes[name.lower()]).enum)


def constant(reference: str) -> str:
    """Return the value of one of AWS's constants, such as `sdk:kms.KeySpecSymmetricDefault`."""
    service, _, name = reference.removeprefix("sdk:").partition(".")
    for shape in model(service).shape_names:
        if name.lower().startswith(shape.lower()):
            for value in getattr(model(service).shape_for(shape), "enum", ()):
                if name.lower() == (shape + re.sub(r"\W|_", "", value)).lower():
                    return str(value)
    raise SystemExit(f"not a constant that botocore knows: {reference}")


def value_of(value: Any) -> Any:
    """Return a constant's value; whole numbers as such."""
    if isinstance(value, str) and value.startswith("sdk:"):
        return constant(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def neutral(check: Any) -> Any:
    """Return a check in the form that `emulated_aws.validation` reads, None if it says nothing."""
    if isinstance(check, str):
        return None if check in SILENT else [check]
    name, *arguments = check
    if name in SILENT:
        return None
    if name not in FORMS:
        return [name]
    return FORMS[name](*arguments)


def several(kind: str, *checks: Any) -> Any:
    """Return all or any of several checks."""
    inner = [neutral(check) for check in checks]
    if kind == "any" and None in inner:
        return None  # one that is not read may allow anything
    inner = [form for form in inner if form]
    return inner[0] if len(inner) == 1 else [kind, *inner] if inner else None


def inside(kind: str, check: Any) -> Any:
    """Return what checks the keys or values of a map."""
    return lambda *arguments: [kind, check(*arguments)]


def one_of(values: Any, ignore_case: bool = False) -> Any:
    """Return a choice of values; a list that is no literal cannot be read."""
    match values:
        case ["enum.Values", reference]:
            values = enumeration(reference)
        case ["enum.Slice", *constants]:
            values = constants
        case [str(name), *_] if "." in name and not name.startswith("sdk:"):
            return None  # computed by a loop
        case list():
            pass
        case _:
            return None
    if any(isinstance(value, list) for value in values):
        return None  # a call that is not read
    return ["one_of", *map(value_of, values)]


def matching(kind: str) -> Any:
    """Return what reads a regular expression and the words for what does not match."""

    def form(pattern: Any, words: Any = "") -> Any:
        text = pattern[1]
        if isinstance(text, list) and text[0] == "fmt.Sprintf":
            text = text[1].replace("%s", "{}").format(*text[2:])
        return [kind, text, words]

    return form


def numbers(kind: str) -> Any:
    """Return what reads the limits of a value, a length or a count."""

    def form(*limits: Any) -> Any:
        return (
            [kind, *map(value_of, limits)]
            if all(isinstance(x, int | float) for x in limits)
            else None
        )

    return form


FORMS = {
    "enum.Validate": lambda reference: (
        ["one_of", *enumeration(reference)] if reference.startswith("sdk:") else None
    ),
    "types.StringEnumType": lambda reference: ["one_of", *enumeration(reference)],
    "validation.StringInSlice": one_of,
    "validation.IntInSlice": one_of,
    "stringvalidator.OneOf": lambda *values: one_of(
        values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    ),
    "validation.StringMatch": matching("match"),
    "validation.StringDoesNotMatch": matching("no_match"),
    "stringvalidator.RegexMatches": matching("match"),
    "validation.IntBetween": numbers("between"),
    "validation.FloatBetween": numbers("between"),
    "int64validator.Between": numbers("between"),
    "validation.IntAtLeast": numbers("at_least"),
    "int32validator.AtLeast": numbers("at_least"),
    "int64validator.AtLeast": numbers("at_least"),
    "verify.FloatGreaterThan": numbers("above"),
    "validation.IntDivisibleBy": numbers("multiple_of"),
    "validation.StringLenBetween": numbers("length"),
    "stringvalidator.LengthBetween": numbers("length"),
    "validation.IsCIDRNetwork": numbers("cidr_size"),
    "listvalidator.SizeAtMost": numbers("size_at_most"),
    "mapvalidator.SizeAtMost": numbers("size_at_most"),
    "listvalidator.SizeAtLeast": numbers("size_at_least"),
    "mapvalidator.SizeAtLeast": numbers("size_at_least"),
    "verify.MapSizeAtMost": numbers("size_at_most"),
    "validation.MapKeyLenBetween": inside("each_key", numbers("length")),
    "validation.MapKeyMatch": inside("each_key", matching("match")),
    "verify.MapKeyNoMatch": inside("each_key", matching("no_match")),
    "validation.MapValueLenBetween": inside("each", numbers("length")),
    "validation.MapValueMatch": inside("each", matching("match")),
    "validation.All": lambda *checks: several("all", *checks),
    "validation.AllDiag": lambda *checks: several("all", *checks),
    "validation.Any": lambda *checks: several("any", *checks),
    "validation.ToDiagFunc": neutral,
    "each": lambda check: (form := neutral(check)) and ["each", form],
}
# Types of the framework that check nothing beyond their type.
SILENT = {"(a function)", "slices.make", "types.ipProtocolType", "types.mapType", "types.mapTypeOf"}


def facts_of(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of one attribute."""
    facts = {
        name: attribute[name]
        for name in ("replace", "computed", "keep", "min", "max", "whole", "normal", "deprecated")
        if attribute.get(name)
    }
    if (default := value_of(attribute.get("default"))) is not None:
        facts["default"] = default
    for name in ("conflicts", "exactly_one", "at_least_one", "required_with"):
        if paths := attribute.get(name):
            facts[name] = [re.sub(r"\.0(?=\.|$)", "", path) for path in paths if path]
    if checks := [form for check in attribute.get("checks", ()) if (form := neutral(check))]:
        facts["checks"] = checks
    return facts


def names_in(check: Any) -> set[str]:
    """Return the names of checks that are functions in the source."""
    if check[0] in ("all", "any", "each"):
        return {name for inner in check[1:] for name in names_in(inner)}
    return {check[0]} if "." in check[0] else set()


def write(found: dict[str, Any], target: Path) -> None:
    """Write one type a line, sorted, so that a change reads well in a diff."""
    origin = f"hashicorp/aws {RELEASE}, from the source of its Go module {VERSION}"
    rows, unknown, unread = [], set(), []
    for name, type_ in sorted(found.items()):
        attributes = {
            path: facts for path, one in type_["attributes"].items() if (facts := facts_of(one))
        }
        for facts in attributes.values():
            for check in facts.get("checks", ()):
                unknown |= names_in(check) - set(BY_HAND)
        unread += [f"{name}: {path}" for path in type_.get("unread", ())]
        entry = {"attributes": attributes, "version": type_["version"]}
        entry |= {"customized": True} if type_.get("customized") else {}
        if recorded := type_.get("recorded"):
            entry["recorded"] = recorded
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        rows.append(f"  {json.dumps(name)}: {text}")
    types = ",\n".join(rows)
    target.write_text(f'{{\n "origin": {json.dumps(origin)},\n "types": {{\n{types}\n }}\n}}\n')
    for line in (*unread, *sorted(unknown)):
        print(f"to be written by hand: {line}")
    print(f"{target}: {len(rows)} types; {origin}")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="the module's source, already unpacked")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    schema = json.loads(SCHEMA.read_text())
    types = [*schema["resources"], *(f"data.{name}" for name in schema["data_sources"])]
    write(read_source(options.source or download(), types), options.out)


if __name__ == "__main__":
    main()
