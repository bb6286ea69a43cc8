#!/usr/bin/env python3
"""No file names the machine it was written on: absolute paths of a workplace, home folders, tools of its owner.

The patterns are put together from pieces so that this file does not match itself.
"""
import os
import re

from source import files, finish, line_of, parser

PATTERNS = [
    '/' + 'work/', '/' + 'farm\\b', '\\bfarm' + '-', 'before' + '-stop', '\\.' + 'library\\b(?!\\()', 'this ' + 'session',
    '\\bCE' + 'O\\b', '/' + 'home/\\w', '/' + 'root/', '/' + 'Users/\\w', '\\bsub' + 'agent', 'cl' + 'aude',
    'anth' + 'ropic', 'chat' + 'gpt',
]


def main():
    args = parser(__doc__).parse_args()
    pattern = re.compile('|'.join(PATTERNS), re.I)
    findings, looked = [], 0
    for name in files(args.root):
        with open(os.path.join(args.root, name), 'rb') as f:
            data = f.read(4 << 20)
        if b'\0' in data[:8192]:
            continue
        looked += 1
        text = data.decode('utf-8', 'replace')
        for match in pattern.finditer(text):
            findings.append(f'{name}:{line_of(text, match.start())}: "{match.group(0)}" belongs to one workplace, not to weft')
        match = pattern.search(name)
        if match:
            findings.append(f'{name}:1: the name holds "{match.group(0)}"')
    finish(findings, looked)


if __name__ == '__main__':
    main()
