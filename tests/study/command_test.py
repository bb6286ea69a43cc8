#!/usr/bin/env python3
"""The weft command as its users meet it: bad input gives one or two lines, exit status 2, and no half-written files.

command_test.py PROGRAM STUDIES
"""
import json
import os
import shutil
import signal
import stat
import struct
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
[train]
epochs = 8
[compare]
splits = 3
'''


def table(rows=60):
    lines = ['blood_a,blood_b,age,sick']
    lines += [f'{(i * 7) % 11 + 3 * (i % 2)},{(i * 5) % 13},{20 + (i * 17) % 60},{i % 2}' for i in range(rows)]
    return '\n'.join(lines) + '\n'


def npy(values, width=0):
    """An array (N,), or (N, width), of float64."""
    shape = f'({len(values) // width}, {width})' if width else f'({len(values)},)'
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b'\n'
    return b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header + struct.pack(f'<{len(values)}d', *values)


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name
        os.chmod(self.root, 0o755)
        self.write('small.toml', STUDY)
        self.write('small.csv', table())

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, content):
        with open(self.path(name), 'wb') as f:
            f.write(content if isinstance(content, bytes) else content.encode())

    def read(self, *names):
        with open(self.path(*names), 'rb') as f:
            return f.read()

    def weft(self, *args, **more):
        env = {k: v for k, v in os.environ.items() if k != 'WEFT_DATA'}
        env.update(more.pop('env', {}))
        return subprocess.run([PROGRAM, *args], cwd=self.root, env=env, stderr=subprocess.PIPE, text=True, timeout=300,
                              **{'stdout': subprocess.PIPE, **more})

    def compare(self, *args, **more):
        return self.weft('compare', 'small.toml', '--out', 'out', *args, **more)

    def fails(self, done, *expected):
        self.assertEqual(done.returncode, 2, done.stderr)
        lines = done.stderr.rstrip('\n').split('\n')
        self.assertLessEqual(len(lines), 2, done.stderr)
        for text in expected:
            self.assertIn(text, done.stderr)
        out = self.path('out')
        self.assertEqual(os.listdir(out) if os.path.isdir(out) else [], [])

    def both_fail(self, *expected):
        """Neither command goes on, and neither leaves a folder behind."""
        for command in 'compare', 'train':
            self.fails(self.weft(command, 'small.toml', '--out', 'out', '--quiet'), *expected)
            self.assertFalse(os.path.exists(self.path('out')))

    def train(self, *args, out='model', **more):
        done = self.weft('train', 'small.toml', '--out', out, '--quiet', *args, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def stop(self, args, lines):
        """Ctrl-C once so many lines of progress have come; they come at every tenth."""
        with subprocess.Popen([PROGRAM, *args], cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            for _ in range(lines):
                run.stderr.readline()
            run.send_signal(signal.SIGINT)
            err = run.communicate(timeout=60)[1]
        self.assertEqual(run.returncode, 130, err)
        self.assertTrue(err.endswith('interrupted; weft goes on from here with --resume\n'), err)

    def test_results(self):
        done = self.compare()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('l2: blood', done.stdout)
        self.assertEqual(sorted(os.listdir(os.path.join(self.root, 'out'))), ['report.html', 'results.csv', 'results.json', 'splits.json'])
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
        self.fails(self.compare(), 'small.toml:8: table: small.csv has no column "blod_a"; the closest name is "blood_a"')

    def test_unknown_target(self):
        self.write('small.toml', STUDY.replace('"sick"', '"sik"'))
        self.fails(self.compare(), 'small.toml:3:', '"sick"')

    def test_unknown_fusion(self):
        self.write('small.toml', STUDY + '[fusion]\nname = "gatte"\n')
        self.fails(self.compare(), 'small.toml:17: unknown fusion "gatte"; the closest name is "gate"')

    def test_unknown_key(self):
        self.write('small.toml', STUDY + 'split = 3\n')
        self.fails(self.compare(), 'small.toml:16: unknown key "split" in [compare]; the closest name is "splits"')

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
        with open(os.path.join(STUDIES, 'wdbc.toml')) as f:  # three fusions: under sanitizers all would take minutes
            study = f.read().replace('[compare]', '[compare]\nfusions = ["concat", "late", "gate"]')
        self.write('wdbc.toml', study.replace('file = "', f'file = "{STUDIES}/'))
        args = ['compare', 'wdbc.toml', '--splits', '3', '--jobs', '1']
        whole = self.weft(*args, '--out', 'whole', '--quiet')
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.stop([*args, '--out', 'out'], 4)
        self.assertEqual(os.listdir(self.path('out')), ['compare.weft-checkpoint'])
        checkpoint = self.read('out', 'compare.weft-checkpoint')
        other = self.weft(*args, '--out', 'out', '--resume', '--seed', '5')
        self.assertEqual(other.returncode, 2)
        self.assertEqual(other.stderr, 'error: resume: out/compare.weft-checkpoint is of another study file, seed, number of '
                         'splits, version or other data\n  help: run without --resume to start anew\n')
        self.write('out/compare.weft-checkpoint', checkpoint[:100])
        cut = self.weft(*args, '--out', 'out', '--resume')
        self.assertEqual((cut.returncode, cut.stderr),
                         (2, 'error: resume: out/compare.weft-checkpoint is not a whole checkpoint\n'
                          '  help: delete it to start anew\n'))
        self.write('out/compare.weft-checkpoint', checkpoint)
        resumed = self.weft(*args, '--out', 'out', '--quiet', '--resume')
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        for name in ['results.json', 'results.csv', 'report.html', 'splits.json']:
            self.assertEqual(self.read('whole', name), self.read('out', name), name)
        self.assertNotIn('compare.weft-checkpoint', os.listdir(self.path('out')))

    def test_training_interrupted_and_resumed(self):
        self.write('small.csv', table(150))
        for folds, lines in ('', 3), ('folds = 3\n', 2), ('folds = 3\n', 6):
            self.write('small.toml', STUDY.replace('epochs = 8\n', 'epochs = 400\npatience = 400\nbatch = 4\n' + folds))
            self.train(out='whole')
            args = ['train', 'small.toml', '--out', 'out']
            self.stop(args, lines)
            self.assertEqual(os.listdir(self.path('out')), ['train.weft-checkpoint'])
            checkpoint = self.read('out', 'train.weft-checkpoint')
            other = self.weft(*args, '--resume', '--seed', '5')
            self.assertEqual((other.returncode, other.stderr),
                             (2, 'error: resume: out/train.weft-checkpoint is of another study file, seed, version or other '
                              'data\n  help: run without --resume to start anew\n'))
            self.write('out/train.weft-checkpoint', checkpoint[:len(checkpoint) // 2])
            cut = self.weft(*args, '--resume')
            self.assertEqual((cut.returncode, cut.stderr),
                             (2, 'error: resume: out/train.weft-checkpoint is damaged\n'
                              '  help: run without --resume to start anew\n'))
            self.write('out/train.weft-checkpoint', checkpoint)
            self.train('--resume', out='out')
            self.assertEqual(sorted(os.listdir(self.path('out'))), ['model.json', 'network.safetensors', 'training.json'])
            for name in os.listdir(self.path('out')):
                self.assertEqual(self.read('whole', name), self.read('out', name), name)
            shutil.rmtree(self.path('out'))

    def test_training_with_select_interrupted_and_resumed(self):
        self.write('small.csv', table(150))
        self.write('small.toml', STUDY.replace('epochs = 8\n', 'epochs = 300\npatience = 300\nbatch = 4\n') +
                   '[select]\nlr = [0.001, 0.01]\n')
        self.train(out='whole')
        # In the first training, and in the second: then the first has been kept.
        for lines, kept in (3, ['0']), (8, ['0', '1']):
            self.stop(['train', 'small.toml', '--out', 'out'], lines)
            self.assertEqual(sorted(os.listdir(self.path('out'))), ['train.weft-checkpoint.' + n for n in kept])
            self.train('--resume', out='out')
            self.assertEqual(sorted(os.listdir(self.path('out'))), ['model.json', 'network.safetensors', 'training.json'])
            for name in os.listdir(self.path('out')):
                self.assertEqual(self.read('whole', name), self.read('out', name), name)
            shutil.rmtree(self.path('out'))

    def test_kept_splits_are_used_again(self):
        first = self.compare('--quiet')
        self.assertEqual(first.returncode, 0, first.stderr)
        kept = self.read('out', 'splits.json')
        self.write('again.toml', STUDY + '[split]\nfile = "out/splits.json"\n')
        again = self.weft('compare', 'again.toml', '--out', 'again', '--quiet')
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.read('again', 'splits.json'), kept)
        self.assertEqual(self.read('again', 'results.csv'), self.read('out', 'results.csv'))
        shutil.rmtree(self.path('out'))
        self.write('s.json', kept[:50])
        self.write('small.toml', STUDY + '[split]\nfile = "s.json"\n')
        self.fails(self.compare(), 'splits: s.json is not a file of splits, or not all of it')
        self.write('s.json', kept)
        self.write('small.csv', table(61))
        self.fails(self.compare(), 'splits: s.json was written for other data than the study reads now')

    def test_selected_settings_are_kept_with_the_model(self):
        self.write('small.toml', STUDY + '[select]\nwidth = [3, 5]\nlr = [0.001, 0.01]\n')
        trained = json.loads(self.train('--json').stdout)
        self.assertIn(trained['selected']['width'], (3, 5))
        self.assertEqual(json.loads(self.weft('evaluate', 'model', '--json').stdout), trained['test'])

    def test_explain(self):
        # Every seventh row lacks its blood; the place is a column that no modality uses.
        lines = [('blood_a,blood_b,age,sick,place' if i == 0 else line + (',north' if i % 3 else ',south'))
                 for i, line in enumerate(table().splitlines())]
        for i in range(1, len(lines), 7):
            lines[i] = ',,' + lines[i].split(',', 2)[2]
        self.write('small.csv', '\n'.join(lines) + '\n')
        study = STUDY.replace('file = "small.csv"', 'file = "small.csv"\nexclude = ["place"]')
        self.write('small.toml', study.replace('[train]', '[fusion]\nname = "gate"\n[train]'))
        self.train()
        model = json.loads(self.read('model', 'model.json'))
        done = self.weft('explain', 'model', '--by', 'place')
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ('mean weight', 'class = 0', 'place = south', 'rank correlation', 'Sets of classes at 95 %'):
            self.assertIn(words, done.stdout)
        found = json.loads(self.read('model', 'explanations.json'))
        self.assertEqual((found['weft_explanations'], found['fusion'], found['seed'], found['level']), (1, 'gate', 0, 0.95))
        self.assertEqual((found['modalities'], found['classes']), (['blood', 'rest'], ['0', '1']))
        self.assertEqual([p['row'] for p in found['patients']], model['test'])
        self.assertLess(found['shapley_error'], 1e-6)
        names = {'blood': {'blood_a', 'blood_b'}, 'rest': {'age'}}
        some_lack, changes = 0, 0
        for p in found['patients']:
            line = lines[p['row'] + 1].split(',')
            self.assertEqual((p['id'], p['label'], p['present']), (str(p['row']), int(line[3]), [line[0] != '', True]))
            self.assertEqual(p['prediction'], p['probabilities'].index(max(p['probabilities'])))
            self.assertIn(p['prediction'], p['set'])
            self.assertAlmostEqual(sum(p['shapley']), p['probabilities'][p['prediction']] - p['base'], delta=1e-6)
            self.assertAlmostEqual(sum(p['weights']), 1, delta=1e-6)
            self.assertEqual(p['generated'], [False, False])
            self.assertEqual([n['label'] for n in p['nearest']], [int(lines[n['row'] + 1].split(',')[3]) for n in p['nearest']])
            self.assertEqual(len({n['row'] for n in p['nearest']} - set(model['test'])), 5)
            self.assertEqual(sorted(p['nearest'], key=lambda n: n['distance']), p['nearest'])
            for m, name in enumerate(found['modalities']):
                values = {f['name']: f['value'] for f in p['features'][name]}
                if not p['present'][m]:
                    some_lack += 1
                    self.assertEqual((p['shapley'][m], p['drop_one'][m], p['weights'][m], values), (0, 0, 0, {}))
                    continue
                self.assertEqual(set(values), names[name])
                for feature, value in values.items():  # in the units of the file
                    self.assertAlmostEqual(value, float(line[['blood_a', 'blood_b', 'age'].index(feature)]), delta=1e-4)
            if p['counterfactual']:
                # The command itself decides otherwise about a row that is changed like this.
                changes += 1
                row = dict(zip(lines[0].split(','), line))
                for change in p['counterfactual']['changes']:
                    self.assertAlmostEqual(change['from'], float(row[change['name']]), delta=1e-4)
                    row[change['name']] = str(change['to'])
                self.write('new.csv', ','.join(row) + '\n' + ','.join(row.values()) + '\n')
                answer = self.weft('predict', 'model', 'new.csv').stdout.splitlines()[1].split(',')
                self.assertEqual(answer.index(max(answer[:2], key=float)), p['counterfactual']['becomes'])
                self.assertNotEqual(p['counterfactual']['becomes'], p['prediction'])
        self.assertGreater(some_lack, 0)
        self.assertGreater(changes, 0)
        self.assertEqual({(g['by'], g['value']) for g in found['groups']},
                         {('class', '0'), ('class', '1'), ('place', 'north'), ('place', 'south')})
        ones = [p for p in found['patients'] if p['label'] == 1]
        group = next(g for g in found['groups'] if (g['by'], g['value']) == ('class', '1'))
        self.assertEqual(group['n'], len(ones))
        self.assertAlmostEqual(group['shapley'][0], sum(abs(p['shapley'][0]) for p in ones) / len(ones), delta=1e-6)
        self.assertAlmostEqual(group['weights'][1], sum(p['weights'][1] for p in ones) / len(ones), delta=1e-6)
        self.assertTrue(-1 <= found['agreement']['low'] <= found['agreement']['high'] <= 1)

        # New rows without a target, few of them one by one, in another folder.
        self.write('new.csv', 'blood_a,blood_b,age,place\n1,2,30,north\n,,40,\n5,,50,south\n')
        done = self.weft('explain', 'model', 'new.csv', '--by', 'place', '--patients', '2', '-o', 'other', '--json', '-q')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        other = json.loads(done.stdout)
        self.assertEqual(other, json.loads(self.read('other', 'explanations.json')))
        self.assertEqual([(p['row'], p['label'], p['present']) for p in other['patients']],
                         [(0, None, [True, True]), (1, None, [False, True])])
        self.assertEqual({(g['by'], g['value']) for g in other['groups'] if g['by'] == 'place'},
                         {('place', 'north'), ('place', 'missing'), ('place', 'south')})
        self.assertEqual(sum(g['n'] for g in other['groups'] if g['by'] == 'predicted class'), 3)

        # A model of before scores were kept has no sets, and says so.
        del model['conformity']
        self.write('model/model.json', json.dumps(model))
        done = self.weft('explain', 'model', '--patients', '1')
        self.assertIn('train again to get them', done.stdout)
        self.assertIsNone(json.loads(self.read('model', 'explanations.json'))['patients'][0]['set'])

    def test_explain_says_what_is_wrong(self):
        self.fails(self.weft('explain', 'nowhere'), 'load: there is no model in nowhere', 'help: give a folder')
        self.write('small.toml', STUDY.replace('[train]', '[fusion]\nname = "concat"\n[train]'))
        self.train()
        done = self.weft('explain', 'model')
        self.assertIn('The fusion "concat" has no weights', done.stdout)
        kept = json.loads(self.read('model', 'explanations.json'))
        self.assertEqual((kept['agreement'], kept['patients'][0]['weights'], kept['nearest_space']), (None, None, 'fused'))
        self.fails(self.weft('explain', 'model', '--by', 'plase'), 'small.csv has no column "plase"')
        self.write('new.csv', 'blood_a,blood_b,age\n1,2,30\n')
        self.fails(self.weft('explain', 'model', 'new.csv', '--by', 'plase'), 'table: new.csv has no column "plase"')
        about = json.loads(self.read('model', 'model.json'))
        self.write('model/model.json', json.dumps({**about, 'test': []}))
        self.fails(self.weft('explain', 'model'), 'explain: model has no test rows', 'help: name a CSV of rows')
        self.write('small.csv', table(61))
        self.fails(self.weft('explain', 'model'), 'explain: the data of', 'have changed since model was trained',
                   'help: train again')

    def test_groups_sites_and_parts(self):
        rows = [line + f',p{i // 4},{"north" if i < 20 else "south"}' for i, line in enumerate(table().splitlines()[1:])]
        self.write('small.csv', '\n'.join(['blood_a,blood_b,age,sick,patient,site'] + rows) + '\n')
        study = STUDY.replace('splits = 3', 'splits = 3\nfusions = ["late"]\nbaselines = ["l2"]\nreference = "l2"\n'
                              'subgroups = ["site"]')
        self.write('small.toml', study + '[split]\ngroup = "patient"\n')
        results = json.loads(self.compare('--json', '--quiet').stdout)
        self.assertEqual(results['protocol']['kind'], 'grouped')
        for split in json.loads(self.read('out', 'splits.json'))['splits']:
            self.assertFalse({i // 4 for i in split['train']} & {i // 4 for i in split['test']})
        self.assertIn('site = south', results['summary'][-1]['parts'])
        self.write('small.toml', study + '[split]\nsite = "site"\ngroup = "patient"\n')
        done = self.compare('--quiet')
        self.assertIn('each of 2 sites left out once, 30/30', done.stdout)
        shutil.rmtree(self.path('out'))
        self.write('small.toml', study + '[split]\ngroup = "patent"\n')
        self.fails(self.compare(), 'small.toml:20: table: small.csv has no column "patent"; the closest name is "patient"')

    def test_one_seed_one_result(self):
        results = []
        for jobs in '1', '2':
            done = self.compare('--jobs', jobs, '--json', '--quiet')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            results += [done.stdout.encode(), self.read('out', 'results.json')]
        self.assertEqual(len(set(results)), 1)
        done = self.compare('--seed', '7', '--splits', '2', '--json', '--quiet')
        self.assertEqual((json.loads(done.stdout)['seed'], json.loads(done.stdout)['protocol']['splits']), (7, 2))
        a, b = self.train('--json').stdout, self.train('--json').stdout
        self.assertEqual(a, b)
        self.assertEqual(a.encode(), self.read('model', 'training.json'))
        self.assertNotEqual(json.loads(a)['test'], json.loads(self.train('--json', '--seed', '7').stdout)['test'])

    def test_impute(self):
        lines = table().splitlines()
        self.write('new.csv', '\n'.join(['id,' + lines[0], 'p1,,4,50,0', 'p2,5,,,1', 'p3,,,30,']) + '\n')
        done = self.weft('impute', 'small.toml', 'new.csv')
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split(',') for line in done.stdout.splitlines()]
        self.assertEqual(rows[0], ['id', 'blood_a', 'sd of blood_a', 'blood_b', 'sd of blood_b', 'age', 'sd of age', 'sick'])
        self.assertEqual([row[0] for row in rows[1:]], ['p1', 'p2', 'p3'])
        self.assertEqual((rows[1][3], rows[1][4], rows[2][1], rows[2][2]), ('4', '0', '5', '0'))
        self.assertTrue(all(value for row in rows[1:] for value in row[:7]))
        self.assertGreater(float(rows[3][2]), 0)
        # A kept model's training rows, and the same again to the bit.
        self.train()
        self.assertEqual(self.weft('impute', 'model', 'new.csv', '--out', 'filled.csv').returncode, 0)
        again = self.weft('impute', 'model', 'new.csv')
        self.assertEqual(again.stdout.encode(), self.read('filled.csv'))
        self.fails(self.weft('impute', '.', 'new.csv'), 'impute: there is no model in .',
                   'help: give a study file, or a folder that weft train wrote')
        self.fails(self.weft('impute', 'small.toml', 'nowhere.csv'), 'csv: cannot open nowhere.csv')
        self.write('small.csv', table(80))
        self.fails(self.weft('impute', 'model', 'new.csv'), 'impute: the data of', 'have changed since model was trained')
        self.write(os.path.join('model', 'model.json'), '{}')
        self.fails(self.weft('impute', 'model', 'new.csv'), 'model.json is damaged')

    def test_impute_needs_a_table(self):
        self.write('arrays.toml', '[study]\nname = "arrays"\ntarget = ["y.npy"]\n[data]\nfolder = "."\n[[modality]]\nname = "x"\n'
                   'file = "x.npy"\n')
        self.write('x.npy', npy([0, 1, 0, 1]))
        self.write('y.npy', npy([0, 1, 0, 1]))
        self.fails(self.weft('impute', 'arrays.toml', 'small.csv'), 'arrays.toml reads NPY files; rows of a CSV do not fit it')

    def test_robustness(self):
        words = ['robustness', 'small.toml', '--out', 'out', '--splits', '2']
        done = self.weft(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('gate, completion', done.stdout)
        self.assertIn('report: out/robustness.html', done.stdout)
        self.assertEqual(sorted(os.listdir(self.path('out'))),
                         ['robustness.csv', 'robustness.html', 'robustness.json', 'robustness_conflict.svg',
                          'robustness_conflict_of_one.svg', 'robustness_missing.svg', 'robustness_missing_of_one.svg',
                          'robustness_noise_of_one.svg'])
        again = self.weft(*words, '--json', '--quiet', '--jobs', '2')
        self.assertEqual(again.stdout.encode(), self.read('out', 'robustness.json'))
        shutil.rmtree(self.path('out'))
        self.fails(self.weft(*words, '--fusions', 'gate,concta'),
                   'robustness: there is no fusion "concta"; the closest name is "concat"')

    def test_report_joins_what_lies_in_folders(self):
        self.assertEqual(self.compare('--quiet').returncode, 0)
        self.assertEqual(self.weft('train', 'small.toml', '--out', 'kept', '--quiet').returncode, 0)
        done = self.weft('report', 'out', 'kept', '-o', 'pages/all.html')
        self.assertEqual([done.returncode, done.stdout], [0, 'report: pages/all.html\n'], done.stderr)
        page = self.read('pages', 'all.html').decode()
        for part in ['id="methods"', 'id="model"', 'ROC curve for 1', 'Sizes of the splits', 'weft 0.1.0']:
            self.assertIn(part, page)
        # What compare wrote and what is read from its files are the same page.
        of_compare = self.read('out', 'report.html')
        said = json.loads(self.weft('report', 'out', '--json').stdout)
        self.assertEqual(said, {'report': 'out/report.html', 'bytes': len(of_compare)})
        self.assertEqual(self.read('out', 'report.html'), of_compare)
        self.write('out/results.json', self.read('out', 'results.json')[:5000])
        failed = self.weft('report', 'out')
        self.assertEqual(failed.returncode, 2)
        self.assertIn('report: out/results.json is not the results.json of a comparison, or not all of it', failed.stderr)
        self.assertEqual(self.read('out', 'report.html'), of_compare)
        self.assertIn('report: folders is required', self.weft('report').stderr)

    def test_train_evaluate_predict_agree(self):
        self.write('small.csv', table().replace('\n3,', '\n,').replace('\n5,5,', '\n,,'))
        trained = json.loads(self.train('--json').stdout)
        self.assertEqual(sorted(os.listdir(self.path('model'))), ['model.json', 'network.safetensors', 'training.json'])
        evaluated = self.weft('evaluate', 'model', '--json')
        self.assertEqual(json.loads(evaluated.stdout), trained['test'])
        test = json.loads(self.read('model', 'model.json'))['test']
        lines = self.read('small.csv').decode().splitlines()
        self.write('test.csv', '\n'.join([lines[0]] + [lines[i + 1] for i in test]) + '\n')
        self.assertEqual(json.loads(self.weft('evaluate', 'model', '--rows', 'test.csv', '--json').stdout), trained['test'])
        self.assertEqual(self.weft('predict', 'model', 'test.csv', '--out', 'p.csv').returncode, 0)
        printed = self.weft('predict', 'model', 'test.csv')
        self.assertEqual(printed.stdout.encode(), self.read('p.csv'))
        rows = [[float(v) for v in line.split(',')] for line in printed.stdout.splitlines()[1:]]
        brier = sum((row[1] - int(lines[i + 1][-1])) ** 2 for row, i in zip(rows, test)) / len(test)
        self.assertAlmostEqual(brier, trained['test']['brier']['value'], 9)
        # The model owes nothing to the other rows that are asked about.
        self.write('one.csv', lines[0] + '\n' + lines[test[0] + 1] + '\n')
        one = self.weft('predict', 'model', 'one.csv').stdout.splitlines()[1].split(',')
        for a, b in zip(one, rows[0]):
            self.assertAlmostEqual(float(a), b, 6)
        self.write('small.csv', table())
        self.fails(self.weft('evaluate', 'model'), 'evaluate: the data of ', 'small.toml have changed since model was trained')

    def test_kept_model_without_its_data(self):
        """Its study names data by ${WEFT_DATA}; new rows need neither."""
        os.mkdir(self.path('data'))
        self.write('data/small.csv', table())
        self.write('small.toml', STUDY.replace('small.csv', '${WEFT_DATA}/small.csv') + 'subgroups = ["age"]\n')
        here = {'env': {'WEFT_DATA': self.path('data')}}
        self.train(**here)
        expected = self.weft('predict', 'model', 'small.csv', **here).stdout
        shutil.rmtree(self.path('data'))
        done = self.weft('predict', 'model', 'small.csv')
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, '', expected))
        self.assertTrue(expected.startswith('probability of 0,'))
        self.assertEqual(self.weft('evaluate', 'model', '--rows', 'small.csv').returncode, 0)
        self.assertEqual(self.weft('inspect', 'model').returncode, 0)
        # What needs the data says how to give them.
        for command in 'evaluate', 'explain', 'impute':
            self.fails(self.weft(command, 'model', *(['small.csv'] if command == 'impute' else [])),
                       'small.toml:5: data not found: ${WEFT_DATA}/small.csv', 'help: set WEFT_DATA to the folder')
        self.fails(self.weft('evaluate', 'model', **here), 'small.toml:5: data not found: ' + self.path('data/small.csv'))

    def test_new_rows_of_arrays(self):
        """Modalities of NPY files, beside columns and alone."""
        image = [v for i in range(60) for v in ((i * 7) % 11 + 3 * (i % 2), (i * 5) % 13)]
        self.write('image.npy', npy(image, 2))
        self.write('names.txt', 'left\nright\n')
        files = 'name = "image"\nfile = "${WEFT_DATA}/image.npy"\nfeature_names = "${WEFT_DATA}/names.txt"\nlog = true\n'
        self.write('small.toml', STUDY.replace('name = "blood"\ncolumns = ["blood_*"]\n', files))
        here = {'env': {'WEFT_DATA': self.root}}
        trained = json.loads(self.train('--json', **here).stdout)
        test = json.loads(self.read('model', 'model.json'))['test']
        lines = table().splitlines()
        self.write('new.csv', '\n'.join([lines[0]] + [lines[i + 1] for i in test]) + '\n')
        self.write('new.npy', npy([v for i in test for v in image[2 * i:2 * i + 2]], 2))
        rows = ['--file', 'image=new.npy', 'new.csv']
        done = self.weft('predict', 'model', *rows)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[0], 'probability of 0,probability of 1,weight of image,weight of rest')
        judged = self.weft('evaluate', 'model', '--rows', 'new.csv', '--file', 'image=new.npy', '--json')
        self.assertEqual(json.loads(judged.stdout), trained['test'], judged.stderr)
        self.assertEqual(self.weft('explain', 'model', *rows, '-o', 'explained', '--by', 'age', **here).returncode, 0)
        # A row whose numbers are all missing lacks the modality.
        self.write('nan.npy', npy([float('nan')] * 2 * len(test), 2))
        gaps = self.weft('predict', 'model', 'new.csv', '--file', 'image=nan.npy').stdout.splitlines()
        self.assertEqual([line.split(',')[2:] for line in gaps[1:]], [['0', '1']] * len(test))
        self.write('wide.npy', npy([1, 2, 3], 3))
        self.write('one.npy', npy([1, 2], 2))
        for args, expected in (
                (['new.csv'], ['predict: modality "image" is read from NPY files', 'help: give its rows by --file "image=FILE.npy"']),
                (rows[:2], ['predict: modality "rest" takes columns', 'help: name a CSV of rows that has them']),
                (['new.csv', '--file', 'imge=new.npy'], ['predict: there is no modality "imge"; the closest name is "image"']),
                (rows + ['--file', 'rest=new.npy'], ['predict: modality "rest" takes columns of the CSV, not a file']),
                (rows + ['--file', 'image=x.npy'], ['predict: modality "image" has two files, new.npy and x.npy']),
                (['new.csv', '--file', 'image'], ['predict: --file is "image"', 'help: write MODALITY=FILE.npy']),
                (['new.csv', '--file', 'image=x.npy'], ['predict: data not found: x.npy']),
                (['new.csv', '--file', 'image=wide.npy'], ['predict: wide.npy has 3 columns, modality "image" had 2 in training']),
                (['new.csv', '--file', 'image=one.npy'], [f'predict: new.csv has {len(test)} rows, one.npy has 1'])):
            self.fails(self.weft('predict', 'model', *args), *expected)
        self.fails(self.weft('evaluate', 'model', *rows[:2], '--rows', 'new.csv', '--target', 'new.npy'),
                   'evaluate: the target "sick" is a column of the CSV, not a file')
        self.fails(self.weft('impute', 'model', 'new.csv', **here), 'reads NPY files; rows of a CSV do not fit it')

        self.write('arrays.toml', '[study]\nname = "arrays"\ntarget = ["y.npy"]\n[data]\nfolder = "."\n[[modality]]\n' + files +
                   '[train]\nepochs = 3\n')
        self.write('y.npy', npy([i % 2 for i in range(60)]))
        self.assertEqual(self.weft('train', 'arrays.toml', '--out', 'arrays', '--quiet', **here).returncode, 0)
        done = self.weft('predict', 'arrays', '--file', 'image=new.npy')
        self.assertEqual(len(done.stdout.splitlines()), len(test) + 1, done.stderr)
        judge = ['evaluate', 'arrays', '--file', 'image=new.npy']
        self.write('classes.npy', npy([i % 2 for i in test]))
        judged = self.weft(*judge, '--target', 'classes.npy', '--json')
        own = self.weft('evaluate', 'arrays', '--json', **here)
        self.assertEqual(judged.returncode, 0, judged.stderr)
        if json.loads(self.read('arrays', 'model.json'))['test'] == test:
            self.assertEqual(judged.stdout, own.stdout)
        self.write('other.npy', npy([2] * len(test)))
        self.write('ones.npy', npy([1] * len(test)))
        for args, expected in (
                ([], 'evaluate: the classes of the new rows are not known'),
                (['--target', 'y.npy'], f'evaluate: y.npy has 60 rows, the others {len(test)}'),
                (['--target', 'other.npy'], 'evaluate: other.npy: row 1 is of class "2", which the model does not know'),
                (['--target', 'ones.npy'], 'evaluate: all rows of new.npy are of class "1"'),
                (['--rows', 'new.csv'], 'arrays.toml reads NPY files only; new.csv does not fit it')):
            self.fails(self.weft(*judge, *args), expected)
        self.fails(self.weft('evaluate', 'arrays', '--target', 'classes.npy', **here),
                   'evaluate: --quality and --target are about new rows, and none are named', 'help: name a CSV, or give them by --file')
        self.fails(self.weft('explain', 'arrays', '--file', 'image=new.npy', '--by', 'age', **here),
                   'explain: --by takes a column, and there is no CSV of new rows')

    def test_quality_of_a_modality(self):
        lines = table().splitlines()
        good = [lines[0] + ',blood_quality'] + [line + (',0.3' if i % 3 else ',') for i, line in enumerate(lines[1:])]
        self.write('small.csv', '\n'.join(good) + '\n')
        self.write('small.toml', STUDY.replace('columns = ["blood_*"]\n', 'columns = ["blood_*"]\nquality = "blood_quality"\n'))
        trained = json.loads(self.train('--json').stdout)
        self.assertEqual(json.loads(self.weft('evaluate', 'model', '--json').stdout), trained['test'])
        kept = json.loads(self.read('model', 'model.json'))
        self.assertNotIn('quality', kept['preparation'])  # it is no evidence, neither there nor under rest = true
        head = 'blood_a,blood_b,age,blood_quality\n'
        self.write('new.csv', head + '1,2,30,1\n1,2,30,\n1,2,30,0.5\n1,2,30,0\n')
        done = self.weft('predict', 'model', 'new.csv')
        self.assertEqual(done.returncode, 0, done.stderr)
        weights = [float(line.split(',')[2]) for line in done.stdout.splitlines()[1:]]
        self.assertEqual(weights[0], weights[1])
        self.assertGreater(weights[1], weights[2])
        self.assertGreater(weights[2], 10 * weights[3])
        self.assertEqual(self.weft('explain', 'model', 'new.csv', '-o', 'explained').returncode, 0)
        self.write('new.csv', head + '1,2,30,1\n1,2,30,1.5\n')
        self.fails(self.weft('predict', 'model', 'new.csv'),
                   'predict: the quality "blood_quality" of modality "blood" is 1.5 in row 2', 'help: bring it to a scale from 0 to 1')
        self.write('small.csv', '\n'.join(good).replace(',0.3', ',-3', 1) + '\n')
        self.both_fail('small.toml:9: the quality "blood_quality" of modality "blood" is -3 in row 2')
        # Weights follow it, so it must not tell the class either.
        tells = [lines[0] + ',blood_quality'] + [line + f',0.{1 + 7 * int(line[-1])}' for line in lines[1:]]
        self.write('small.csv', '\n'.join(tells) + '\n')
        self.both_fail('small.toml:6: column "blood_quality" of modality "blood" tells the class without an error')

    def test_new_rows(self):
        self.train()
        head = 'blood_a,blood_b,age,extra\n'
        self.write('new.csv', head + '1,2,30,x\n,,40,x\nNaN,?,,x\n1,,,x\n')
        done = self.weft('predict', 'model', 'new.csv')
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], 'probability of 0,probability of 1,weight of blood,weight of rest')
        rows = [[float(v) for v in line.split(',')] for line in lines[1:]]
        self.assertTrue(0 < rows[0][2] < 1)
        self.assertEqual(rows[1][2:], [0, 1])
        self.assertEqual(rows[2][2:], [0, 0])
        self.assertEqual(rows[3][2:], [1, 0])
        for row in rows:
            self.assertAlmostEqual(row[0] + row[1], 1, 6)
        for content, expected in (
                ('blood_a,age\n1,2\n', 'modality "blood": table: new.csv has no column "blood_b"; the closest name is "blood_a"'),
                ('age\n1\n', 'small.toml:8: table: new.csv has no column "blood_*"; the closest name is "age"'),
                (head + 'much,2,30,x\n', 'modality "blood": table encoder: column "blood_a" holds text, in training it held numbers'),
                (head + '1,2,inf,x\n', 'csv: new.csv: column "age" holds inf in row 1'),
                (head, 'csv: new.csv has a header, but no rows'),
                (head + '1,2\n', 'csv: new.csv:2: 2 fields, the header has 4')):
            self.write('new.csv', content)
            self.fails(self.weft('predict', 'model', 'new.csv', '--out', 'out/p.csv'), expected)
        self.fails(self.weft('predict', 'model', 'nowhere.csv'), 'csv: cannot open nowhere.csv: No such file or directory')
        self.fails(self.weft('predict', 'model', '.'), 'csv: . is a folder, not a file')
        self.fails(self.weft('predict', 'model', 'small.csv', '--out', 'nowhere/p.csv'),
                   'write_csv: cannot write nowhere/p.csv: No such file or directory')
        for content, expected in (
                (table().replace(',1\n', ',\n'), 'evaluate: new.csv has no complete target column "sick"'),
                (head + '1,2,30,x\n', 'evaluate: new.csv has no complete target column "sick"'),
                (table(1), 'evaluate: all rows of new.csv are of class "0"; judging takes two classes or more'),
                (table().replace(',1\n', ',7\n'), 'csv: new.csv: row 2 is of class "7", which the model does not know')):
            self.write('new.csv', content)
            self.fails(self.weft('evaluate', 'model', '--rows', 'new.csv'), expected)

    def test_category_that_training_has_not_seen(self):
        self.write('small.csv', table().replace('\n', ',f\n').replace('sick,f', 'sick,sex').replace(',1,f\n', ',1,m\n'))
        self.fails(self.weft('train', 'small.toml', '--out', 'out', '--quiet'),
                   'small.toml:9: column "sex" of modality "rest" tells the class without an error')
        self.write('small.toml', STUDY + '[split]\ntrusted = ["sex"]\n')
        self.train()
        self.write('new.csv', 'blood_a,blood_b,age,sex\n1,2,30,f\n1,2,30,m\n1,2,30,x\n')
        done = self.weft('predict', 'model', 'new.csv')
        self.assertEqual(done.returncode, 0, done.stderr)
        first = [float(line.split(',')[1]) for line in done.stdout.splitlines()[1:]]
        self.assertLess(first[0], first[1])
        self.assertEqual(len(first), 3)

    def test_damaged_models(self):
        self.train()
        network, model = self.read('model', 'network.safetensors'), self.read('model', 'model.json')

        def evaluated(*expected):
            self.fails(self.weft('evaluate', 'model'), *expected)
        for size in 0, 5, 100, len(network) // 2, len(network) - 1:
            self.write('model/network.safetensors', network[:size])
            evaluated('load: model/network.safetensors is damaged: ')
        self.write('model/network.safetensors', network[:-1] + bytes([network[-1] ^ 1]))
        evaluated('load: model/network.safetensors is not the network that model.json beside it was written with',
                  '  help: train again')
        os.remove(self.path('model', 'network.safetensors'))
        evaluated('load: cannot open model/network.safetensors: No such file or directory')
        self.write('model/network.safetensors', network)
        for size in 0, len(model) // 2, len(model) - 3:
            self.write('model/model.json', model[:size])
            evaluated('load: model/model.json is not a model that weft kept, or not all of it')
        about = json.loads(model)
        for key, value in ('test', [10 ** 9]), ('test', ['x']), ('seed', 'x'), ('preparation', 3), ('classes', None):
            self.write('model/model.json', json.dumps({**about, key: value}))
            evaluated('load: model/model.json is damaged')
        self.write('model/model.json', json.dumps({**about, 'fusion': 'gatte'}))
        evaluated('fusion: there is no "gatte"; the closest name is "gate"')
        self.fails(self.weft('predict', '.', 'small.csv'), 'load: there is no model in .', 'help: give a folder that weft train wrote')

    def test_odd_tables(self):
        rows = [line.split(',') for line in table().splitlines()[1:]]

        def csv(change):
            return 'blood_a,blood_b,age,sick\n' + ''.join(','.join(change(i, row)) + '\n' for i, row in enumerate(rows))
        for content, *expected in (
                ('', 'csv: small.csv is empty'),
                ('blood_a,blood_b,age,sick\n', 'csv: small.csv has a header, but no rows'),
                (bytes(range(256)) * 20, 'csv: small.csv:1: not UTF-8 text', 'help: save the table as CSV in UTF-8'),
                (table().encode() + b'1,2,\xe9,1\n', 'csv: small.csv:62: not UTF-8 text'),
                (table() + '1,2,\0,1\n', 'csv: small.csv:62: not UTF-8 text'),
                (b'\xff\xfe' + table().encode('utf-16-le'), 'csv: small.csv is UTF-16', 'help: save it as UTF-8'),
                (table(1), 'small.toml:3: the only row is of class "0"'),
                (table(2), 'small.toml:3: class "0" has 1 row; to train, to validate and to test takes 3',
                 'help: join rare classes, or leave their rows out'),
                (csv(lambda i, r: r[:3] + ['2' if i == 0 else r[3]]), 'small.toml:3: class "2" has 1 row'),
                (csv(lambda i, r: r[:3] + [str(i)]), 'small.toml:3: class "0" has 1 row',
                 'help: choose a target of few classes, if this one is a quantity'),
                (csv(lambda i, r: r[:3] + ['' if i == 4 else r[3]]), 'small.toml:3: the target is missing in row 5'),
                (csv(lambda i, r: ['1e200' if i == 2 else r[0]] + r[1:]), 'csv: small.csv: column "blood_a" holds 1e+200 in row 3',
                 'help: leave the field empty if the value is missing')):
            self.write('small.csv', content)
            self.both_fail(*expected)
        os.remove(self.path('small.csv'))
        self.both_fail('small.toml:5: data not found: small.csv')
        os.mkdir(self.path('small.csv'))
        self.both_fail('csv: small.csv is a folder, not a file')
        os.rmdir(self.path('small.csv'))
        for content in (table(6), table(10), table().replace('\n', '\r\n'), csv(lambda i, r: ['1', '2', '3', r[3]]),
                        csv(lambda i, r: r[:2] + [f'level{i}', r[3]]), csv(lambda i, r: r[:3] + ['2' if i < 3 else r[3]]),
                        csv(lambda i, r: (['', ''] if i % 3 else r[:2]) + r[2:]), csv(lambda i, r: ['', ''] + r[2:] if i else r),
                        csv(lambda i, r: ['', '', '', r[3]] if i % 7 == 0 else r)):
            self.write('small.csv', content)
            for command in 'compare', 'train':
                done = self.weft(command, 'small.toml', '--out', 'fine', '--quiet')
                self.assertEqual((done.returncode, done.stderr), (0, ''), content[:200])

    def test_all_test_rows_lack_a_modality(self):
        lines = table().splitlines()
        rows = [(line if i < 40 else ',,' + line.split(',', 2)[2]) + (',train' if i < 40 else ',test')
                for i, line in enumerate(lines[1:])]
        self.write('small.csv', '\n'.join([lines[0] + ',part'] + rows) + '\n')
        self.write('small.toml', STUDY.replace('file = "small.csv"\n', 'file = "small.csv"\nsplit_column = "part"\n'))
        trained = json.loads(self.train('--json').stdout)
        self.assertEqual((trained['train_rows'], trained['test_rows']), (40, 20))
        done = self.weft('compare', 'small.toml', '--out', 'compared', '--json', '--quiet')
        self.assertEqual(done.returncode, 0, done.stderr)
        gate = [r for r in json.loads(done.stdout)['records'] if r['method'] == 'gate' and r['split'] == -1]
        self.assertEqual(gate[0]['weights'], [0, 1, 0, 1])
        self.write('small.csv', '\n'.join([lines[0] + ',part'] + [line + ',train' for line in lines[1:]]) + '\n')
        self.both_fail('small.toml:4: the split that comes with the data tests 0 rows; rows of two classes or more are needed')

    def test_many_columns_and_unicode(self):
        lines = table().splitlines()
        more = [','.join(str((i * j) % 17) for j in range(3000)) for i in range(60)]
        self.write('small.csv', '\n'.join([lines[0].replace('blood', 'größe') + ',' + ','.join(f'g{j}' for j in range(3000))] +
                                          [a + ',' + b for a, b in zip(lines[1:], more)]) + '\n')
        self.write('small.toml', STUDY.replace('"blood"', '"Größe 血液"').replace('blood', 'größe'))
        self.train()
        done = self.weft('predict', 'model', 'small.csv')
        self.assertIn('weight of Größe 血液', done.stdout)

    def test_wrong_studies(self):
        for old, new, expected in (
                ('epochs = 8', 'epochs = 0', 'small.toml:13: "epochs" in [train] is 0, outside 1 to 1000000'),
                ('epochs = 8', 'batch = 0', 'small.toml:13: "batch" in [train] is 0, outside 1 to 1000000000'),
                ('epochs = 8', 'lr = -0.1', 'small.toml:13: "lr" in [train] is -0.1, outside 1e-12 to 1e+06'),
                ('epochs = 8', 'folds = 50', 'small.toml:12: [train] wants 50 folds, but class "0" has 21 rows to train on'),
                ('epochs = 8', 'lr = 1e6\noptimizer = "sgd"', 'small.toml:12: the '),
                ('epochs = 8', 'epochs = 8\n[encoder]\nhidden = [1000000, 1000000]', 'small.toml:14: the network would have '),
                ('"rest"', '"blood"', 'small.toml:9: there are two modalities "blood"'),
                ('"small"', '"../small"', 'small.toml:2: a folder cannot be called "../small"'),
                ('"sick"', '"sick"\npositive = "2"', 'small.toml:4: the positive class "2" does not occur in the target'),
                ('"sick"', '"sick"\nclasses = { 2 = "ill" }', 'small.toml:4: [study.classes] names "2", which the target does not hold'),
                ('splits = 3', '[fusion]\nname = "static"\nweights = [1, 0]', 'small.toml:16: [fusion] gives "rest" the weight 0'),
                (STUDY, '', 'small.toml: there is no [study] table with name and target'),
                (STUDY, '[study]\ntarget = "sick"\n[data]\nfile = "small.csv"\n', 'small.toml: there is no [[modality]]'),
                (STUDY, table(), 'small.toml:1: not TOML: '),
                (STUDY, b'[study]\nname = "\xff\xfe"\n'.decode('latin-1').encode('latin-1'), 'small.toml:2: not TOML: ')):
            self.write('small.toml', STUDY.replace(old, new) if isinstance(new, str) else new)
            self.both_fail(expected)
        self.fails(self.weft('compare', '.'), 'study: . is a folder, not a file')

    def test_simulated_clinic(self):
        make = 'simulate', 'clinic', '--patients', '120', '--seed', '3', '--missing', 'random', '--missing-rate', '0.2', '--out'
        done = self.weft(*make, 'clinic')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertRegex(done.stdout, r'\Asimulated clinic: 120 patients in clinic, best possible accuracy 0\.8\d\d\nweft compare clinic/study.toml\n')
        self.assertEqual(self.weft(*make, 'again', '--quiet').stdout, '')
        names = [os.path.join(folder, name) for folder in ('', 'truth') for name in sorted(os.listdir(self.path('clinic', folder)))]
        for name in names:
            if name == 'truth':
                continue
            self.assertEqual(self.read('clinic', name), self.read('again', name), name)
            if name not in ('study.toml', 'README.md'):
                self.assertIn('simulated_', name)
        self.assertIn(b'SIMULATED DATA', self.read('clinic', 'README.md'))
        self.assertIn(b'title = "Simulated clinic (no real patients)', self.read('clinic', 'study.toml'))
        truth = json.loads(self.read('clinic', 'truth', 'simulated_best.json'))
        self.assertTrue(truth['simulated'])
        best = truth['best_accuracy']
        self.assertEqual(len(best), 9)
        for name in truth['modalities']:
            self.assertLess(best['only ' + name], best['without ' + name])
            self.assertLess(best['without ' + name], best['all'])
        self.assertEqual(len(self.read('clinic', 'simulated_notes.csv').splitlines()), 121)

        study = self.read('clinic', 'study.toml').decode()
        self.write('clinic/study.toml', study.replace('epochs = 12', 'epochs = 2').replace('splits = 5', 'splits = 2'))
        done = self.weft('compare', 'clinic/study.toml', '--out', 'compared', '--json', '--quiet')
        self.assertEqual(done.returncode, 0, done.stderr)
        results = json.loads(done.stdout)
        self.assertIn('Simulated clinic (no real patients)', results['title'])
        self.assertIn('Simulated clinic (no real patients)', self.read('compared', 'report.html').decode())
        gate = [r for r in results['records'] if r['method'] == 'gate']
        self.assertEqual(len(gate[0]['weights']), 8)
        # A kept network knows its shapes again.
        self.assertEqual(self.weft('train', 'clinic/study.toml', '--out', 'kept', '--quiet').returncode, 0)
        self.assertEqual(self.weft('evaluate', 'kept').returncode, 0)
        self.write('clinic/study.toml', study.replace('[1, 16, 16]', '[1, 16, 15]'))
        self.fails(self.weft('compare', 'clinic/study.toml', '--out', 'out'),
                   'clinic/study.toml:16: modality "image" has 256 columns, which the shape of its cnn does not fit',
                   'help: give shape = [channels, height, width], and numbers without indicators')

    def test_simulated_patients_of_whom_little_is_known_may_look_the_same(self):
        self.weft('simulate', 'clinic', '--patients', '600', '--missing', 'random', '--out', 'clinic', '--quiet')
        study = self.read('clinic', 'study.toml').decode().replace('epochs = 12', 'epochs = 1')
        self.write('clinic/study.toml', study)
        done = self.weft('train', 'clinic/study.toml', '--out', 'kept', '--quiet')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write('clinic/study.toml', study.replace('duplicates = "allow"', ''))
        self.fails(self.weft('train', 'clinic/study.toml', '--out', 'out', '--quiet'), 'are the same in everything')

    def test_simulate_wrongly(self):
        self.fails(self.weft('simulate'), 'weft simulate: a command is required\n  help: run weft simulate --help')
        self.fails(self.weft('simulate', 'clinik'), 'weft simulate: there is no command "clinik"; the closest name is "clinic"')
        self.fails(self.weft('simulate', 'clinic'), 'weft simulate clinic: --out is required\n  help: run weft simulate clinic --help')
        self.fails(self.weft('simulate', 'clinic', '--out', 'out', '--patient', '9'),
                   'weft simulate clinic: there is no option "--patient"; the closest name is "--patients"')
        self.fails(self.weft('simulate', 'clinic', '--out', 'out', '--missing', 'randm'),
                   'simulate: there is no way of missing "randm"; the closest name is "random"')
        self.fails(self.weft('simulate', 'clinic', '--out', ''), 'simulate: no folder is named\n  help: give one with --out')
        self.fails(self.weft('simulate', 'clinic', '--out', 'out', '--patients', '3'), 'clinic: 3 patients')
        self.fails(self.weft('simulate', 'clinic', '--out', 'out', '--missing-rate', '0.7'), 'clinic: missing_rate is 0.7')

    def test_command_line(self):
        self.fails(self.weft(), 'weft: a command is required\n  help: run weft --help')
        self.fails(self.weft('comprae', 'x'), 'weft: there is no command "comprae"; the closest name is "compare"')
        self.fails(self.weft('compare'), 'weft compare: study is required\n  help: run weft compare --help')
        self.fails(self.compare('--splts', '3'), 'weft compare: there is no option "--splts"; the closest name is "--splits"')
        self.fails(self.compare('--splits', '0'), 'weft compare: --splits: ', 'help: run weft compare --help')
        for seed in '-1', 'x', '1.5':
            self.fails(self.compare('--seed', seed), f'weft compare: --seed: {seed} is not a whole number from 0 on')
        self.fails(self.weft('train', 'small.toml', 'more'), 'weft train: the following argument was not expected: more')
        helped = self.weft('--help')
        self.assertEqual((helped.returncode, helped.stderr), (0, ''))
        self.assertIn('  weft compare studies/alzheimer.toml', helped.stdout)

    def test_where_output_goes(self):
        done = self.compare()
        self.assertEqual(done.stderr.splitlines()[-1].split(' ')[0], '84/84')
        self.assertTrue(done.stdout.startswith('small\n'), done.stdout)
        self.assertNotIn('\033', done.stdout + done.stderr)
        self.assertIn('late and mean: equal weights for all modalities that a row has, by definition.', done.stdout)
        self.assertNotIn('single: blood, 0', done.stdout)
        with open('/dev/full', 'wb') as full:
            for args in ['compare', 'small.toml', '--quiet'], ['predict', 'model', 'small.csv']:
                self.train()
                done = self.weft(*args, stdout=full)
                self.assertEqual((done.returncode, done.stderr),
                                 (2, 'error: cannot write to the standard output: No space left on device\n'))
        piped = subprocess.run(f'"{PROGRAM}" compare small.toml --quiet --out piped | head -n 1', shell=True,
                               cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((piped.returncode, piped.stdout, piped.stderr), (0, 'small\n', ''))
        json.loads(self.read('piped', 'results.json'))
        closed = subprocess.run(f'"{PROGRAM}" compare small.toml --quiet --out closed >&-', shell=True, cwd=self.root)
        self.assertEqual(closed.returncode, 0)
        json.loads(self.read('closed', 'results.json'))
        # A pipe or a device is written to, never replaced; a link keeps pointing where it did.
        os.mkfifo(self.path('pipe'))
        with subprocess.Popen(['cat', self.path('pipe')], stdout=subprocess.PIPE, text=True) as reader:
            self.assertEqual(self.weft('predict', 'model', 'small.csv', '--out', 'pipe').returncode, 0)
            self.assertTrue(reader.communicate(timeout=20)[0].startswith('probability of 0,'))
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path('pipe')).st_mode))
        os.symlink('target.csv', self.path('link.csv'))
        self.write('target.csv', 'old')
        self.assertEqual(self.weft('predict', 'model', 'small.csv', '--out', 'link.csv').returncode, 0)
        self.assertTrue(os.path.islink(self.path('link.csv')))
        self.assertTrue(self.read('target.csv').startswith(b'probability of 0,'))

    @unittest.skipUnless(shutil.which('script'), 'needs script (util-linux)')
    def test_terminals(self):
        def on_terminal(columns, **env):
            done = subprocess.run(['script', '-qec', f'stty cols {columns}; "{PROGRAM}" compare small.toml --out tty', '/dev/null'],
                                  cwd=self.root, env={**os.environ, 'TERM': 'xterm', **env}, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout)
            return done.stdout
        wide, narrow = on_terminal(120), on_terminal(40)
        self.assertIn('\033[1m', wide)
        self.assertIn('balanced accuracy', wide)
        table_of = narrow[narrow.rindex('l2: blood'):narrow.index('chosen on validation minus')]
        for line in table_of.replace('\033[2m', '').replace('\033[1m', '').replace('\033[0m', '').splitlines():
            self.assertLessEqual(len(line), 40, line)
        for drawn in narrow.split('\r\033[K')[1:-1]:
            self.assertLess(len(drawn), 40, drawn)
        self.assertNotIn('\033[1m', on_terminal(80, NO_COLOR='1'))
        self.assertNotIn('\033', on_terminal(80, TERM='dumb'))

    def test_folder_of_another(self):
        os.mkdir(self.path('out'))
        os.chmod(self.path('out'), 0o555)
        as_nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] if os.getuid() == 0 else []
        if as_nobody and not shutil.which('setpriv'):
            self.skipTest('needs setpriv')
        for command in 'compare', 'train':
            for out in 'out', 'out/new':
                done = subprocess.run([*as_nobody, PROGRAM, command, 'small.toml', '--out', out], cwd=self.root,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.fails(done, f'error: {command}: cannot write to {out}: Permission denied\n'
                           '  help: choose another folder with --out\n')

    def test_results_stay_when_new_ones_cannot_be_written(self):
        self.train()
        before = {name: self.read('model', name) for name in os.listdir(self.path('model'))}
        # A folder where a file should go makes the last step fail.
        os.remove(self.path('model', 'model.json'))
        os.makedirs(self.path('model', 'model.json', 'x'))
        done = self.weft('train', 'small.toml', '--out', 'model', '--seed', '3', '--quiet')
        self.assertEqual(done.returncode, 2)
        self.assertIn('train: cannot write model/model.json: ', done.stderr)
        self.assertEqual(sorted(os.listdir(self.path('model'))), sorted(before))
        for name in 'network.safetensors', 'training.json':
            self.assertEqual(self.read('model', name), before[name], name)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
