#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What `sapper scan --format json` prints, against its schema. One test a root.

    schema.py ROOT...
"""
import json
import os
import sys

import live

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "formats",
                      "scan.schema.json")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = live.Count()
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError:
        count.skip("schema", "python3-jsonschema is not installed")
        count.done()
    with open(SCHEMA, encoding="utf-8") as f:
        schema = json.load(f)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    for root in map(os.path.realpath, sys.argv[1:]):
        try:
            doc = live.sapper_json("scan", "--format", "json",
                                   *([] if root == "/" else ["dir:" + root]))
        except (RuntimeError, ValueError) as e:
            count.check(False, root, str(e))
            continue
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
                  for e, _ in zip(kind(schema).iter_errors(doc), range(10))]
        count.check(not errors, f"{root}: schema", "\n  ".join(errors))
    count.done()


if __name__ == "__main__":
    main()
