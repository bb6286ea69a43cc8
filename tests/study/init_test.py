#!/usr/bin/env python3
"""weft init and weft inspect: tables as people have them become studies that weft compare runs unchanged.

init_test.py PROGRAM
"""
import gzip
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import tomllib
import unittest

PROGRAM = os.path.abspath(sys.argv[1])


def rows(count, *columns, separator=','):
    return ''.join(separator.join(str(c(i)) for c in columns) + '\n' for i in range(count))


def noisy(seed, high=1.0):
    """A column that knows a little about the class, which is the row's number modulo 2."""
    r = random.Random(seed)
    values = [high * (0.6 * (i % 2) + r.random()) for i in range(1000)]
    return lambda i: f'{values[i]:.4f}'


def npy(values, shape, code='<f8', letter='d'):
    head = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    head += ' ' * (63 - (len(head) + 10) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack(f'<{len(values)}{letter}', *values)


class Init(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'wb') as f:
            f.write(content if isinstance(content, bytes) else content.encode())

    def weft(self, *args):
        return subprocess.run([PROGRAM, *args], cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)

    def ok(self, *args):
        done = self.weft(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, *args):
        done = self.weft(*args)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertLessEqual(done.stderr.count('\n'), 2)
        return done.stderr

    def study(self, *args, out='study.toml'):
        """Drafts a study, and runs it unchanged but for the number of splits."""
        told = json.loads(self.ok('init', *args, '-o', out, '--json', '--force'))
        self.assertEqual([w for w in told['warnings'] if 'will say' in w], [])
        with open(self.path(out), 'rb') as f:
            study = tomllib.load(f)
        done = json.loads(self.ok('compare', out, '--out', 'out', '--splits', '2', '--quiet', '--json'))
        self.assertTrue(done['records'])
        return study, told

    def test_hospital(self):
        """Identities, patients, dates, constants, text, gaps by a word, and columns of one laboratory."""
        self.write('visits.csv', 'visit_id,patient,date,number_of_visits,lab_a,lab_b,lab_c,age,sex,country,comment,diagnosis\n' + rows(
            120, lambda i: f'v{i}', lambda i: f'p{i // 3}', lambda i: f'2024-0{1 + i % 9}-1{i % 10}', lambda i: i * 37 % 121, noisy(1),
            lambda i: 'unknown' if i % 7 == 3 else noisy(2)(i), noisy(3), lambda i: 30 + i * 7 % 50, lambda i: 'mf'[i * 5 % 3 % 2],
            lambda i: 'NL', lambda i: f'text number {i}', lambda i: ['healthy', 'ill'][i % 2]))
        study, told = self.study('visits.csv')
        self.assertEqual(study['study'], {'name': 'visits', 'target': 'diagnosis', 'positive': 'ill'})
        self.assertEqual(study['split']['group'], 'patient')
        self.assertEqual(set(study['data']['exclude']), {'visit_id', 'date', 'country', 'comment'})
        self.assertIn('unknown', study['data']['missing'])
        modalities = {m['name']: m.get('columns') for m in study['modality']}
        self.assertEqual(modalities, {'lab': ['lab_*'], 'person': ['age', 'sex'], 'rest': None})
        self.assertEqual(study['compare']['subgroups'], ['sex'])
        self.assertIn({'what': 'target', 'where': 'diagnosis', 'why': 'its name, and few different values: healthy (60 rows), ill (60 rows)'},
                      told['guesses'])

    def test_missing_together(self):
        """What is missing in the same rows was measured together."""
        gap = lambda c: lambda i: '' if i % 5 == 2 else c(i)
        self.write('gaps.csv', 'tau,height_of_wave,ab42,mood,ill\n' + rows(
            80, gap(noisy(1)), noisy(2), gap(noisy(3)), lambda i: i * 7 % 5, lambda i: i % 2))
        study, _ = self.study('gaps.csv')
        self.assertEqual([(m['name'], m.get('columns')) for m in study['modality']], [('tau and ab42', ['tau', 'ab42']), ('rest', None)])

    def test_spreadsheet(self):
        """Semicolons, decimal commas and a mark at the front."""
        self.write('tabelle.csv', '\ufeffGruppe;Wert;Größe\n' + rows(
            60, lambda i: 'ab'[i % 2], lambda i: noisy(1)(i).replace('.', ','), lambda i: noisy(2)(i).replace('.', ','), separator=';'))
        study, _ = self.study('tabelle.csv')
        self.assertEqual((study['data']['separator'], study['data']['decimal'], study['study']['target']), (';', ',', 'Gruppe'))
        self.ok('train', 'study.toml', '--out', 'model', '--quiet')
        predicted = json.loads(self.ok('predict', 'model', 'tabelle.csv', '--json'))
        self.assertEqual(len(predicted), 60)
        self.assertAlmostEqual(predicted[0]['probability of a'] + predicted[0]['probability of b'], 1, delta=1e-6)

    def test_numbers_and_classes_line(self):
        """A first line of counts and class names instead of a header; gzipped."""
        text = '90,3,setosa,versicolor,virginica\n' + rows(90, noisy(1), noisy(2), lambda i: 7 * i % 11, lambda i: i % 3)
        self.write('iris.csv.gz', gzip.compress(text.encode()))
        study, _ = self.study('iris.csv.gz')
        self.assertEqual(study['study']['target'], 'column_4')
        self.assertEqual(study['study']['classes'], {'0': 'setosa', '1': 'versicolor', '2': 'virginica'})
        self.assertEqual((study['data']['header'], study['data']['skip_lines']), (False, 1))

    def test_no_header(self):
        self.write('plain.tsv', rows(80, noisy(1), noisy(2), lambda i: i % 2, separator='\t'))
        study, _ = self.study('plain.tsv')
        self.assertEqual((study['data']['header'], study['data']['separator'], study['study']['target']), (False, '\t', 'column_3'))

    def test_leaks_codes_and_rare_classes(self):
        """A column made from the target is left out; -99 is no temperature; a class of two rows cannot be learned."""
        self.write('ward.csv', 'hospital,stage,temp,bp_a,bp_b,bp_c,outcome\n' + rows(
            122, lambda i: 'abc'[i % 3], lambda i: 'xx' if i >= 120 else 'uv'[i % 2], lambda i: -99 if i % 9 == 4 else 36 + i * 13 % 5,
            noisy(1), noisy(2), noisy(3), lambda i: 'lost' if i >= 120 else ['home', 'dead'][i % 2]))
        study, told = self.study('ward.csv')
        self.assertEqual(study['study']['positive'], 'dead')
        self.assertEqual(study['study']['leave_out'], ['lost'])
        self.assertEqual(set(study['data']['exclude']), {'hospital', 'stage'})
        self.assertIn('-99', study['data']['missing'])
        self.assertEqual(study['compare']['subgroups'], ['hospital'])

    def test_equal_rows_and_a_given_split(self):
        lines = rows(60, noisy(1), noisy(2), lambda i: i % 2, lambda i: 'train' if i < 40 else 'test')
        first = lines.split('\n')[0]
        self.write('twice.csv', 'a,b,target,split\n' + lines + first + '\n')
        study, _ = self.study('twice.csv')
        self.assertEqual(study['data']['split_column'], 'split')
        self.assertEqual(study['split']['duplicates'], 'together')
        self.write('twice.csv', 'a,b,target,split\n' + lines + first.replace('train', 'test') + '\n')
        study, _ = self.study('twice.csv')
        self.assertNotIn('split_column', study['data'])
        self.assertIn('split', study['data']['exclude'])

    def test_odd_names(self):
        self.write('odd "name".csv', '"a ""b""","back\\slash",*,"y, or no"\n' + rows(
            60, noisy(1), noisy(2), noisy(3), lambda i: i % 2))
        study, _ = self.study('odd "name".csv', '--target', 'y, or no')
        self.assertEqual(study['study']['target'], 'y, or no')

    def test_folder(self):
        r = random.Random(1)
        for part, count in ('train', 60), ('test', 30):
            labels = [i % 2 for i in range(count)]
            self.write(f'arrays/y_{part}.npy', npy(labels, (count,), '<i8', 'q'))
            self.write(f'arrays/x1_genes_{part}.npy', npy([r.random() + 0.5 * y for y in labels for _ in range(4)], (count, 4)))
            self.write(f'arrays/x2_image_{part}.npy', npy([r.random() + 0.2 * y for y in labels for _ in range(64)], (count, 1, 8, 8)))
            self.write(f'arrays/patient_{part}.npy', npy([i + (100 if part == 'test' else 0) for i in range(count)], (count,), '<i8', 'q'))
        study, _ = self.study('arrays')
        self.assertEqual([m['name'] for m in study['modality']], ['genes', 'image'])
        self.assertEqual(study['modality'][1]['encoder']['shape'], [1, 8, 8])
        self.assertTrue(study['data']['fixed_split'])
        self.assertEqual(study['split']['group'], ['patient_train.npy', 'patient_test.npy'])
        sheet = json.loads(self.ok('inspect', 'arrays', '--json'))
        self.assertEqual(next(a for a in sheet['arrays'] if a['array'] == 'x2_image_test.npy')['shape'], [30, 1, 8, 8])

    def test_what_is_no_study(self):
        self.write('price.csv', 'size,price\n' + rows(60, noisy(1), noisy(2)))
        self.assertEqual(self.fails('init', 'price.csv'), 'error: init: no column of price.csv looks like a class: few values, each in '
                         'several rows\n  help: name the column to predict with --target\n')
        self.assertIn('error: init: "price" of price.csv is a quantity with 60 values, not a class\n  help: ',
                      self.fails('init', 'price.csv', '--target', 'price'))
        self.assertIn('price.csv: table: price.csv has no column "prise"; the closest name is "price"',
                      self.fails('init', 'price.csv', '--target', 'prise'))
        self.write('ids.csv', 'n,y\n' + rows(60, lambda i: i, lambda i: i % 2))
        self.assertIn('error: init: no column of ids.csv is left to learn from', self.fails('init', 'ids.csv'))
        self.write('many.csv', 'a,y\n' + rows(60, noisy(1), lambda i: i // 4))
        self.assertIn('no class', self.fails('init', 'many.csv', '--target', 'y'))
        self.assertIn('nowhere.csv', self.fails('init', 'nowhere.csv'))
        os.mkdir(self.path('empty'))
        self.assertEqual(self.fails('init', 'empty'), 'error: init: empty holds no NPY file\n  help: give a CSV, or a folder of arrays\n')
        self.write('one/x.npy', npy([0.5, 1.5], (2, 1)))
        self.assertIn('error: init: no file of one holds classes', self.fails('init', 'one'))
        self.write('two/y.npy', npy([i % 2 for i in range(30)], (30,), '<i8', 'q'))
        self.assertIn('error: init: no other file of two has as many rows as y.npy (30)', self.fails('init', 'two'))
        self.assertEqual(sorted(n for n in os.listdir(self.root) if n.endswith('.toml')), [])

    def test_never_overwrites(self):
        self.write('small.csv', 'a,b,y\n' + rows(60, noisy(1), noisy(2), lambda i: i % 2))
        told = self.ok('init', 'small.csv')
        self.assertTrue(told.endswith('\nstudy: small.toml\nnext:  weft compare small.toml\n'), told)
        self.assertEqual(self.fails('init', 'small.csv'), 'error: init: small.toml is there already\n'
                         '  help: name another file with --out, or replace it with --force\n')
        self.assertEqual(self.ok('init', 'small.csv', '--force', '--quiet'), '')

    def test_reader_options(self):
        """Words of [data] that no CSV could mean."""
        study = '[study]\ntarget = "y"\n[data]\nfile = "small.csv"\n{}\n[[modality]]\nname = "all"\nrest = true\n'
        self.write('small.csv', 'a,b,y\n' + rows(60, noisy(1), noisy(2), lambda i: i % 2))
        for line, expected in {
                'separator = ";;"': 'bad.toml:5: the separator is ";;"',
                'decimal = ","': 'bad.toml:5: separator and decimal are both ","',
                'decimal = "x"': 'bad.toml:5:',
                'skip_lines = -1': 'bad.toml:5:'}.items():
            self.write('bad.toml', study.format(line))
            self.assertIn(expected, self.fails('compare', 'bad.toml'))

    # ---- weft inspect

    def test_inspect_csv(self):
        self.write('t.csv', 'patient,a,b,kind,y\n' + rows(
            60, lambda i: f'p{i % 20}', noisy(1), lambda i: '' if i % 4 == 0 else i, lambda i: 'uvw'[i % 3], lambda i: i // 7 % 2))
        sheet = json.loads(self.ok('inspect', 't.csv', '--json'))
        self.assertEqual((sheet['kind'], sheet['rows'], sheet['likely target']), ('CSV', 60, 'y (its name, and few different values)'))
        by = {c['column']: c for c in sheet['columns']}
        self.assertEqual((by['b']['missing'], by['b']['least'], by['b']['largest'], by['b']['different']), (0.25, 1, 59, 45))
        self.assertEqual((by['patient']['role'], by['kind']['type'], by['y']['role']), ('group', 'text', 'target'))
        self.assertIn('u 20, v 20, w 20', by['kind']['least'])
        text = self.ok('inspect', 't.csv')
        self.assertIn('patient', text)
        self.assertNotIn('\033', text)

    def test_inspect_studies_and_models(self):
        self.write('small.csv', 'lab_a,lab_b,lab_c,age,y\n' + rows(60, noisy(1), noisy(2), noisy(3), lambda i: 20 + i * 7 % 40, lambda i: i % 2))
        self.ok('init', 'small.csv')
        sheet = json.loads(self.ok('inspect', 'small.toml', '--json'))
        self.assertEqual((sheet['kind'], sheet['rows'], sheet['classes']), ('study', 60, '0 30, 1 30'))
        self.assertEqual([(m['modality'], m['columns'], m['rows that have it']) for m in sheet['modalities']], [('lab', 3, 60), ('person', 1, 60)])
        trained = json.loads(self.ok('train', 'small.toml', '--out', 'model', '--quiet', '--json'))
        sheet = json.loads(self.ok('inspect', 'model', '--json'))
        self.assertEqual((sheet['kind'], sheet['training rows'] + sheet['test rows']), ('model', 60))
        self.assertAlmostEqual(sheet['test roc_auc'], trained['test']['roc_auc']['value'], delta=1e-5)
        self.assertEqual(sum(layer['numbers'] for layer in sheet['layers']), sheet['parameters and buffers'])
        tensors = json.loads(self.ok('inspect', 'model/network.safetensors', '--json'))
        self.assertEqual(tensors['layers'], sheet['layers'])
        os.remove(self.path('small.csv'))
        self.assertIn('data not found', json.loads(self.ok('inspect', 'small.toml', '--json'))['data are not here'])
        self.write('model/model.json', '{"weft_model": 1}')
        self.assertIn('inspect: model/model.json is damaged', self.fails('inspect', 'model'))

    def test_inspect_arrays(self):
        self.write('x.npy', npy([1, 2, float('nan'), 4], (2, 2)))
        sheet = json.loads(self.ok('inspect', 'x.npy', '--json'))
        self.assertEqual((sheet['shape'], sheet['type'], sheet['least'], sheet['largest'], sheet['not a number']), ([2, 2], 'float64', 1, 4, 1))
        self.write('t10k-labels-idx1-ubyte', b'\0\0\x08\x01\0\0\0\x03\x01\x02\x09')
        sheet = json.loads(self.ok('inspect', 't10k-labels-idx1-ubyte', '--json'))
        self.assertEqual((sheet['kind'], sheet['shape'], sheet['largest']), ('IDX', [3], 9))
        self.write('what.bin', b'\1\2\3\0\0\0\7')
        self.assertIn('inspect: what.bin is of no kind that weft reads', self.fails('inspect', 'what.bin'))
        self.assertEqual(self.fails('inspect', 'nowhere'), 'error: inspect: there is no nowhere\n')
        os.mkdir(self.path('empty'))
        self.assertIn('inspect: empty holds neither a model nor NPY files', self.fails('inspect', 'empty'))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
