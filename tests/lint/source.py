"""What the lint scripts share: which files there are, C++ text without its comments, and how findings are told.

Every script takes --root DIR, prints one line a finding as path:line: message and how much it looked at, and exits with
0, with 1 when something was found, or with 77 when there was nothing to look at.
"""
import argparse
import os
import re
import subprocess
import sys

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))


def parser(doc):
    p = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    p.add_argument('--root', default=os.path.dirname(os.path.dirname(HERE)), help='the checkout to look at')
    return p


def files(root, suffixes=None):
    """The project's own files, sorted, relative to root: what git tracks, or everything but builds and results."""
    names = None
    if os.path.exists(os.path.join(root, '.git')):
        try:
            out = subprocess.run(['git', '-c', 'safe.directory=*', '-C', root, 'ls-files', '-z', '--cached', '--others',
                                  '--exclude-standard'], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            names = [n for n in out.stdout.decode('utf-8', 'surrogateescape').split('\0') if n]
        except (OSError, subprocess.CalledProcessError):
            pass
    if names is None:
        names = []
        for folder, folders, here in os.walk(root):
            inside = os.path.relpath(folder, root)
            top = inside == '.'
            folders[:] = [d for d in folders if d not in ('.git', '__pycache__')
                          and not (top and (d.startswith('build') or d == 'runs'))]
            names += [os.path.normpath(os.path.join(inside, n)) for n in here]
    names = [n for n in names if os.path.isfile(os.path.join(root, n))]
    return sorted(n for n in names if suffixes is None or n.endswith(tuple(suffixes)))


def read(root, name):
    with open(os.path.join(root, name), encoding='utf-8', errors='replace') as f:
        return f.read()


TOKEN = re.compile(r'''//[^\n]* | /\*.*?\*/ | R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)" | "(?:\\.|[^"\\\n])*"
                       | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+' ''', re.S | re.X)


def code(text, keep_strings=False):
    """text without comments, and unless asked without the contents of strings; line numbers stay."""
    def blank(match):
        token = match.group(0)
        if token.startswith(('//', '/*')):
            return re.sub(r'[^\n]', ' ', token)
        if keep_strings:
            return token
        return '"' + re.sub(r'[^\n]', ' ', token[1:-1]) + '"'
    return TOKEN.sub(blank, text)


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def finish(findings, looked_at):
    """Prints the findings, how many things were looked at, and ends the script."""
    for finding in findings:
        print(finding)
    print(f'looked at {looked_at}, found {len(findings) or "nothing"}')
    sys.exit(1 if findings else 0)


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(SKIPPED)
