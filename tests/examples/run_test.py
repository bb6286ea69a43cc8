#!/usr/bin/env python3
"""Every example says in one line that its data is not there, and how it is called.

run_test.py PROGRAM...
"""
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = [os.path.abspath(p) for p in sys.argv[1:]]


class Examples(unittest.TestCase):
    def run_one(self, program, *words):
        with tempfile.TemporaryDirectory() as empty:
            environment = dict(os.environ, WEFT_DATA=empty, FASHION_MNIST=empty, CHARACTERS=empty)
            done = subprocess.run([program, *words], cwd=empty, env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=120)
            self.assertEqual(os.listdir(empty), [], program)
        return done

    def test_without_data(self):
        for program in PROGRAMS:
            done = self.run_one(program)
            self.assertEqual((done.returncode, done.stderr), (0, ''), program)
            self.assertRegex(done.stdout, r'\Askipped: [^\n]+\n\Z', program)

    def test_wrong_arguments(self):
        for program in PROGRAMS:
            for words in (['--fast'], ['--seeds'], ['--seeds', 'many']):
                done = self.run_one(program, *words)
                self.assertEqual((done.returncode, done.stdout), (2, ''), program)
                self.assertRegex(done.stderr, r'\Ausage: [^\n]+\n\Z', program)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
