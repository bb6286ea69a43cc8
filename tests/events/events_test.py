#!/usr/bin/env python3
"""Logs of trainings: event files read by an independent reader, whole or after a kill; lines of CSV and JSON.

events_test.py PROGRAM
"""
import csv
import glob
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reader  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])

STUDY = '''[study]
name = "small"
target = "sick"
[data]
file = "small.csv"
[[modality]]
name = "blood"
columns = ["blood_*"]
[[modality]]
name = "rest"
rest = true
[train]
epochs = 6
batch = 16
[compare]
splits = 3
fusions = ["gate", "concat"]
baselines = ["l2"]
reference = "l2"
'''


class Reader(unittest.TestCase):
    """What the reader itself must catch."""

    def test_checksum(self):
        self.assertEqual(reader.crc32c(b'123456789'), 0xE3069283)
        self.assertEqual(reader.crc32c(bytes(32)), 0x8A9136AA)  # RFC 3720, B.4
        self.assertEqual(reader.crc32c(bytes(range(32))), 0x46DD794E)


class Logs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name
        rows = [f'{(i * 7) % 11 + 3 * (i % 2)},{(i * 5) % 13},{20 + (i * 17) % 60},{i % 2}' for i in range(60)]
        self.write('small.csv', '\n'.join(['blood_a,blood_b,age,sick', *rows]) + '\n')
        self.write('small.toml', STUDY)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, content):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(content)

    def weft(self, *args):
        done = subprocess.run([PROGRAM, *args], cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def events(self, *names):
        files = glob.glob(self.path(*names, 'events.out.tfevents.*'))
        self.assertEqual(len(files), 1, files)
        return reader.read(files[0])

    def curve(self, events, tag):
        return [(e['step'], e['scalar']) for e in events if e.get('tag') == tag and 'scalar' in e]

    def assertCurve(self, events, tag, values, first=1):
        got = self.curve(events, tag)
        self.assertEqual([step for step, _ in got], list(range(first, first + len(values))), tag)
        for (_, a), b in zip(got, values):
            self.assertAlmostEqual(a, b, delta=1e-6 * max(1, abs(b)), msg=tag)

    def test_train(self):
        started = time.time()
        self.weft('train', 'small.toml', '--out', 'model', '--quiet', '--log', 'csv,json,tensorboard')
        with open(self.path('model', 'training.json'), encoding='utf-8') as f:
            kept = json.load(f)
        epochs = len(kept['curve']['train_loss'])
        events = self.events('model')
        for event in events:
            self.assertTrue(started - 1 <= event['time'] <= time.time() + 1)
        self.assertEqual(events[0]['version'], 'brain.Event:2')
        self.assertEqual([e['text'] for e in events if 'text' in e], ['```toml\n' + STUDY + '\n```'])
        self.assertCurve(events, 'loss/train', kept['curve']['train_loss'])
        self.assertCurve(events, 'loss/validation', kept['curve']['validation_loss'])
        self.assertCurve(events, 'validation/roc_auc', kept['curve']['validation_score'])
        # 42 training rows, a fifth of them held out, in batches of 16.
        steps = self.curve(events, 'loss/step')
        self.assertEqual([s for s, _ in steps], list(range(1, 3 * epochs + 1)))
        rates = self.curve(events, 'learning rate')
        for step, rate in rates:
            epoch = (step - 1) // 3
            self.assertAlmostEqual(rate, 1e-3 * (1 + math.cos(math.pi * epoch / 6)) / 2, delta=1e-9)
        for name, figure in kept['test'].items():
            self.assertEqual(len(self.curve(events, 'test/' + name)), 1, name)
            self.assertAlmostEqual(self.curve(events, 'test/' + name)[0][1], figure['value'], delta=1e-6)
        for name in 'blood', 'rest':
            h = [e['histogram'] for e in events if e.get('tag') == 'weight/' + name]
            self.assertEqual(len(h), 1)
            self.assertEqual((h[0]['num'], sum(h[0]['counts'])), (18, 18))
            self.assertTrue(0 <= h[0]['min'] <= h[0]['max'] <= 1)
            self.assertEqual(sorted(h[0]['limits']), h[0]['limits'])
        with open(self.path('model', 'log.jsonl'), encoding='utf-8') as f:
            lines = [json.loads(line) for line in f]
        self.assertEqual([line['train_loss'] for line in lines], kept['curve']['train_loss'])
        self.assertEqual([line['epoch'] for line in lines], list(range(1, epochs + 1)))
        with open(self.path('model', 'log.csv'), encoding='utf-8', newline='') as f:
            table = list(csv.DictReader(f))
        self.assertEqual([{k: float(v) for k, v in row.items()} for row in table], lines)
        # A new training replaces the logs, and without --log there are none.
        self.weft('train', 'small.toml', '--out', 'model', '--quiet', '--log', 'tensorboard')
        self.assertEqual(self.events('model')[2]['scalar'], events[2]['scalar'])
        self.weft('train', 'small.toml', '--out', 'plain', '--quiet')
        self.assertEqual(sorted(os.listdir(self.path('plain'))), ['model.json', 'network.safetensors', 'training.json'])

    def test_several_networks(self):
        self.write('small.toml', STUDY.replace('batch = 16', 'folds = 2') + '[select]\nlr = [0.01, 0.001]\n')
        self.weft('train', 'small.toml', '--out', 'model', '--quiet', '--log', 'tensorboard', '--log', 'csv')
        for trial, rate in (1, 0.01), (2, 0.001):
            for network in 1, 2:
                events = self.events('model', f'trial-{trial}-network-{network}')
                self.assertAlmostEqual(self.curve(events, 'learning rate')[0][1], rate, delta=1e-8)
                self.assertEqual(self.curve(events, 'loss/train')[0][0], 1)
        with open(self.path('model', 'log.csv'), encoding='utf-8', newline='') as f:
            runs = {(row['trial'], row['network']) for row in csv.DictReader(f)}
        self.assertEqual(runs, {('1', '1'), ('1', '2'), ('2', '1'), ('2', '2')})

    def test_compare(self):
        self.weft('compare', 'small.toml', '--out', 'out', '--quiet', '--log', 'csv,json,tensorboard')
        with open(self.path('out', 'results.json'), encoding='utf-8') as f:
            results = json.load(f)
        self.assertEqual(sorted(os.listdir(self.path('out', 'log'))), ['concat', 'gate', 'l2', 'single: blood', 'single: rest'])
        events = self.events('out', 'log', 'gate')
        first = results['metrics'].index('roc_auc')
        own = [r for r in results['records'] if r['method'] == 'gate']
        self.assertCurve(events, 'test/roc_auc', [r['metrics'][first] for r in own])
        self.assertTrue(self.curve(events, 'loss/train'))
        with open(self.path('out', 'log.jsonl'), encoding='utf-8') as f:
            lines = [json.loads(line) for line in f]
        curves = {(r['method'], tuple(r['curve']['train_loss'])) for r in results['records'] if 'curve' in r}
        logged = {(m, tuple(x['train_loss'] for x in lines if x['method'] == m)) for m in {x['method'] for x in lines}}
        self.assertEqual(logged, curves)
        with open(self.path('out', 'log.csv'), encoding='utf-8', newline='') as f:
            self.assertEqual(len(list(csv.DictReader(f))), len(lines))

    def test_killed(self):
        self.write('small.toml', STUDY.replace('epochs = 6', 'epochs = 1000000\npatience = 1000000'))
        with subprocess.Popen([PROGRAM, 'train', 'small.toml', '--out', 'model', '--quiet', '--log', 'tensorboard,json'],
                              cwd=self.root) as run:
            until = time.time() + 60
            log = self.path('model', 'log.jsonl')
            while not os.path.exists(log) or os.path.getsize(log) < 2000:
                self.assertIsNone(run.poll())
                self.assertLess(time.time(), until)
                time.sleep(0.02)
            run.kill()
        events = self.events('model')
        done = len(self.curve(events, 'loss/train'))
        self.assertGreaterEqual(done, 5)
        with open(log, encoding='utf-8') as f:
            lines = [json.loads(line) for line in f if line.endswith('\n')]
        self.assertLessEqual(abs(len(lines) - done), 1)
        # Wherever it is cut, what stands before is read; a flipped bit is found.
        name = glob.glob(self.path('model', 'events.out.tfevents.*'))[0]
        with open(name, 'rb') as f:
            data = f.read()[:3000]
        whole = len(list(reader.records(data)))
        for cut in range(0, len(data), 7):
            self.assertLessEqual(len(list(reader.records(data[:cut]))), whole)
        for at in 3, 9, 20, 2000:
            bad = bytearray(data)
            bad[at] ^= 4
            with self.assertRaises(reader.Damaged):
                list(reader.records(bytes(bad)))

    def test_interrupted_and_resumed(self):
        """The same lines as without a stop; a second event file goes on where the first ended."""
        self.write('small.toml', STUDY.replace('epochs = 6', 'epochs = 400\npatience = 400'))
        self.weft('train', 'small.toml', '--out', 'whole', '--quiet', '--log', 'csv')
        with subprocess.Popen([PROGRAM, 'train', 'small.toml', '--out', 'model', '--log', 'csv,tensorboard'], cwd=self.root,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            run.stderr.readline()  # a line of progress comes at every tenth
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)
        self.assertEqual(run.returncode, 130)
        self.weft('train', 'small.toml', '--out', 'model', '--quiet', '--log', 'csv,tensorboard', '--resume')
        logs = []
        for folder in 'whole', 'model':
            with open(self.path(folder, 'log.csv'), encoding='utf-8') as f:
                logs.append(f.read())
        self.assertEqual(logs[0], logs[1])
        files = sorted(glob.glob(self.path('model', 'events.out.tfevents.*')), key=os.path.getmtime)
        self.assertEqual(len(files), 2)
        both = [step for name in files for step, _ in self.curve(reader.read(name), 'loss/train')]
        self.assertEqual(both, list(range(1, 401)))

    def test_unknown_kind(self):
        for command in 'train', 'compare':
            done = subprocess.run([PROGRAM, command, 'small.toml', '--out', 'out', '--log', 'tensorbord'], cwd=self.root,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr),
                             (2, 'error: log: there is no kind "tensorbord"; the closest name is "tensorboard"\n'
                              '  help: choose from csv, json and tensorboard\n'))
            self.assertFalse(os.path.exists(self.path('out')))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
