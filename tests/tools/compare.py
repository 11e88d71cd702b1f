#!/usr/bin/env python3
"""Compares two files of contexts record by record: compare.py A B. Each is a JSON array with one record per
line, NDJSON, or CSV with a header row. Independent of Carrack: it knows only the formats and the schema.

Prints how many records are equal, different, missing in B and only in B; exits 1 unless all are equal."""
import csv, datetime, hashlib, json, sys

DATES, OBJECTS, ARRAYS = {"createdAt", "updatedAt"}, {"metadata"}, {"tags"}
csv.field_size_limit(1 << 30)


def records(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.read(1)
        file.seek(0)
        if first in "[{":
            for line in file:
                line = line.strip().rstrip(",")
                if line not in ("[", "]", "[]", ""):
                    yield json.loads(line)
        else:
            for row in csv.DictReader(file):
                yield from_cells(row)


def from_cells(row):
    record = {}
    for name, cell in row.items():
        if cell == "" or cell is None:
            continue
        if name == "extra":
            record.update(json.loads(cell))
        elif name in OBJECTS or (name in ARRAYS and cell.startswith("[")):
            record[name] = json.loads(cell)
        elif name in ARRAYS:
            record[name] = cell.split(",")
        else:
            record[name] = cell
    return record


def by_value(value):
    """Numbers compare by value: 0.0 and 0 are one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: by_value(member) for name, member in value.items()}
    return [by_value(element) for element in value] if isinstance(value, list) else value


def canonical(record):
    for name in DATES & record.keys():
        if record[name] is not None:
            date = datetime.datetime.fromisoformat(record[name].replace("Z", "+00:00"))
            record[name] = date.astimezone(datetime.timezone.utc).isoformat()
    # CSV cannot tell an empty list from a missing one when the other side wrote the cell bare.
    for name in ARRAYS & record.keys():
        if record[name] == []:
            del record[name]
    return json.dumps(by_value(record), sort_keys=True, ensure_ascii=False)


def digest(path):
    found, doubled = {}, 0
    for record in records(path):
        key = record["id"]
        doubled += key in found
        found[key] = hashlib.blake2b(canonical(record).encode(), digest_size=16).digest()
    return found, doubled


def main(a, b):
    (left, left_doubled), (right, right_doubled) = digest(a), digest(b)
    equal = sum(1 for key, value in left.items() if right.get(key) == value)
    missing = sum(1 for key in left if key not in right)
    extra = sum(1 for key in right if key not in left)
    different = len(left) - equal - missing
    print(f"{equal} equal, {different} different, {missing} missing, {extra} only in {b}, "
          f"{left_doubled} and {right_doubled} doubled")
    for key in left:
        if right.get(key) != left[key]:
            print("first difference:", key)
            break
    return 0 if equal == len(left) == len(right) and not right_doubled else 1


sys.exit(main(*sys.argv[1:3]))
