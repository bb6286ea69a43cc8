#!/usr/bin/env python3
"""The same small training at every instruction-set level, and on an emulated CPU, comes to the same result.

training.py --weft PROGRAM --probe PROGRAM [--emulator COMMAND] [LEVEL...]

--probe is a test program: it ends with 77 for a level that is not available here. Losses of every epoch and the test
metrics that depend smoothly on the network may differ by rounding only.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 2e-3  # relative; rounding grows over the steps of a training


def train(program, level, out):
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    environment.pop('WEFT_ISA', None)
    if level:
        environment['WEFT_ISA'] = level
    done = subprocess.run(program + ['train', os.path.join(HERE, 'small.toml'), '--out', out, '--quiet', '--json'],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f'{" ".join(program)} at {level or "the default level"}: exit {done.returncode}\n{done.stderr}')
    result = json.loads(done.stdout)
    numbers = {f'{curve}, epoch {i + 1}': v for curve in ('train_loss', 'validation_loss')
               for i, v in enumerate(result['curve'][curve])}
    numbers.update({metric: result['test'][metric]['value'] for metric in ('log_loss', 'brier')})
    return numbers


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--weft', required=True)
    p.add_argument('--probe', required=True)
    p.add_argument('--emulator')
    p.add_argument('levels', nargs='*')
    args = p.parse_args()
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        for level in args.levels:
            probe = subprocess.run([args.probe, '--count'], env=dict(os.environ, WEFT_ISA=level), stdout=subprocess.DEVNULL)
            if probe.returncode == 77:
                print(f'{level}: not available here')
            else:
                runs[level] = train([args.weft], level, os.path.join(folder, level))
        if args.emulator:
            runs[args.emulator] = train(shlex.split(args.emulator) + [args.weft], None, os.path.join(folder, 'emulated'))
    if len(runs) < 2:
        print('skipped: one run has nothing to be compared with')
        sys.exit(77)
    first, expected = next(iter(runs.items()))
    failed = False
    for name, numbers in runs.items():
        if numbers.keys() != expected.keys():
            sys.exit(f'{name} and {first} ran different epochs: {sorted(numbers)} and {sorted(expected)}')
        worst = max(numbers, key=lambda k: abs(numbers[k] - expected[k]) / max(abs(expected[k]), 1e-9))
        difference = abs(numbers[worst] - expected[worst]) / max(abs(expected[worst]), 1e-9)
        print(f'{name}: {len(numbers)} numbers, largest relative difference from {first}: {difference:.2g} ({worst})')
        failed = failed or not difference <= TOLERANCE
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
