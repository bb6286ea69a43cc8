#!/usr/bin/env python3
"""What is made from the description of the command line: completion in bash and zsh, the manual page, help.

shell_test.py PROGRAM
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv[1])


def weft(*args, **more):
    return subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, **more)


def commands(*path):
    """Names of the commands that help lists."""
    lines = weft(*path, '--help').stdout.split('Subcommands:\n')[1].split('\n\n')[0].split('\n')
    return [line.split()[0] for line in lines if line.startswith('  ') and line[2] != ' ']


def leaves():
    out = []
    for name in commands():
        inner = weft(name, '--help').stdout
        out += [(name, each) for each in commands(name)] if 'Subcommands:' in inner else [(name,)]
    return out


class Completion(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name in 'one.toml', 'two words.toml', 'rows.csv', 'notes.txt':
            with open(os.path.join(self.folder.name, name), 'w', encoding='utf-8'):
                pass
        os.mkdir(os.path.join(self.folder.name, 'runs'))

    def bash(self, *words):
        """The candidates for the last word."""
        script = '''source <("$PROGRAM" completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_weft; printf '%s\\n' "${COMPREPLY[@]}"'''
        done = subprocess.run(['bash', '--norc', '-c', script, 'bash', 'weft', *words], cwd=self.folder.name, timeout=60,
                              env={**os.environ, 'PROGRAM': PROGRAM}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.stderr, '')
        return sorted(filter(None, done.stdout.split('\n')))

    def test_bash(self):
        if not shutil.which('bash'):
            self.skipTest('there is no bash')
        self.assertEqual(self.bash('comp'), ['compare', 'completion'])
        self.assertLessEqual(set(commands()), set(self.bash('')))
        self.assertEqual(self.bash('compare', '--sp'), ['--splits'])
        self.assertEqual(self.bash('compare', ''), ['one.toml', 'runs', 'two words.toml'])
        self.assertEqual(self.bash('compare', '--seed', '3', ''), ['one.toml', 'runs', 'two words.toml'])
        self.assertEqual(self.bash('compare', '--seed', ''), [])
        self.assertEqual(self.bash('compare', 'one.toml', '--out', ''), ['runs'])
        self.assertEqual(self.bash('predict', ''), ['runs'])
        self.assertEqual(self.bash('predict', 'runs', ''), ['rows.csv', 'runs'])
        self.assertEqual(self.bash('train', 'one.toml', '--log', 'tens'), ['tensorboard'])
        self.assertEqual(self.bash('train', 'one.toml', '--log', 'csv,tens'), ['csv,tensorboard'])
        self.assertIn('gate', self.bash('robustness', 'one.toml', '--fusions', 'g'))
        self.assertEqual(self.bash('simulate', 'cl'), ['clinic'])
        self.assertEqual(self.bash('simulate', 'clinic', '--missing', 'no'), ['none', 'not-random'])
        self.assertEqual(self.bash('completion', ''), ['bash', 'zsh'])
        self.assertEqual(self.bash('inspect', 'no'), ['notes.txt'])

    def test_bash_knows_every_option(self):
        if not shutil.which('bash'):
            self.skipTest('there is no bash')
        for path in leaves():
            text = weft(*path, '--help').stdout
            names = {word for line in text.split('Options:\n')[1].split('Examples:')[0].split('\n')
                     if line.startswith('  -') for word in line.split()[0].split(',')}
            self.assertEqual(set(self.bash(*path, '-')), names, path)

    def test_zsh(self):
        made = weft('completion', 'zsh').stdout
        self.assertTrue(made.startswith('#compdef weft\n'))
        for path in leaves():
            self.assertIn('_weft_' + '_'.join(path) + '() {', made)
        if not shutil.which('zsh'):
            self.skipTest('there is no zsh')
        with open(os.path.join(self.folder.name, '_weft'), 'w', encoding='utf-8') as f:
            f.write(made)
        # A terminal of its own, since completion is part of the line editor.
        script = r'''zmodload zsh/zpty
zpty shell zsh -f -i
ask() { zpty -w shell "$1"; }
ask "PROMPT=; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' list-colors ''; echo rea''dy"
zpty -r shell out '*ready*'
zpty -n -w shell $'weft '"$1"$'\t\t'
sleep 1
zpty -r -t shell out; print -r -- "$out"; while zpty -r -t shell out; do print -r -- "$out"; done
zpty -d shell'''
        def zsh(words):
            done = subprocess.run(['zsh', '-f', '-c', script, 'zsh', words], cwd=self.folder.name, timeout=60, stdin=subprocess.DEVNULL,
                                  env={**os.environ, 'TERM': 'dumb'}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            return done.stdout
        self.assertEqual(subprocess.run(['zsh', '-n', os.path.join(self.folder.name, '_weft')], timeout=60).returncode, 0)
        self.assertIn('robustness', zsh('rob'))
        self.assertIn('--skip-missing', zsh('compare --sk'))
        self.assertIn('tensorboard', zsh('train one.toml --log ten'))

    def test_unknown_shell(self):
        done = weft('completion', 'fish')
        self.assertEqual(done.returncode, 2)
        self.assertIn('fish', done.stderr)


class Manual(unittest.TestCase):
    def test_is_clean_troff(self):
        page = weft('man').stdout
        self.assertTrue(page.startswith('.TH WEFT 1 '))
        ran = False
        if shutil.which('groff'):
            ran = True
            done = subprocess.run(['groff', '-man', '-Tutf8', '-ww', '-z'], input=page, text=True, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
        if shutil.which('mandoc'):
            ran = True
            done = subprocess.run(['mandoc', '-Tlint', '-Wwarning'], input=page, text=True, timeout=60, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            # No date: the same page for the same version.
            found = [line for line in done.stdout.splitlines() if 'missing date' not in line]
            self.assertEqual(found, [])
        if not ran:
            self.skipTest('there is neither groff nor mandoc')

    def test_tells_every_command_and_option(self):
        page = weft('man').stdout.replace('\\-', '-').replace('\\&', '')
        for path in leaves():
            self.assertIn('.SS ' + ' '.join(path) + '\n', page)
            section = page.split('.SS ' + ' '.join(path) + '\n')[1].split('.SS ')[0]
            self.assertIn('Examples:', section, path)
            text = weft(*path, '--help').stdout
            for line in text.split('Options:\n')[1].split('Examples:')[0].split('\n'):
                if line.startswith('  -'):
                    self.assertIn('\\fB' + line.split()[0].split(',')[0] + '\\fR', section, path)


class Help(unittest.TestCase):
    def test_examples_everywhere(self):
        for path in leaves():
            text = weft(*path, '--help').stdout
            examples = text.split('Examples:\n')[1]
            self.assertIn('weft ' + ' '.join(path), examples)

    def test_no_colours_in_a_pipe(self):
        for args in ['--help'], ['man'], ['compare', 'nowhere.toml'], ['nothing']:
            done = weft(*args, env={**os.environ, 'TERM': 'xterm-256color'})
            self.assertNotIn('\033', done.stdout + done.stderr)

    def test_colours_on_a_terminal_unless_told(self):
        import pty
        for no_color, term, coloured in ('', 'xterm', True), ('1', 'xterm', False), ('', 'dumb', False):
            near, far = pty.openpty()
            env = {**os.environ, 'TERM': term, 'NO_COLOR': no_color}
            done = subprocess.run([PROGRAM, 'compare', 'nowhere.toml'], stdin=subprocess.DEVNULL, stdout=far, stderr=far, env=env,
                                  timeout=60)
            os.close(far)
            got = os.read(near, 10000)
            os.close(near)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(b'\033[' in got, coloured, (no_color, term, got))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
