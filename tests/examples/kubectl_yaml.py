#!/usr/bin/env python3
"""What kubectl makes of YAML and JSON, compared with what tests/data/kubectl_yaml.json says it makes of it.

    kubectl_yaml.py FILE [--record]

Without kubectl it ends with status 77: skipped. With --record it writes FILE anew. supervisor_document_test.cpp compares
our reader with the same file. A case is a text with what kubectl reads, or null if it refuses the text. Where our reader
is meant to differ, `here` says what it reads, and `why`.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\n"
DATA = """
{a: x, b: [1, 2]}
{name: N, yes: no, on: off, y: n}
{a: ~, b: null, c: Null, d: , e: ''}
{a: 010, b: 0o17, c: 0x1F, d: 0b11, e: 1_000, f: 08, g: -0x1f, h: +5}
{a: 1.0, b: 1e3, c: .5, d: 1.5e-7, e: 12345678901234567890123, f: 1e999}
{a: 9007199254740991, b: -9223372036854775808}
{a: 1:30, b: 2001-01-01, c: 127.0.0.1, d: 1.2.3, e: 5s, f: _1, g: '5', h: "yes"}
{a: .nan}
{a: -.inf}
{a: !!str 5, b: !!int "7", c: !!float 3, d: !!bool yes, e: !foo bar, f: !!null ''}
{a: !!binary aGVsbG8=}
{a: !!binary _}
{a: !!int abc}
{a: !!int 1.5}
{a: !!bool maybe}
{a: !!null x}
{a: !!set {b, c}}
{a: [x, fd00::], b: {host: fd00::, port: 80}, c: [x:, y:], d: {e:, f: g}}
{a: [::]}
{a:5, b: c:6, "d":7, 'e':8}
[a:b, "c":d]
{a: "b\\_c", d: "\\u00e9\\x41\\n\\t", e: 'it''s'}
{a: "\\q"}
{a: b,}
{1: a, 1.5: b, true: c, 2001-01-01: d}
{~: a}
{[a]: b}
{a: *nowhere}
&a {b: *a}
{p: &p {x: 1, w: 2}, q: {<<: *p, x: 3}, r: {x: 3, <<: *p}}
{p: &p {x: 1}, q: &q {x: 2, z: 4}, r: {<<: *p, <<: *q}, s: {<<: [*p, *q]}}
{p: {<<: 5}}
{p: {"<<": 5}}
{a: &x 1, b: *x, c: &x 2, d: *x}
"a
{a: b
[a, b
{a: b, a: c}
{a:\tb\t, c: [\td\t]}
""".strip("\n").split("\n")
BLOCKS = [
    "a: |\n    text", "a: |\n    text\n", "a: |-\n    text\n", "a: |+\n    text\n\n", "a: >\n    one\n    two\n\n    three\n",
    "a: |2\n     indented\n    text\n", "a: one\n    two\n", "a: 'one\n\n    two'\n", "? a\n  : b\n", "a:\n  - b\n  -\n    - c\n",
    "a: b # comment\n  # more\n  c: d\n", "a:\tb\n", "- a\n  -\tb\n", "a: b: c\n", "a: b\n\tc: d\n", "a: \x01\n", "a:5\n", "a: 1\n  b:5\n",
    "a: -\n", "a: @b\n", "a: `b`\n", "a: %b\n", "a: !!str\n  b: !!map {c: d}\n", "a: \"one\\\n    two\"\n", "a: 'b'x\n", "a: |\n    ---x\n",
]
FILES = [
    "---\n{ apiVersion: \"v1\", kind: \"ConfigMap\", metadata: {name: \"p\",}, }\n",
    '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"a": "\\ud83d\\ude00"}}\n',
    '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p",}}\n',
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: p}}\n",
    '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}} {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "q"}}\n',
    "# comment\n---\n" + HEAD + "---\n---\n# nothing\n--- # text\n" + HEAD + "data: {a: b}\n",
    HEAD + '---\n{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "q"}}\n',
    "\ufeff" + HEAD + "---\n\ufeff" + HEAD, HEAD.replace("\n", "\r\n") + "data: {a: b}\r\n---\r\n" + HEAD.replace("\n", "\r\n"),
    "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: p}}\n", HEAD + "---foo\n",
    HEAD + "nodeName: \"x", HEAD + "a: |\n  text",
]
DIFFERENT = [
    (HEAD + "data: {a: x?y}\n", [{"data": {"a": "x?y"}}], "a question mark within a word of the flow style is no separator"),
    (HEAD + 'data: "a\\/b"\n', [{"data": "a/b"}], "JSON's escape of a slash"),
    ("%YAML 1.1\n---\n" + HEAD, [{}], "a directive is YAML"),
    (HEAD + "...\n" + HEAD, None, "what follows the end of a document is not dropped in silence"),
]


def read_by_kubectl(text, folder):
    """The documents, or None."""
    path = os.path.join(folder, "manifest.yaml")
    with open(path, "w", newline="") as file:
        file.write(text)
    run = subprocess.run(["kubectl", "patch", "--local", "-f", path, "--type", "merge", "-p", "{}", "-o", "json"],
                         capture_output=True, text=True, timeout=60,
                         env={"PATH": os.environ["PATH"], "HOME": folder, "KUBECONFIG": "/dev/null"})
    if run.returncode != 0:
        return None
    documents, rest = [], run.stdout.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        documents.append(document)
        rest = rest[end:].strip()
    return documents


def texts():
    yield from (HEAD + f"data: {line}\n" for line in DATA)
    yield from (HEAD + f"data:\n  {block}" for block in BLOCKS)
    yield from FILES


def main():
    if not shutil.which("kubectl"):
        print("skipped: there is no kubectl")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        cases = [{"text": text, "kubectl": read_by_kubectl(text, folder)} for text in texts()]
        for text, here, why in DIFFERENT:
            here = here and [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, **more} for more in here]
            cases.append({"text": text, "kubectl": read_by_kubectl(text, folder), "here": here, "why": why})
    if "--record" in sys.argv:
        with open(sys.argv[1], "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
        return 0
    with open(sys.argv[1]) as file:
        recorded = json.load(file)
    wrong = [case for case in cases if case not in recorded]
    for case in wrong:
        print("kubectl reads otherwise:", json.dumps(case))
    print(f"{len(cases)} texts, {len(wrong)} differ")
    return 1 if wrong or len(cases) != len(recorded) else 0


sys.exit(main())
