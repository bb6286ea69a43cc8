#!/usr/bin/env python3
"""The sources are as clang-format 14 lays them out; mend with: clang-format -i FILE."""
import re
import shutil
import subprocess

from source import files, finish, parser, skip


def main():
    args = parser(__doc__).parse_args()
    tool = shutil.which('clang-format-14') or shutil.which('clang-format')
    if not tool:
        skip('clang-format is not installed')
    version = subprocess.run([tool, '--version'], stdout=subprocess.PIPE, text=True).stdout
    if not re.search(r'version 14\.', version):
        skip(f'needs clang-format 14, found {version.strip()}')
    names = files(args.root, ('.h', '.cpp'))
    if not names:
        skip('no sources')
    out = subprocess.run([tool, '--dry-run', '--style=file'] + names, cwd=args.root, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True).stdout
    first = {}
    for match in re.finditer(r'^([^:\n]+):(\d+):\d+: (?:warning|error): code should be clang-formatted', out, re.M):
        first.setdefault(match.group(1), match.group(2))
    findings = [f'{name}:{line}: not as clang-format lays it out' for name, line in first.items()]
    finish(findings, len(names))


if __name__ == '__main__':
    main()
