#!/usr/bin/env python3
"""The JSON Schema of a spec against a validator that others wrote.

usage: schema_test.py UPLINKCTL EXAMPLES

Every example is right by the schema and by `uplinkctl validate`. Of each, every
variant below is wrong by both: a key with a typing error, a missing key that is
required, a value of another kind.
"""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema
import yaml

UPLINKCTL, EXAMPLES = sys.argv[1:]

schema = json.loads(subprocess.check_output([UPLINKCTL, "schema"]))
jsonschema.Draft202012Validator.check_schema(schema)
judge = jsonschema.Draft202012Validator(schema)
right, wrong = [], []  # specs with what they are, for judge_ours()


def both_refuse(spec, what):
    assert not judge.is_valid(spec), f"the schema accepts {what}"
    wrong.append((spec, what))


def both_accept(spec, what):
    fault = jsonschema.exceptions.best_match(judge.iter_errors(spec))
    assert fault is None, f"the schema refuses {what}: {fault}"
    right.append((spec, what))


def judge_ours():
    """The same by the agent's own reader, from JSON, all in one call."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, (spec, _) in enumerate(right + wrong):
            files.append(f"{folder}/{number}.json")
            pathlib.Path(files[-1]).write_text(json.dumps(spec))
        run = subprocess.run([UPLINKCTL, "validate", "-f", *files], text=True,
                             capture_output=True)
    assert run.returncode == 2, run.stderr
    valid = set(run.stdout.splitlines())
    for number, (_, what) in enumerate(right + wrong):
        if number < len(right):
            assert f"{files[number]}: valid" in valid, f"validate refuses {what}"
        else:
            assert f"{files[number]}: valid" not in valid, f"validate accepts {what}"
            assert f"{files[number]}:" in run.stderr, f"no word about {what}"


def resolve(form):
    while "$ref" in form:
        form = schema["$defs"][form["$ref"].rsplit("/", 1)[1]]
    return form


def objects(node, form, path=()):
    """Each map of a spec that has keys of the schema: its path, its form."""
    form = resolve(form)
    for choice in form.get("anyOf", [form]):
        choice = resolve(choice)
        if isinstance(node, dict) and "properties" in choice:
            yield path, choice
            for key, value in node.items():
                yield from objects(value, choice["properties"][key],
                                   path + (key,))
        if isinstance(node, list) and "items" in choice:
            for index, value in enumerate(node):
                yield from objects(value, choice["items"], path + (index,))


def variant(spec, path, change):
    spec = copy.deepcopy(spec)
    node = spec
    for key in path:
        node = node[key]
    change(node)
    return spec


examples = sorted(pathlib.Path(EXAMPLES).glob("*.yaml"))
assert examples
for example in examples:
    both_accept(yaml.safe_load(example.read_text()), example.name)

# One variant of each kind for each kind of map: full.yaml has all of them.
full = yaml.safe_load((pathlib.Path(EXAMPLES) / "full.yaml").read_text())
seen = set()
for path, form in objects(full, schema):
    kind = tuple(form["properties"])
    if kind in seen:
        continue
    seen.add(kind)
    where = "/".join(map(str, path)) or "the top"
    both_refuse(variant(full, path, lambda node: node.update(wieght=1)),
                f"an unknown key in {where}")
    for key in form.get("required", []):
        both_refuse(variant(full, path, lambda node: node.pop(key)),
                    f"{where} without {key}")
    for key, value in form["properties"].items():
        given = full
        for step in path:
            given = given[step]
        if key not in given:
            continue
        both_refuse(variant(full, path, lambda node: node.update({key: None})),
                    f"{where}/{key} without a value")
        if "enum" in value or "const" in value:
            both_refuse(
                variant(full, path, lambda node: node.update({key: "best"})),
                f"another word in {where}/{key}")
        if value.get("type") == "array":
            both_refuse(
                variant(full, path, lambda node: node.update({key: {"a": 1}})),
                f"a map for the list {where}/{key}")

# Values with units, and where they are.
RATE = ("spec", "uplinks", 0, "capacity")
PROBING = ("spec", "uplinks", 0, "health")
for path, key, bad in (
        (RATE, "download", "40mb"), (RATE, "download", "40 mbit"),
        (RATE, "download", -1), (PROBING, "interval", 5),
        (PROBING, "interval", "5"), (PROBING, "interval", "1s1m30"),
        (PROBING, "quorum", -1), (PROBING, "quorum", "one"),
        (PROBING, "loss", {"degraded": "20", "recovered": "5%"}),
        (("spec", "uplinks", 0), "id", 1.5)):
    both_refuse(variant(full, path, lambda node: node.update({key: bad})),
                f"{key}: {bad}")
for path, key, good in (
        (RATE, "download", {"bitsPerSecond": "40000000"}),
        (RATE, "download", 40000000), (RATE, "download", "2.5gbit"),
        (PROBING, "interval", "1m1.5s"), (("spec", "marks"), "mask", "0xff")):
    both_accept(variant(full, path, lambda node: node.update({key: good})),
                f"{key}: {good}")

judge_ours()
print(f"{len(examples)} examples are right, {len(wrong)} variants are wrong")
