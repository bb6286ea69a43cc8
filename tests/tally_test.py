#!/usr/bin/env python3
"""The count at the end of ./bootstrap test is right, above all when something fails."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

TALLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tally.py')


def doctest(total, passed, failed, skipped=0):
    return f'[doctest] test cases: {total} | {passed} passed | {failed} failed | {skipped} skipped\n[doctest] assertions: 9 | 9 passed | 0 failed |\n'


class Tally(unittest.TestCase):
    def tally(self, tests, *before):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, 'testlog.json')
            with open(log, 'w', encoding='utf-8') as f:
                for name, result, out in tests:
                    f.write(json.dumps({'name': name, 'result': result, 'stdout': out, 'stderr': ''}) + '\n')
            done = subprocess.run([sys.executable, TALLY, *before, log], stdout=subprocess.PIPE, text=True)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_all_well(self):
        self.assertEqual(self.tally([('unit', 'OK', doctest(5, 5, 0)), ('layers', 'OK', 'looked at 3')]), (0, '6 passed, 0 failed'))

    def test_failing_cases(self):
        self.assertEqual(self.tally([('unit', 'FAIL', doctest(5, 3, 2, 1))]), (1, '3 passed, 2 failed'))

    def test_a_crash_has_no_summary(self):
        for result in ('FAIL', 'TIMEOUT', 'ERROR', 'INTERRUPT'):
            self.assertEqual(self.tally([('unit', result, 'half a line')]), (1, '0 passed, 1 failed'))

    def test_a_leak_after_all_cases_passed(self):
        self.assertEqual(self.tally([('unit', 'FAIL', doctest(5, 5, 0))]), (1, '5 passed, 1 failed'))

    def test_skipped_programs(self):
        self.assertEqual(self.tally([('a', 'OK', ''), ('b', 'SKIP', '')]), (0, '1 passed, 0 failed, 1 skipped'))

    def test_unittest(self):
        self.assertEqual(self.tally([('a', 'OK', 'Ran 9 tests in 1s\n\nOK (skipped=2)')]), (0, '7 passed, 0 failed, 2 skipped'))
        self.assertEqual(self.tally([('a', 'FAIL', 'Ran 9 tests in 1s\n\nFAILED (failures=1, errors=1)')]), (1, '7 passed, 2 failed'))

    def test_nothing_ran(self):
        self.assertEqual(self.tally([]), (1, '0 passed, 0 failed'))

    def test_builds_that_failed(self):
        self.assertEqual(self.tally([('a', 'OK', '')], '--broken', 'clang', '--'), (1, '1 passed, 1 failed'))


if __name__ == '__main__':
    unittest.main()
