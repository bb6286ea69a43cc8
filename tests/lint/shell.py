#!/usr/bin/env python3
"""Shell scripts are plain POSIX shell: sh -n reads them all, and shellcheck where it is installed."""
import os
import shutil
import subprocess

from source import files, finish, parser, skip


def main():
    args = parser(__doc__).parse_args()
    scripts = []
    for name in files(args.root):
        with open(os.path.join(args.root, name), 'rb') as f:
            first = f.readline(64)
        if first.startswith((b'#!/bin/sh', b'#!/bin/bash', b'#!/usr/bin/env bash', b'#!/usr/bin/env sh')):
            scripts.append((name, first))
    if not scripts:
        skip('no shell scripts')
    findings = []
    for name, first in scripts:
        if b'bash' in first:
            findings.append(f'{name}:1: bash; write plain sh')
        for tool in (['sh', '-n'], ['shellcheck']):
            if shutil.which(tool[0]):
                done = subprocess.run(tool + [name], cwd=args.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                if done.returncode:
                    findings.append(f'{name}:1: {tool[0]} complains:\n{done.stdout.rstrip()}')
    finish(findings, len(scripts))


if __name__ == '__main__':
    main()
