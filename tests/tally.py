#!/usr/bin/env python3
"""Sums up Meson's test logs: which tests failed, then one line "N passed, N failed[, N skipped]".

tally.py [--broken NAME... --] LOG...

A doctest or unittest program counts with its cases, any other test as one. A program that dies, hangs or fails without
a failing case (a leak, say) counts as one failure more. Each --broken NAME (a build that failed, say) is one failure.
Exits with 1 when anything failed or nothing ran.
"""
import json
import re
import sys

DOCTEST = re.compile(r'^\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*(?:\|\s*(\d+) skipped)?', re.M)
UNITTEST = re.compile(r'^Ran (\d+) tests? in .*\n+(OK|FAILED)(?: \((.*)\))?', re.M)
COLOUR = re.compile(r'\x1b\[[0-9;]*m')


def cases(test):
    """(passed, failed, skipped) of one test of Meson's."""
    text = COLOUR.sub('', (test.get('stdout') or '') + '\n' + (test.get('stderr') or ''))
    result = test['result']
    if result == 'SKIP':
        return 0, 0, 1
    good = result in ('OK', 'EXPECTEDFAIL')
    passed = failed = skipped = 0
    found = False
    for match in DOCTEST.finditer(text):
        found = True
        passed += int(match.group(2))
        failed += int(match.group(3))
    for match in UNITTEST.finditer(text):
        found = True
        numbers = {k: int(v) for k, v in re.findall(r'(\w+)=(\d+)', match.group(3) or '')}
        bad = min(numbers.get('failures', 0) + numbers.get('errors', 0), int(match.group(1)))
        failed += bad
        skipped += numbers.get('skipped', 0)
        passed += int(match.group(1)) - bad - numbers.get('skipped', 0)
    if not found:
        return (1, 0, 0) if good else (0, 1, 0)
    if not good and not failed:
        failed = 1
    return passed, failed, skipped


def main():
    arguments, broken = sys.argv[1:], []
    if arguments and arguments[0] == '--broken':
        end = arguments.index('--')
        broken, arguments = arguments[1:end], arguments[end + 1:]
    total = [0, len(broken), 0]
    print()
    for name in broken:
        print(f'FAILED {name}')
    for log in arguments:
        with open(log, encoding='utf-8', errors='replace') as f:
            for line in f:
                if not line.strip():
                    continue
                test = json.loads(line)
                counts = cases(test)
                total = [a + b for a, b in zip(total, counts)]
                if counts[1]:
                    print(f'FAILED {log.split("/")[0]}: {test["name"]} ({test["result"].lower()}, {counts[1]} failed)')
    skipped = f', {total[2]} skipped' if total[2] else ''
    print(f'{total[0]} passed, {total[1]} failed{skipped}')
    sys.exit(0 if total[0] and not total[1] else 1)


if __name__ == '__main__':
    main()
