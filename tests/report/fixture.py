"""Folders of runs for the tests of reports: a small comparison, robustness and training by the weft command itself, and
explanations.json in the form that `weft explain` writes, of as many made-up patients as asked for."""
import json
import os
import random
import subprocess

STUDY = '''[study]
name = "small"
title = "A small study <of nobody> & more"
target = "state"
[data]
file = "small.csv"
[[modality]]
name = "blood"
columns = ["blood_*"]
[[modality]]
name = "image"
columns = ["image_*"]
[[modality]]
name = "rest"
rest = true
[fusion]
name = "gate"
[train]
epochs = 3
[compare]
splits = 3
fusions = ["gate", "softmax", "concat"]
baselines = ["single", "l2"]
subgroups = ["sex"]
reference = "l2"
'''
# What would be markup, and what would end the element that holds the cards.
HOSTILE = '<img src=x onerror="window.harmed=1"></script><script>window.harmed=1</script>'


def table(rows=90):
    chance = random.Random(1)
    lines = ['blood_a,blood_b,image_a,image_b,age,sex,state']
    for i in range(rows):
        ill = i % 2
        values = [f'{chance.gauss(ill, 1):.3f}' for _ in range(4)]
        if i % 5 == 0:
            values[2] = values[3] = ''
        lines.append(','.join(values + [str(20 + i % 60), 'fm'[i % 3 == 0], ['well', 'ill'][ill]]))
    return '\n'.join(lines) + '\n'


def explanations(count, study='small', classes=('ill', 'well'), modalities=('blood', 'image', 'rest'), features=None):
    chance = random.Random(2)
    features = features or {m: [f'{m} {i}' for i in range(12)] for m in modalities}
    patients = []
    for row in range(count):
        p = chance.betavariate(2, 1)
        prediction = chance.randrange(len(classes))
        rest = (1 - p) / (len(classes) - 1) if len(classes) > 1 else 0
        if p < rest:
            p, rest = rest, p
        probabilities = [p if c == prediction else rest for c in range(len(classes))]
        present = [chance.random() > 0.2 for _ in modalities]
        present[chance.randrange(len(modalities))] = True
        generated = [not here and chance.random() < 0.5 for here in present]
        weights = [chance.random() * here for here in present]
        total = sum(weights)
        shapley = [chance.gauss(0.1, 0.1) * here for here in present]
        right = chance.random() < 0.8
        patients.append({
            'row': row, 'id': f'case {row + 1}' if row else HOSTILE,
            'label': None if row % 17 == 3 else prediction if right else (prediction + 1) % len(classes),
            'prediction': prediction, 'probabilities': probabilities,
            'set': sorted({prediction} | ({(prediction + 1) % len(classes)} if p < 0.7 else set())),
            'present': present, 'generated': generated, 'weights': [w / total for w in weights], 'shapley': shapley,
            'base': p - sum(shapley), 'drop_one': [-s / 2 for s in shapley],
            'nearest': [{'row': 1000 + i, 'id': f'train {i}', 'label': chance.randrange(len(classes)), 'distance': 0.5 + i / 3}
                        for i in range(5)],
            'features': {m: [{'name': n, 'value': chance.gauss(0, 3), 'attribution': chance.gauss(0, 0.1)} for n in features[m]]
                         for m in modalities},
            'counterfactual': None if row % 4 == 1 else {
                'modality': modalities[0], 'becomes': (prediction + 1) % len(classes),
                'changes': [{'name': n, 'from': chance.gauss(0, 1), 'to': chance.gauss(0, 1)} for n in features[modalities[0]][:3]]}})
    some = [0.5, 0.3, 0.2, 0.1, 0.1, 0.1][:len(modalities)]
    return {'weft_explanations': 1, 'version': '0.1.0', 'study': study, 'fusion': 'gate', 'seed': 0, 'level': 0.95,
            'modalities': list(modalities), 'classes': list(classes), 'patients': patients,
            'groups': [{'by': 'class', 'value': c, 'n': 7, 'weights': some, 'shapley': some, 'drop_one': some} for c in classes],
            'agreement': {'spearman': 0.61, 'low': 0.42, 'high': 0.74}}


def write(folder, name, content):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
        f.write(content if isinstance(content, str) else json.dumps(content))


def run(program, *args, cwd):
    done = subprocess.run([program, *args], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(f'weft {args}: {done.stderr}')
    return done.stdout


def make(program, root):
    """root/run: compare, robustness and train of one study, and 40 patients; root/many: 1,000 patients."""
    write(root, 'small.toml', STUDY)
    write(root, 'small.csv', table())
    run(program, 'compare', 'small.toml', '--out', 'run', '--jobs', '1', '--quiet', cwd=root)
    run(program, 'robustness', 'small.toml', '--out', 'run', '--splits', '2', '--jobs', '1', '--quiet', cwd=root)
    run(program, 'train', 'small.toml', '--out', 'run', '--quiet', cwd=root)
    write(os.path.join(root, 'patients'), 'explanations.json', explanations(40))
    write(os.path.join(root, 'many'), 'explanations.json', explanations(1000))
