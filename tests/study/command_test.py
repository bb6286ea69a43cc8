#!/usr/bin/env python3
"""The weft command as its users meet it: bad input gives one or two lines, exit status 2, and no half-written files.

command_test.py PROGRAM STUDIES
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM, STUDIES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])

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
[compare]
splits = 3
'''


def table(rows=60):
    lines = ['blood_a,blood_b,age,sick']
    lines += [f'{(i * 7) % 11 + 3 * (i % 2)},{(i * 5) % 13},{20 + (i * 17) % 60},{i % 2}' for i in range(rows)]
    return '\n'.join(lines) + '\n'


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name
        os.chmod(self.root, 0o755)
        self.write('small.toml', STUDY)
        self.write('small.csv', table())

    def write(self, name, content):
        with open(os.path.join(self.root, name), 'w', encoding='utf-8') as f:
            f.write(content)

    def weft(self, *args, **more):
        env = {k: v for k, v in os.environ.items() if k != 'WEFT_DATA'}
        env.update(more.pop('env', {}))
        return subprocess.run([PROGRAM, *args], cwd=self.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120, **more)

    def compare(self, *args, **more):
        return self.weft('compare', 'small.toml', '--out', 'out', *args, **more)

    def fails(self, done, *expected):
        self.assertEqual(done.returncode, 2, done.stderr)
        lines = done.stderr.rstrip('\n').split('\n')
        self.assertLessEqual(len(lines), 2, done.stderr)
        for text in expected:
            self.assertIn(text, done.stderr)
        out = os.path.join(self.root, 'out')
        self.assertEqual(os.listdir(out) if os.path.isdir(out) else [], [])

    def test_results(self):
        done = self.compare()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('l2: blood', done.stdout)
        self.assertEqual(sorted(os.listdir(os.path.join(self.root, 'out'))), ['report.html', 'results.csv', 'results.json'])
        again = self.compare('--json', '--quiet')
        self.assertEqual(again.returncode, 0, again.stderr)
        with open(os.path.join(self.root, 'out', 'results.json'), encoding='utf-8') as f:
            self.assertEqual(json.loads(again.stdout), json.load(f))
        self.assertEqual(json.loads(again.stdout)['protocol']['splits'], 3)

    def test_ragged_row(self):
        self.write('small.csv', table().replace('\n', '\n1,2,3\n', 3))
        self.fails(self.compare(), 'small.csv:2')

    def test_unknown_column(self):
        self.write('small.toml', STUDY.replace('"blood_*"', '"blod_a"'))
        self.fails(self.compare(), 'small.toml:6:', 'blod_a', '"blood_a"')

    def test_unknown_target(self):
        self.write('small.toml', STUDY.replace('"sick"', '"sik"'))
        self.fails(self.compare(), 'small.toml:3:', '"sick"')

    def test_unknown_fusion(self):
        self.write('small.toml', STUDY + '[fusion]\nname = "gatte"\n')
        self.fails(self.compare(), 'small.toml:15: unknown fusion "gatte"; the closest name is "gate"')

    def test_unknown_key(self):
        self.write('small.toml', STUDY + 'split = 3\n')
        self.fails(self.compare(), 'small.toml:14: unknown key "split" in [compare]; the closest name is "splits"')

    def test_modality_that_nobody_has(self):
        lines = table().splitlines()
        empty = [lines[0]] + [',,' + line.split(',', 2)[2] for line in lines[1:]]
        self.write('small.csv', '\n'.join(empty) + '\n')
        self.fails(self.compare(), 'small.toml:6: nobody has modality "blood"')

    def test_modality_without_columns(self):
        self.write('small.toml', STUDY.replace('"blood_*"', '"*"'))
        self.fails(self.compare(), 'small.toml:')

    def test_one_class(self):
        lines = table().splitlines()
        self.write('small.csv', '\n'.join([lines[0]] + [line[:-1] + '1' for line in lines[1:]]) + '\n')
        self.fails(self.compare(), 'small.toml:3: all 60 rows are of class "1"')

    def test_missing_study(self):
        self.fails(self.weft('compare', 'nowhere.toml'), 'nowhere.toml')

    def test_missing_data(self):
        self.write('small.toml', STUDY.replace('small.csv', '${WEFT_DATA}/small.csv'))
        self.fails(self.compare(), 'small.toml:5: data not found', 'help: set WEFT_DATA')
        done = self.compare('--skip-missing')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertTrue(done.stdout.startswith('skipped: small: data not found'), done.stdout)
        self.assertEqual(self.compare(env={'WEFT_DATA': self.root}).returncode, 0)

    def test_folder_that_cannot_be_written(self):
        os.mkdir(os.path.join(self.root, 'out'))
        os.chmod(os.path.join(self.root, 'out'), 0o555)
        if os.getuid():
            self.fails(self.compare(), 'compare: cannot write to out', 'help: choose another folder with --out')
        # Who may write everywhere still cannot make a folder below a file.
        self.fails(self.weft('compare', 'small.toml', '--out', 'small.csv/out'),
                   'compare: cannot write to small.csv/out', 'help: choose another folder with --out')

    def test_wrong_options(self):
        self.fails(self.compare('--splits', '1'))
        self.assertEqual(self.weft().returncode, 2)
        self.assertEqual(self.weft('--version').returncode, 0)

    def test_interrupted_and_resumed(self):
        args = ['compare', os.path.join(STUDIES, 'wdbc.toml'), '--splits', '40', '--jobs', '1']
        whole = self.weft(*args, '--out', 'whole', '--quiet')
        self.assertEqual(whole.returncode, 0, whole.stderr)
        out = os.path.join(self.root, 'out')
        with subprocess.Popen([PROGRAM, *args, '--out', out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            run.stdout.readline()  # a tenth is done
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)
        self.assertEqual(run.returncode, 130)
        self.assertEqual(os.listdir(out), ['compare.weft-checkpoint'])
        resumed = self.weft(*args, '--out', 'out', '--quiet', '--resume')
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        for name in ['results.json', 'results.csv', 'report.html']:
            with open(os.path.join(self.root, 'whole', name), 'rb') as a, open(os.path.join(out, name), 'rb') as b:
                self.assertEqual(a.read(), b.read(), name)
        self.assertNotIn('compare.weft-checkpoint', os.listdir(out))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
