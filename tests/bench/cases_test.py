#!/usr/bin/env python3
"""The benchmark has every case of its peers, and each of them runs.

cases_test.py PROGRAM PEERS
"""
import json
import os
import shutil
import subprocess
import sys
import unittest

PROGRAM, PEERS = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
ELSEWHERE = ('qlinear', 'linear1024', 'relu16')  # quantised products, and what they are measured against
HEAVY = ('big_', 'resnet18', 'gemm_4096')  # gigabytes, or seconds


def run(*words):
    return subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(*command):
    return subprocess.run(command + ('--list',), stdout=subprocess.PIPE, check=True, text=True).stdout.split()


class Cases(unittest.TestCase):
    def test_all_of_torch(self):
        theirs = [n for n in names(sys.executable, os.path.join(PEERS, 'torch_bench.py')) if not n.startswith(ELSEWHERE)]
        self.assertGreater(len(theirs), 70)
        self.assertEqual(sorted(theirs), sorted(names(PROGRAM)))

    @unittest.skipUnless(shutil.which('node'), 'no node')
    def test_all_of_onnxruntime(self):
        theirs = [n for n in names('node', os.path.join(PEERS, 'ort_bench.js')) if not n.startswith(ELSEWHERE)]
        # The peer also has LeNet for a single image.
        self.assertEqual([n for n in theirs if n not in names(PROGRAM)], ['lenet_infer_b1'])

    def test_each_runs(self):
        skip = [word for name in HEAVY for word in ('--skip', name)]
        # On one thread: it is not slowed down when other tests take the cores.
        done = run('--case', 'all', '--once', '--threads', '1', *skip)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split(), [n for n in names(PROGRAM) if not n.startswith(HEAVY)])

    def test_a_line_of_figures(self):
        done = run('--case', 'tinymlp_train_b32', '--json', '--no-guard', '--threads', '1', '--samples', '3',
                   '--min-time', '0.001', '--warmup', '0')
        line = json.loads(done.stdout)
        self.assertEqual((line['case'], line['threads'], line['n']), ('tinymlp_train_b32', 1, 3))
        for key in ('ms', 'min', 'p25', 'p75', 'rss_mib'):
            self.assertGreater(line[key], 0, key)

    def test_startup(self):
        done = run('--case', 'startup', '--json', '--samples', '1')
        self.assertEqual([json.loads(line)['case'] for line in done.stdout.splitlines()],
                         ['startup_first_op', 'startup_first_step'])

    def test_no_such_case(self):
        done = run('--case', 'mlp')
        self.assertEqual((done.returncode, done.stderr), (2, 'bench: no case mlp\n  help: --list shows the names\n'))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
