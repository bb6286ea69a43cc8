#!/usr/bin/env python3
"""No symbol is shared between instruction-set levels: the linker would keep one copy for all, of any level.

Looks with nm at every libweft_kernels_*.a under --build. Each global or weak symbol that a level defines must be its
own: no other level defines it, and it carries the level's name, so that no code outside of the kernels can define it.
Undefined symbols (libc, libm) do not count.
"""
import os
import re
import subprocess

from source import finish, parser, skip

# Debug and sanitizer helpers that hold no code of a level.
HARMLESS = re.compile(r'^(DW\.ref\.|__odr_asan|__asan|__ubsan|__gcov|__llvm)')


def defined(archive, nm):
    out = subprocess.run([nm, '--defined-only', '--extern-only', '--format=posix', archive], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    symbols = {}
    for line in out.splitlines():
        parts = line.split()
        if len(parts) >= 2 and len(parts[1]) == 1 and not HARMLESS.match(parts[0]):
            symbols[parts[0]] = parts[1]
    return symbols


def readable(symbol):
    try:
        return subprocess.run(['c++filt', symbol], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()[:160]
    except (OSError, subprocess.CalledProcessError):
        return symbol


def main():
    p = parser(__doc__)
    p.add_argument('--build', help='the build folder (default: ROOT/build)')
    p.add_argument('--nm', default='nm')
    args = p.parse_args()
    build = args.build or os.path.join(args.root, 'build')
    levels = {}
    for folder, _, names in os.walk(build):  # glob would follow the link in build/include round and round
        for name in sorted(names):
            archive = re.fullmatch(r'libweft_kernels_(?:exact_)?(\w+)\.a', name)
            if archive:
                levels.setdefault(archive.group(1), {}).update(defined(os.path.join(folder, name), args.nm))
    if len(levels) < 2:
        skip(f'{len(levels)} kernel level(s) in {os.path.basename(os.path.abspath(build))}: nothing to share')
    findings, looked = [], 0
    owners = {}
    for level, symbols in levels.items():
        looked += len(symbols)
        for symbol, kind in symbols.items():
            owners.setdefault(symbol, []).append((level, kind))
    for symbol, having in sorted(owners.items()):
        if len(having) > 1:
            where = ', '.join(f'{level} ({kind})' for level, kind in having)
            findings.append(f'levels share {readable(symbol)}: {where}')
        elif '_' + having[0][0] not in symbol:
            findings.append(f'level {having[0][0]} defines {readable(symbol)} ({having[0][1]}) without its name in it: '
                            'code elsewhere may be given this copy')
    finish(findings, looked)


if __name__ == '__main__':
    main()
