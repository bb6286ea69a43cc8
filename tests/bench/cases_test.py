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
OWN = ('growth_', 'bertmini_train_b16_bf16', 'resnet18_train_b64_bf16')  # no peer has them; torch's --bf16 is an option
ELSEWHERE = ('qlinear',)  # quantised products
ONNX_ONLY = ('linear1024_infer_b1', 'linear1024_infer_b16', 'linear1024_infer_b128', 'relu16_infer_b1', 'lenet_infer_b1')
HEAVY = ('big_', 'resnet18', 'gemm_4096', 'growth_')  # gigabytes, or seconds


def run(*words):
    return subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(*command):
    return subprocess.run(command + ('--list',), stdout=subprocess.PIPE, check=True, text=True).stdout.split()


class Cases(unittest.TestCase):
    def test_all_of_torch(self):
        theirs = [n for n in names(sys.executable, os.path.join(PEERS, 'torch_bench.py')) if not n.startswith(ELSEWHERE)]
        self.assertGreater(len(theirs), 70)
        ours = [n for n in names(PROGRAM) if not n.startswith(OWN) and n not in ONNX_ONLY]
        self.assertEqual(sorted(theirs), sorted(ours))

    @unittest.skipUnless(shutil.which('node'), 'no node')
    def test_all_of_onnxruntime(self):
        theirs = [n for n in names('node', os.path.join(PEERS, 'ort_bench.js')) if not n.startswith(ELSEWHERE)]
        self.assertEqual([n for n in theirs if n not in names(PROGRAM)], [])
        self.assertTrue(set(ONNX_ONLY) <= set(theirs))

    def test_each_runs(self):
        skip = [word for name in HEAVY for word in ('--skip', name)]
        # On one thread: it is not slowed down when other tests take the cores.
        done = run('--case', 'all', '--once', '--threads', '1', *skip)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split(), [n for n in names(PROGRAM) if not n.startswith(HEAVY)])

    def test_each_inference_runs_compiled(self):
        """compile() compares each program with its model."""
        cases = [n for n in names(PROGRAM) if '_infer_' in n and not n.startswith(HEAVY)]
        self.assertGreater(len(cases), 15)
        done = run('--case', ','.join(cases), '--once', '--compiled', '--threads', '1')
        self.assertEqual((done.returncode, done.stdout.split()), (0, cases), done.stdout + done.stderr)

    def test_a_line_of_figures(self):
        done = run('--case', 'tinymlp_train_b32', '--json', '--no-guard', '--threads', '1', '--samples', '3',
                   '--min-time', '0.001', '--warmup', '0')
        line = json.loads(done.stdout)
        self.assertEqual((line['case'], line['threads'], line['n']), ('tinymlp_train_b32', 1, 3))
        for key in ('ms', 'min', 'p25', 'p75', 'rss_mib'):
            self.assertGreater(line[key], 0, key)

    def test_a_step_touches_no_fresh_memory(self):
        """What a step frees serves the next one: the system gives no more pages after the first few."""
        cases = ('mlp784_train_b64', 'tinymlp_train_b32', 'lenet_train_b128', 'conv3d_train_b4', 'lstm_train_b32',
                 'bertmini_train_b16', 'gcn_csr_train', 'gcn_index_train', 'gat_train', 'vae_train_b128', 'fusion_train_b64')
        done = run('--case', ','.join(cases), '--json', '--no-guard', '--threads', '1', '--samples', '2', '--min-time',
                   '0.001', '--warmup', '0')
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(sorted(line['case'] for line in lines), sorted(cases), done.stderr)
        for line in lines:
            with self.subTest(line['case']):
                self.assertLess(line['faults'], 50)

    def test_startup(self):
        done = run('--case', 'startup', '--json', '--samples', '1')
        self.assertEqual([json.loads(line)['case'] for line in done.stdout.splitlines()],
                         ['startup_first_op', 'startup_first_step'])

    def test_bfloat16_is_skipped_where_the_cpu_lacks_it(self):
        done = subprocess.run([PROGRAM, '--case', 'bertmini_train_b16_bf16', '--json'], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, 'WEFT_ISA': 'v2'})
        self.assertEqual((done.returncode, json.loads(done.stdout)),
                         (0, {'case': 'bertmini_train_b16_bf16', 'threads': 2, 'skipped': 'this CPU has no bfloat16'}))

    def test_no_such_case(self):
        done = run('--case', 'mlp')
        self.assertEqual((done.returncode, done.stderr), (2, 'bench: no case mlp\n  help: --list shows the names\n'))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
