#!/usr/bin/env python3
"""bench/compare pairs, counts and writes down what two programs say; here they are made up.

compare_test.py COMPARE
"""
import contextlib
import csv
import importlib.machinery
import importlib.util
import io
import os
import stat
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader('compare', os.path.abspath(sys.argv[1]))
compare = importlib.util.module_from_spec(importlib.util.spec_from_loader('compare', LOADER))
LOADER.exec_module(compare)

# Says a further one of its times at each call, and how much memory it took.
FAKE = '''#!/usr/bin/env python3
import json, os, signal, sys
cases, mib, log = {cases!r}, {mib}, {log!r}
if '--list' in sys.argv:
    print('\\n'.join(cases))
    sys.exit()
case = sys.argv[sys.argv.index('--case') + 1]
seen = open(log).read().split() if os.path.exists(log) else []
open(log, 'a').write({name!r} + ':' + case + '\\n')
value = cases[case]
if value == 'crash': os.abort()
if value == 'error': print(json.dumps(dict(case=case, error='RuntimeError: no such thing\\nmore')))
elif value == 'interrupt' and {name!r} + ':' + case in seen: os.kill(os.getppid(), signal.SIGINT)
else: print(json.dumps(dict(case=case, rss_mib=mib, ms=1 if value == 'interrupt' else value[seen.count({name!r} + ':' + case)])))
'''


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.log = os.path.join(self.root, 'log')
        self.history = os.path.join(self.root, 'history.csv')

    def program(self, name, cases, mib):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(FAKE.format(cases=cases, mib=mib, log=self.log, name=os.path.basename(name)))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def run_compare(self, weft, peer, *words):
        self.program('bench/bench', weft, 10)
        fake = compare.Program('torch', [self.program('torch', peer, 40)], version='9.9')
        compare.PEER_PROGRAMS['torch'] = lambda _: fake
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = compare.main(['--build', self.root, '--history', self.history, '--threads', '1', *words])
        return status, out.getvalue(), err.getvalue()

    def test_ratios_pair_by_pair(self):
        # The ratios are 0.5, 0.1 and 0.8; the ratio of the medians would be 0.4.
        status, out, _ = self.run_compare({'a': [1, 1, 4], 'b': [2, 2, 2]}, {'a': [2, 10, 5], 'b': [1, 1, 1]}, '--pairs', '3')
        self.assertEqual(status, 0)
        self.assertIn('0.500   0.10..0.80        10        40   0.25', out)
        self.assertIn('weft / torch 9.9: geometric mean 1.000 over 2 cases, of peak memory 0.250', out)
        self.assertIn('above 0.90: b 2.00', out)

    def test_in_turn(self):
        self.run_compare({'a': [1, 1], 'b': [1, 1]}, {'a': [1, 1], 'b': [1, 1]}, '--pairs', '2')
        with open(self.log, encoding='utf-8') as f:
            self.assertEqual(f.read().split(), ['bench:a', 'torch:a', 'bench:a', 'torch:a', 'bench:b', 'torch:b', 'bench:b', 'torch:b'])

    def test_selections(self):
        cases = {n: [1] for n in ('mlp_train_b1', 'mlp_infer_b1', 'gat_train', 'big_add', 'qlinear_b1', 'only_weft')}
        theirs = {n: [1] for n in cases if n != 'only_weft'}

        def measured(*words):
            if os.path.exists(self.log):
                os.remove(self.log)
            _, out, _ = self.run_compare(cases, theirs, '--pairs', '1', *words)
            lines = out.splitlines()
            return [line.split()[0] for line in lines[2:] if line.split()[0] in cases], lines[-1]
        self.assertEqual(measured('--train')[0], ['mlp_train_b1', 'gat_train'])
        self.assertEqual(measured('--prefix', 'mlp', '--skip', 'mlp_t')[0], ['mlp_infer_b1'])
        self.assertEqual(measured('--case', '*_infer_*', '--case', 'big_add')[0], ['mlp_infer_b1', 'big_add'])
        self.assertEqual(measured(), (['mlp_train_b1', 'mlp_infer_b1', 'gat_train', 'big_add'], 'not on both sides: only_weft'))
        status, _, err = self.run_compare(cases, theirs, '--case', 'mpl')
        self.assertEqual(status, 2)
        self.assertIn('compare: no case mpl\n  help: ', err)

    def test_the_quick_ones_exist(self):
        peers = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), 'peers', 'torch_bench.py')
        there = compare.Program('torch', [sys.executable, peers]).cases()
        self.assertEqual([c for c in compare.QUICK if c not in there], [])

    def test_history(self):
        for _ in range(2):
            if os.path.exists(self.log):
                os.remove(self.log)
            self.run_compare({'a': [1, 1]}, {'a': [4, 2]}, '--pairs', '2', '--save')
        with open(self.history, encoding='utf-8', newline='') as f:
            head, *rows = csv.reader(f)
        self.assertEqual(head, compare.COLUMNS)
        self.assertEqual(len(rows), 2)
        row = dict(zip(head, rows[0]))
        self.assertRegex(row['date'], r'^\d{4}-\d\d-\d\d$')
        self.assertRegex(row['machine'], r', \d+ cores$')
        self.assertEqual([row[k] for k in head[3:]],
                         ['1', 'torch', '9.9', 'a', '1', '3', '0.375', '0.25', '0.5', '10', '40'])

    def test_one_side_fails(self):
        status, out, _ = self.run_compare({'a': [1], 'b': [1], 'c': [1]}, {'a': 'error', 'b': 'crash', 'c': [2]}, '--pairs', '1')
        self.assertEqual(status, 0)  # it is the peer's fault
        self.assertRegex(out, r'a +torch: RuntimeError: no such thing\n')
        self.assertRegex(out, r'b +torch ends with status -6')
        self.assertIn('0.500 over 1 cases', out)
        os.remove(self.log)
        status, out, _ = self.run_compare({'a': 'crash', 'c': [1]}, {'a': [1], 'c': [2]}, '--pairs', '1')
        self.assertEqual(status, 1)

    def test_an_interruption_keeps_what_was_measured(self):
        status, out, _ = self.run_compare({'a': [1], 'b': [1, 1, 1], 'c': [1]}, {'a': [2], 'b': 'interrupt', 'c': [1]},
                                          '--pairs', '3', '--skip', 'a')
        self.assertEqual(status, 130)
        self.assertIn('interrupted; this is what was measured', out)
        self.assertIn('over 1 cases', out)

    def test_what_is_missing(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(compare.main(['--build', os.path.join(self.root, 'nothing')]), 2)
        self.assertIn('bench is not there\n  help: build it with ninja', err.getvalue())


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
