#!/usr/bin/env python3
"""Reports as their readers meet them: opened in headless Chromium on a phone's and a desk's width, in light and dark, by
keyboard, printed, and without script.

report_test.py PROGRAM MODULES: the weft command, and a folder of npm with playwright-core and axe-core. Where these or a
browser are missing it says so and exits with 77, which Meson counts as skipped.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import fixture

PROGRAM, MODULES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HERE = os.path.dirname(os.path.abspath(__file__))
WIDTHS, SCHEMES = [390, 1440], ['light', 'dark']
BAD = '''<!doctype html><html lang="en"><head><title>bad</title></head><body><main><h1>bad</h1>
<p style="color:#bbb;background:#fff">hardly to be read</p><div style="width:3000px">wide</div></main>
<script>missing_function()</script></body></html>'''


def browser():
    """Path of the browser, or what is missing."""
    names = ['chromium', 'chromium-browser', 'google-chrome']
    found = next((path for path in map(shutil.which, names) if path), None)
    if not found:
        return None, 'no browser'
    if not shutil.which('node'):
        return None, 'no node'
    for name in ['playwright-core', 'axe-core']:
        if not os.path.isdir(os.path.join(MODULES, 'node_modules', name)):
            return None, f'no {name}'
    return found, None


CHROMIUM, MISSING = browser()


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = cls.folder.name
        fixture.make(PROGRAM, cls.root)
        fixture.write(cls.root, 'bad.html', BAD)
        # Kept before the joined page takes its place.
        shutil.copy(cls.path('run', 'report.html'), cls.path('compare.html'))
        fixture.run(PROGRAM, 'report', 'run', 'patients', '--quiet', cwd=cls.root)
        fixture.run(PROGRAM, 'report', 'run', 'many', '-o', 'many.html', '--quiet', cwd=cls.root)

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.root, *names)

    def open(self, *tasks):
        with tempfile.NamedTemporaryFile('w', suffix='.json') as job:
            json.dump([{**task, 'file': self.path(*task['file'].split('/'))} for task in tasks], job)
            job.flush()
            done = subprocess.run(['node', os.path.join(HERE, 'browser.mjs'), MODULES, CHROMIUM, job.name],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def clean(self, found, task):
        for what in ['errors', 'requests', 'serious', 'over']:
            self.assertEqual(found[what], [], f'{task}: {what}')

    def test_the_checks_see_what_is_wrong(self):
        found = self.open({'file': 'bad.html', 'width': 390, 'axe': True})[0]
        self.assertIn('missing_function', found['errors'][0])
        self.assertIn('page', found['over'])
        self.assertIn('color-contrast', found['serious'][0])

    def test_pages_are_clean_at_both_widths_in_light_and_dark(self):
        tasks = [{'file': name, 'width': width, 'scheme': scheme, 'axe': True}
                 for name in ['compare.html', 'run/robustness.html', 'run/report.html'] for width in WIDTHS for scheme in SCHEMES]
        # With a card open, and all its parts in it.
        tasks += [{'file': 'run/report.html', 'hash': '#patient-2', 'width': width, 'scheme': scheme, 'axe': True}
                  for width in WIDTHS for scheme in SCHEMES]
        for task, found in zip(tasks, self.open(*tasks)):
            self.clean(found, task)

    def test_a_thousand_patients(self):
        self.assertLess(os.path.getsize(self.path('many.html')), 3 << 20)
        task = {'file': 'many.html', 'width': 390, 'axe': False, 'hash': '#patient-999',
                'steps': [['read', 'rows', 'document.querySelector("#patient-list").tBodies[0].rows.length'],
                          ['read', 'card', 'document.querySelector(".card h3").textContent']]}
        found = self.open(task)[0]
        self.clean(found, task)
        self.assertEqual(found['read'], {'rows': 1000, 'card': 'Patient case 1000'})

    def test_methods_are_filtered_and_sorted_by_keyboard(self):
        visible = '[...document.querySelector("#methods table").tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[0].textContent)'
        scores = '[...document.querySelector("#methods table").tBodies[0].rows].map(r => parseFloat(r.cells[1].textContent))'
        sorted_by = 'document.querySelector("#methods th:nth-child(2)").getAttribute("aria-sort")'
        found = self.open({'file': 'run/report.html', 'width': 390, 'steps': [
            ['focus', '#methods input'], ['type', 'single: BLOOD'], ['read', 'some', visible],
            ['press', 'Control+A'], ['press', 'Delete'], ['read', 'all', visible],
            ['press', 'Tab'], ['type', 'fusion'], ['read', 'fusions', visible],
            ['read', 'said', 'document.querySelector("#methods output").textContent'],
            ['focus', '#methods th:nth-child(2) button'], ['press', 'Enter'], ['read', 'up', scores], ['read', 'way', sorted_by],
            ['press', 'Space'], ['read', 'down', scores], ['read', 'other_way', sorted_by]]})[0]['read']
        self.assertEqual(found['some'], ['single: blood'])
        self.assertEqual(len(found['all']), 11)
        self.assertEqual(found['fusions'], ['concat', 'gate', 'softmax'] if 'concat' == found['fusions'][0] else ['gate', 'softmax', 'concat'])
        self.assertEqual(found['said'], '3 of 11 rows')
        self.assertEqual([found['way'], found['other_way']], ['ascending', 'descending'])
        self.assertEqual(found['up'], sorted(found['up']))
        self.assertEqual(found['down'], sorted(found['up'], reverse=True))
        self.assertGreater(found['down'][0], found['down'][-1])

    def test_a_card_is_opened_and_left_by_keyboard(self):
        focus = 'document.activeElement.textContent'
        found = self.open({'file': 'run/report.html', 'width': 390, 'steps': [
            ['focus', '#patient-list tbody tr:nth-child(3) button'], ['press', 'Enter'], ['read', 'title', focus],
            ['read', 'hash', 'location.hash'], ['read', 'card', 'document.querySelector(".card").textContent'],
            ['focus', '.card > button:last-child'], ['press', 'Enter'], ['read', 'back', focus],
            ['read', 'cards', 'document.querySelectorAll(".card").length']]})[0]['read']
        self.assertEqual([found['title'], found['hash'], found['back'], found['cards']],
                         ['Patient case 3', '#patient-2', 'case 3', 0])
        for part in ['probability', 'prediction set', 'Evidence', 'Shapley', 'How reliable', 'nearest training cases', 'Nearest training',
                     'What counted most', 'What would change the answer', 'weft 0.1.0', 'seed 0']:
            self.assertIn(part, found['card'])

    def test_cards_of_all_that_are_listed(self):
        found = self.open({'file': 'run/report.html', 'steps': [
            ['focus', '#patients input'], ['type', 'case 1'], ['focus', '#patients .tools button'], ['press', 'Enter'],
            ['read', 'cards', '[...document.querySelectorAll(".card h3")].map(e => e.textContent)'],
            ['read', 'rows', '[...document.querySelector("#patient-list").tBodies[0].rows].filter(r => !r.hidden).length']]})[0]['read']
        self.assertEqual(len(found['cards']), found['rows'])
        self.assertIn('Patient case 13', found['cards'])
        self.assertNotIn('Patient case 2', found['cards'])

    def test_names_in_the_data_are_no_markup(self):
        found = self.open({'file': 'run/report.html', 'hash': '#patient-0', 'steps': [
            ['read', 'harmed', 'window.harmed === undefined'], ['read', 'title', 'document.querySelector(".card h3").textContent'],
            ['read', 'head', 'document.querySelector("h1").textContent']]})[0]
        self.assertEqual(found['errors'], [])
        self.assertEqual(found['read'], {'harmed': True, 'title': 'Patient ' + fixture.HOSTILE, 'head': 'A small study <of nobody> & more'})

    def test_without_script_nothing_is_dead(self):
        with open(self.path('run', 'report.html'), encoding='utf-8') as f:
            page = f.read()
        markup = page.split('<script', 1)[0]
        self.assertNotIn('<button', markup)
        self.assertNotIn('<input', markup)
        shot = self.path('plain.png')
        found = self.open({'file': 'run/report.html', 'script': False, 'width': 390, 'shot': shot})[0]
        self.assertEqual([found['errors'], found['requests']], [[], []])
        self.assertIn('case 40', page)
        self.assertIn('<noscript>', page)

    def test_one_card_is_printed_alone(self):
        # What is on paper is what is shown while print() runs.
        record = '''window.print = () => { window.shown = [...document.querySelectorAll('header, section, .card, #patient-list')]
            .filter(e => e.checkVisibility()).map(e => e.id || e.className); }'''
        found = self.open({'file': 'run/report.html', 'hash': '#patient-2', 'print': True, 'steps': [
            ['read', 'nothing', record + '; 0'], ['read', 'printed', 'document.querySelector(".card > button").onclick()'],
            ['read', 'shown', 'window.shown'], ['read', 'after', 'document.body.className']]})[0]
        self.assertEqual(found['errors'], [])
        self.assertEqual(found['read']['shown'], ['patients', 'card alone'])
        self.assertEqual(found['read']['after'], '')

    def test_printing_leaves_out_what_is_for_the_screen(self):
        shown = 's => getComputedStyle(document.querySelector(s)).display'
        found = self.open({'file': 'run/report.html', 'hash': '#patient-2', 'print': True, 'scheme': 'dark', 'pdf': self.path('page.pdf'),
                           'steps': [['read', 'tools', f'({shown})(".tools")'], ['read', 'card', f'({shown})(".card")'],
                                     ['read', 'paper', 'getComputedStyle(document.body).backgroundColor'],
                                     ['read', 'whole', 'getComputedStyle(document.querySelector(".tall")).maxHeight']]})[0]
        self.assertEqual(found['read'], {'tools': 'none', 'card': 'block', 'paper': 'rgb(255, 255, 255)', 'whole': 'none'})
        self.assertGreater(os.path.getsize(self.path('page.pdf')), 10000)


if __name__ == '__main__':
    if MISSING:
        print(f'skipped: {MISSING}; ./bootstrap browser installs it')
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
