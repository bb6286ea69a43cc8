#!/usr/bin/env python3
"""Every public operation has a test record: a function declared in autograd/ops/*.h needs .name = "..." in tests/ops/*.cpp.

Overloads share one record, an operator shares the record of the function it spells (+ and += that of add), and a name
may carry a variant after a space or slash ("sum/axis"). A declaration whose line holds "// no record: reason" is left out.
"""
import re

from source import code, files, finish, line_of, parser, read, skip

OPERATORS = {
    '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'remainder', '==': 'eq', '!=': 'ne', '<': 'lt', '<=': 'le',
    '>': 'gt', '>=': 'ge', '&': 'bitwise_and', '|': 'bitwise_or', '^': 'bitwise_xor', '~': 'bitwise_not',
    '&&': 'logical_and', '||': 'logical_or', '!': 'logical_not',
}
RECORD = re.compile(r'\.name\s*=\s*"([^"\s/(]+)[^"]*"')
NAMESPACE = re.compile(r'^(inline\s+)?namespace\s*([\w:]*)$')
NAME = re.compile(r'(operator\s*(?:\(\)|\[\]|[^\s\w(]+)|[A-Za-z_]\w*)\s*$')
NOT_FUNCTION = re.compile(r'^(using|typedef|static_assert|friend|struct|class|enum|union|concept|extern\s+template)\b')


def declarations(text):
    """(name, position) of each function declared at namespace level, hidden namespaces (detail, internal) left out."""
    plain = re.sub(r'^[ \t]*#(?:[^\n\\]|\\.|\\\n)*', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), code(text), flags=re.M)
    at, start, end = 0, 0, len(plain)
    while at < end:
        c = plain[at]
        if c in '([':
            at = closing(plain, at)
        elif c == ';':
            yield from function(plain[start:at], start)
            start = at + 1
        elif c == '}':
            start = at + 1
        elif c == '{':
            head = plain[start:at]
            space = NAMESPACE.match(head.strip())
            if space and not re.search(r'\b(detail|internal)\b', space.group(2)):
                start = at + 1  # walk in
            else:
                name = list(function(head, start))
                yield from name
                at = closing(plain, at)
                if name or space:
                    start = at + 1  # a body; after a struct or an initialiser the ; follows
        at += 1


def closing(plain, at):
    """The position of the bracket that closes the one at `at`."""
    depth = 0
    while at < len(plain):
        if plain[at] in '([{':
            depth += 1
        elif plain[at] in ')]}':
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return at


def function(statement, start):
    """The name that a statement declares as a function, if it does."""
    head = statement
    lead = len(head) - len(head.lstrip())
    head = head.strip()
    while True:  # attributes, template<...>, requires-clauses in front
        m = re.match(r'(\[\[.*?\]\]|inline|constexpr|extern\s+"[^"]*"|template\s*<)\s*', head, re.S)
        if not m:
            break
        cut = m.end()
        if m.group(1).startswith('template'):
            depth = 1
            while cut < len(head) and depth:
                depth += {'<': 1, '>': -1}.get(head[cut], 0)
                cut += 1
        lead += cut + len(head[cut:]) - len(head[cut:].lstrip())
        head = head[cut:].lstrip()
        clause = re.match(r'requires\s*\(', head)
        if clause:
            cut = closing(head, clause.end() - 1) + 1
            lead += cut + len(head[cut:]) - len(head[cut:].lstrip())
            head = head[cut:].lstrip()
    if not head or NOT_FUNCTION.match(head):
        return
    operator = re.search(r'\boperator\s*(\(\)|\[\]|[^\s\w(]+)\s*\(', head)
    if operator:
        yield 'operator' + operator.group(1), start + lead + operator.start()
        return
    paren = head.find('(')
    if paren <= 0 or '=' in head[:paren]:
        return
    name = NAME.search(head[:paren])
    if name and head[:name.start()].strip():  # something before it: the result's type
        yield name.group(1), start + lead + name.start()


def main():
    args = parser(__doc__).parse_args()
    headers = files(args.root, ('.h',))
    headers = [h for h in headers if h.startswith('autograd/ops/')]
    if not headers:
        skip('no operations yet (autograd/ops/*.h)')
    records = set()
    for name in files(args.root, ('.cpp', '.h')):
        if name.startswith('tests/ops/'):
            records.update(RECORD.findall(code(read(args.root, name), keep_strings=True)))
    wanted = {}
    for header in headers:
        text = read(args.root, header)
        lines = text.split('\n')
        for name, position in declarations(text):
            line = line_of(text, position)
            if name == 'operator<<' or re.search(r'//\s*no record:\s*\S', lines[line - 1]):
                continue
            if name.startswith('operator'):
                symbol = name[len('operator'):]
                name = OPERATORS.get(symbol) or OPERATORS.get(symbol.rstrip('=')) or name
            wanted.setdefault(name, (header, line))
    findings = [f'{header}:{line}: operation "{name}" has no record; add Record{{.name = "{name}", ...}} to tests/ops/'
                for name, (header, line) in sorted(wanted.items(), key=lambda item: item[1]) if name not in records]
    finish(findings, len(wanted))


if __name__ == '__main__':
    main()
