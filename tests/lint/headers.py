#!/usr/bin/env python3
"""Every public header compiles alone, without warnings.

headers.py [--root DIR] [--include DIR] [--headers FILE...] -- COMPILER FLAGS...
Without --headers: every .h of the library's folders but the inside of tensor/ (kernels, onednn).
"""
import concurrent.futures
import os
import subprocess
import sys
import tempfile

from layers import LIBRARY, PUBLIC
from source import files, finish, parser, skip


def main():
    p = parser(__doc__)
    p.add_argument('--include', help='folder that holds weft -> the checkout (default: one made for the occasion)')
    p.add_argument('--headers', nargs='*', help='the headers to check')
    own, compiler = sys.argv[1:], ['c++', '-std=c++20']
    if '--' in own:
        compiler = own[own.index('--') + 1:]
        own = own[:own.index('--')]
    args = p.parse_args(own)
    root = os.path.abspath(args.root)
    headers = args.headers
    if headers is None:
        headers = [h for h in files(root, ('.h',)) if os.path.dirname(h).split('/')[0] in LIBRARY
                   and not any(h.startswith(r + '/') for r in LIBRARY if r not in PUBLIC)]
    headers = [os.path.relpath(h, root) if os.path.isabs(h) else h for h in headers]
    if not headers:
        skip('no headers')
    with tempfile.TemporaryDirectory() as folder:
        include = args.include
        if not include:
            include = folder
            os.symlink(root, os.path.join(folder, 'weft'))

        def compile_one(header):
            command = compiler + ['-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-I' + include, '-x', 'c++', '-']
            done = subprocess.run(command, input=f'#include <weft/{header}>\n#include <weft/{header}>\n', text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            return None if done.returncode == 0 else f'{header}:1: does not compile alone:\n{done.stdout.rstrip()}'

        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            findings = [wrong for wrong in pool.map(compile_one, headers) if wrong]
    finish(findings, len(headers))


if __name__ == '__main__':
    main()
