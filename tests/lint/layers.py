#!/usr/bin/env python3
"""Who includes whom: every #include <weft/...> must follow an arrow of the house (CONTRIBUTING.md).

Also: nothing inside includes weft.h; project headers are included as <weft/...> (a test or
benchmark names a helper in its own folder with quotes); each outside library stays in its folder; and the library
neither prints nor ends the process.
"""
import os
import re

from source import code, files, finish, line_of, parser, read

# A room may include itself and what is listed. Longest prefix wins: tensor/kernels is a room of its own.
ARROWS = {
    'tensor': [],
    'tensor/kernels': ['tensor'],
    'tensor/onednn': ['tensor'],
    'autograd': ['tensor'],
    'layers': ['autograd', 'tensor'],
    'data': ['tensor'],
    'fusion': ['layers', 'data', 'autograd', 'tensor'],
    'optim': ['layers', 'autograd', 'tensor'],
    'deploy': ['layers', 'autograd', 'tensor'],
    'show': ['tensor'],
    'distributed': ['optim', 'layers', 'autograd', 'tensor'],
    'study': ['show', 'distributed', 'deploy', 'optim', 'fusion', 'data', 'layers', 'autograd', 'tensor'],
}
# show prints, on the stream that it is given.
LIBRARY = [room for room in ARROWS if room not in ('study', 'show')]
# The one way to warn (docs/decisions/0008-warnings.md).
WARNS = ['tensor/warning.cpp']
# These see public headers: all of the above but the inside of tensor/.
GUESTS = ['tests', 'bench', 'examples', 'docs', 'pch']
PUBLIC = [room for room in ARROWS if room not in ('tensor/kernels', 'tensor/onednn')]
# The doors through which a room's inside may be seen: (who, what).
DOORS = [
    ('tensor', 'tensor/kernels/table.h'),
    ('tensor', 'tensor/onednn/onednn.h'),
    ('tensor', 'tensor/onednn/packed.h'),
    ('tensor/onednn', 'tensor/kernels/table.h'),
    ('tests/isa', 'tensor/kernels/table.h'),
]
# Outside libraries: headers that match, rooms that may include them, and whether only in .cpp files.
OUTSIDE = [
    (r'(unsupported/)?Eigen/', ['tensor'], True),
    (r'(oneapi/)?dnnl', ['tensor/onednn'], False),
    (r'nlohmann/', list(ARROWS) + GUESTS, True),
    (r'CLI/', ['study', 'bench', 'examples'], True),
    (r'toml(\+\+|\.hpp)', ['study'], True),
    (r'fmt/', ['study'], False),
    (r'doctest', ['tests', 'pch'], False),
    (r'stb/', ['data'], True),
    (r'dcmtk/', ['data', 'tests'], True),
    (r'nifti/', ['data'], True),
    (r'edflib\.h', ['data', 'tests'], True),
    (r'utf8proc\.h', ['data'], True),
    (r'zlib\.h', ['data', 'deploy', 'study', 'tests'], True),
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
PRINTS = re.compile(r'\bstd\s*::\s*(cout|cerr|clog|puts|terminate|abort|exit|_Exit|quick_exit|f?printf)\b'
                    r'|(?<![\w.>:])(printf|fprintf|vprintf|vfprintf|puts|putchar|abort|exit|_exit|_Exit|quick_exit)\s*\(')


def room_of(path):
    """The room a file lies in; None outside of the house."""
    folder = os.path.dirname(path)
    best = None
    for room in list(ARROWS) + GUESTS:
        if (folder + '/').startswith(room + '/') and (best is None or len(room) > len(best)):
            best = room
    return best


def check_include(root, name, room, mark, header):
    """What is wrong with one #include, or None."""
    if mark == '"':
        beside = os.path.join(os.path.dirname(name), header)
        if room in GUESTS and '/' not in header and os.path.isfile(os.path.join(root, beside)):
            return None  # a program's own helper, in its own folder
        return f'include "{header}": write <weft/folder/file.h>'
    if '../' in header or './' in header:
        return f'include <{header}>: no relative paths'
    if not header.startswith('weft/') and header != 'weft.h':
        for pattern, rooms, source_only in OUTSIDE:
            if re.match(pattern, header):
                if room not in rooms:
                    return f'include <{header}>: only in {" and ".join(rooms)}'
                if source_only and room not in GUESTS and not name.endswith('.cpp'):
                    return f'include <{header}>: only in .cpp files'
        return None
    target = header[len('weft/'):]
    if target == 'weft.h' or header == 'weft.h':
        return None if room in GUESTS or name == 'weft.h' else 'includes weft.h: nothing inside may'
    if name == 'weft.h':
        to = room_of(target)
        return None if to in PUBLIC else f'include <{header}>: not a public header'
    if any((name + '/').startswith(who + '/') and target == what for who, what in DOORS):
        return None
    to = room_of(target)
    if to is None:
        return f'include <{header}>: no such folder in the house'
    if to == room:
        return None
    allowed = PUBLIC if room in GUESTS else ARROWS[room]
    if to not in allowed:
        return f'{room} may not include {to}: <{header}>'
    return None


def main():
    args = parser(__doc__).parse_args()
    findings, looked = [], 0
    for name in files(args.root, ('.h', '.hpp', '.cpp', '.cc', '.c', '.inc')):
        room = room_of(name)
        text = read(args.root, name)
        plain = code(text, keep_strings=True)
        looked += 1
        if room is None and name != 'weft.h':
            findings.append(f'{name}:1: lies in no folder of the house')
            continue
        for match in INCLUDE.finditer(plain):
            wrong = check_include(args.root, name, room, match.group(1), match.group(2))
            if wrong:
                findings.append(f'{name}:{line_of(plain, match.start(2))}: {wrong}')
        if room in LIBRARY and name not in WARNS:
            bare = code(text)
            for match in PRINTS.finditer(bare):
                what = (match.group(1) or match.group(2))
                findings.append(f'{name}:{line_of(bare, match.start())}: {what}: the library neither prints nor ends the '
                                'process; throw a weft::Error')
    finish(findings, looked)


if __name__ == '__main__':
    main()
