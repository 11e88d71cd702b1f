#!/usr/bin/env python3
"""Reads what Carrack has exported with the readers that everybody has, and compares every value:
records.py PLAIN.ndjson FILE… The first file is the whole table as NDJSON, read by `json`; the others are the
same table in the format that their ending tells: json, ndjson, csv, xml (read by `xmllint`), yaml (by PyYAML).
Independent of Carrack: it knows the documented forms (docs/formats.md) and none of its code.

Prints a line for each file, also for one that it left out for want of a reader; exits 1 at a difference."""
import csv, io, json, shutil, subprocess, sys, xml.etree.ElementTree as tree
from decimal import Decimal

ARRAYS, OBJECTS = {"tags"}, {"metadata"}
SCHEMA = {"id", "title", "content", "type", "tags", "sessionId", "createdAt", "updatedAt", "metadata"}
csv.field_size_limit(1 << 30)


class LeftOut(Exception):
    pass


def parsed(text):
    """JSON with its numbers digit by digit: no float may hide a difference."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def of_json(path):
    return parsed(open(path, encoding="utf-8").read())


def of_ndjson(path):
    return [parsed(line) for line in open(path, encoding="utf-8", newline="\n")]


def of_csv(path):
    def record(cells):
        members = parsed(cells.pop("extra") or "{}")
        for name, cell in cells.items():
            # Only PostgreSQL tells "" from nothing; see `without_empty`.
            if cell:
                is_json = name in OBJECTS or name in ARRAYS and cell.startswith("[")
                members[name] = parsed(cell) if is_json else cell.split(",") if name in ARRAYS else cell
        return members

    with open(path, encoding="utf-8", newline="") as file:
        return [record(cells) for cells in csv.DictReader(file, strict=True)]


def of_xml(path):
    if not shutil.which("xmllint"):
        raise LeftOut("xmllint is not installed")
    # Its reading, written down anew: whatever it would not read as XML ends here.
    told = subprocess.run(["xmllint", "--nonet", "--c14n", path], capture_output=True, check=True)
    if told.stderr:
        raise ValueError(told.stderr.decode())
    return [members(item, True) for item in tree.fromstring(told.stdout)]


def members(element, is_record):
    found = {}
    for field in element:
        found.setdefault(field.tag, []).append(field)
    values = {}
    for name, fields in found.items():
        value = [value_of(field) for field in fields]
        is_json = "{urn:carrack}type" in fields[0].attrib
        if is_record and name == "extra" and is_json:
            values.update(value[0])
        elif len(value) > 1 or is_record and name in ARRAYS and isinstance(value[0], str):
            values[name] = value
        else:
            values[name] = value[0]
    return values


def value_of(field):
    if "{urn:carrack}type" in field.attrib:
        return parsed(field.text)
    return members(field, False) if len(field) else field.text or ""


def of_yaml(path):
    try:
        import yaml
    except ImportError:
        raise LeftOut("PyYAML is not installed")

    class Exact(yaml.SafeLoader):
        pass

    for kind in ("int", "float"):
        Exact.add_constructor("tag:yaml.org,2002:" + kind, lambda _, node: Decimal(node.value))
    return yaml.load(open(path, encoding="utf-8", newline=""), Loader=Exact)


READERS = {"json": of_json, "ndjson": of_ndjson, "csv": of_csv, "xml": of_xml, "yaml": of_yaml}


def without_empty(record):
    """What Python's `csv` can tell: it gives "" for nothing, too."""
    return {name: value for name, value in record.items() if name not in SCHEMA or value != ""}


def typed(value):
    """Values with their types: in Python, True is 1."""
    if isinstance(value, dict):
        return {name: typed(member) for name, member in value.items()}
    return [typed(element) for element in value] if isinstance(value, list) else (type(value).__name__, value)


def main(plain, *paths):
    table = of_ndjson(plain)
    for path in paths:
        ending = path.rsplit(".", 1)[1]
        try:
            found = list(READERS[ending](path))
        except LeftOut as reason:
            print(f"left out: {path}: {reason}")
            continue
        expected = [without_empty(record) for record in table] if ending == "csv" else table
        for number, (one, other) in enumerate(zip(expected, found), 1):
            if typed(one) != typed(other):
                names = [name for name in {**one, **other} if typed(one.get(name)) != typed(other.get(name))]
                sys.exit(f"{path}: record {number}: {names}: expected {one}, found {other}")
        if len(found) != len(expected):
            sys.exit(f"{path}: found {len(found)} records, expected {len(expected)}")
        print(f"{path}: {len(found)} records are equal")


main(*sys.argv[1:])
