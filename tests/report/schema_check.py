#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""JSON documents against a schema. One test a file.

    schema_check.py SCHEMA FILE...

Each FILE must be one valid JSON document in UTF-8 (no key twice in an object) that the schema
accepts; the schema itself must be valid, must describe every key and forbid all others. Needs
Debian's python3-jsonschema.
"""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("skip: python3-jsonschema is not installed\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

SHOWN = 10


def unique(pairs):
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key comes twice: {sorted(k for k in keys if keys.count(k) > 1)[0]}")
    return dict(pairs)


def load(path):
    with open(path, "rb") as f:
        return json.loads(f.read().decode("utf-8"), object_pairs_hook=unique,
                          parse_constant=lambda c: (_ for _ in ()).throw(ValueError(c)))


def gaps(node, at="#"):
    """Places of a schema where a key has no description or unknown keys are allowed."""
    if isinstance(node, list):
        for i, child in enumerate(node):
            yield from gaps(child, f"{at}/{i}")
    if not isinstance(node, dict):
        return
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        yield f"{at}: additionalProperties"
    for key, child in node.get("properties", {}).items() if "type" in node else ():
        if "description" not in child and "$ref" not in child:
            yield f"{at}/{key}: description"
    for key, child in node.items():
        yield from gaps(child, f"{at}/{key}")


def errors_of(validator, path):
    try:
        doc = load(path)
    except (OSError, ValueError) as e:
        return [str(e)]
    best = jsonschema.exceptions.best_match(validator.iter_errors(doc))
    if best is None:
        return []
    found = [best, *(best.context or [])]
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in found[:SHOWN]]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    schema = load(sys.argv[1])
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    results = {sys.argv[1]: list(gaps(schema))}
    for path in sys.argv[2:]:
        results[path] = errors_of(kind(schema), path)
    for path, errors in results.items():
        if errors:
            print(f"FAIL {path}\n  " + "\n  ".join(errors))
    failed = sum(bool(errors) for errors in results.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
