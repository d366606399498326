#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What `sapper scan` and `sapper links` print as JSON, against their schemas.

    schema.py ROOT...
"""
import json
import os
import sys

import live

FORMATS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "formats")

# Questions of every kind about one root; ls and cat are in all of them, liblzma in most.
LINKS = [
    ["links", "-t", "ROOT", "ls", "cat"],
    ["links", "--count", "-t", "ROOT", "ls"],
    ["links", "--why", "libc.so.6", "-t", "ROOT", "ls"],
    ["links", "--unneeded", "-t", "ROOT", "ls"],
    ["links", "--reverse", "libc.so.6", "ROOT"],
    ["links", "--census", "ls", "ROOT", "ROOT"],
]


def validator(jsonschema, name):
    with open(os.path.join(FORMATS, name), encoding="utf-8") as f:
        schema = json.load(f)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def check(count, valid, what, root, words):
    try:
        doc = live.sapper_json(*words, "--format", "json")
    except (RuntimeError, ValueError) as e:
        count.check(False, what, str(e))
        return
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
              for e, _ in zip(valid.iter_errors(doc), range(10))]
    count.check(not errors, f"{root}: {what}", "\n  ".join(errors))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = live.Count()
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError:
        count.skip("schema", "python3-jsonschema is not installed")
        count.done()
    scan = validator(jsonschema, "scan.schema.json")
    links = validator(jsonschema, "links.schema.json")
    check(count, validator(jsonschema, "db.schema.json"), "db status", "the store",
          ["db", "status"])
    for root in map(os.path.realpath, sys.argv[1:]):
        check(count, scan, "scan", root, ["scan"] + ([] if root == "/" else ["dir:" + root]))
        for words in LINKS if root != "/" else []:
            check(count, links, " ".join(words[:2]), root,
                  [root if w == "ROOT" else w for w in words])
    count.done()


if __name__ == "__main__":
    main()
