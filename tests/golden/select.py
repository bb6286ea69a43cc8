#!/usr/bin/env python3
"""Makes this folder again from a full one: select.py FULL [MIB]. Of every operation variant, module, graph layer,
optimiser, schedule and metric the smallest case is taken, then further small ones in turn until MIB (2.8) are full."""
import json
import os
import struct
import sys

SUITES = {'ops': 'op', 'modules': 'module', 'graphs': 'module', 'optim': 'optimizer', 'metrics': 'metric'}


def read_tensors(path):
    with open(path, 'rb') as f:
        size, = struct.unpack('<Q', f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    header.pop('__metadata__', None)
    return {key: (entry['dtype'], entry['shape'], data[slice(*entry['data_offsets'])]) for key, entry in header.items()}


def keys_of(value, known):
    """Every tensor that a case names, wherever it stands."""
    if isinstance(value, str):
        return {value} & known
    if isinstance(value, dict):
        return set().union(value.keys() & known, *(keys_of(v, known) for v in value.values()))
    if isinstance(value, list):
        return set().union(*(keys_of(v, known) for v in value))
    return set()


def subject(case, key):
    for each in (key, 'op', 'scheduler', 'clip'):
        if isinstance(case.get(each), str):
            return case[each]
    return case['id'].split('#')[0]


def write(path, head, cases, tensors):
    header, at = {}, 0
    for key, (dtype, shape, data) in tensors.items():
        header[key] = {'dtype': dtype, 'shape': shape, 'data_offsets': [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path + '.safetensors', 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + b''.join(data for _, _, data in tensors.values()))
    with open(path + '.json', 'w') as f:
        f.write(json.dumps({**head, 'cases': cases}, separators=(',', ':')).replace('{"id"', '\n{"id"') + '\n')


def main():
    full, room = sys.argv[1], float((sys.argv[2:] or ['2.8'])[0]) * 2**20
    here = os.path.dirname(os.path.abspath(__file__))
    suites, ranked = {}, []
    for name, key in SUITES.items():
        with open(os.path.join(full, name + '.json')) as f:
            head = json.load(f)
        tensors = read_tensors(os.path.join(full, name + '.safetensors'))
        known, groups = set(tensors), {}
        for order, case in enumerate(head.pop('cases')):
            used = keys_of(case, known)
            # What a tensor costs: its bytes, and its line in the header.
            size = sum(len(tensors[k][2]) + len(k) + 60 for k in used) + len(json.dumps(case, separators=(',', ':')))
            groups.setdefault(subject(case, key), []).append((size, order, case, used))
        for group in groups.values():
            ranked += [(turn, size, name, order, case, used) for turn, (size, order, case, used) in enumerate(sorted(group, key=lambda c: c[:2]))]
        suites[name] = (head, tensors, [])
    for turn, size, name, order, case, used in sorted(ranked, key=lambda c: c[:4]):
        if turn and size > room:
            continue
        room -= size
        suites[name][2].append((order, case, used))
    for name, (head, tensors, chosen) in suites.items():
        chosen.sort(key=lambda c: c[0])
        wanted = set().union(*(used for _, _, used in chosen))
        write(os.path.join(here, name), head, [case for _, case, _ in chosen], {k: v for k, v in tensors.items() if k in wanted})
        print(f'{name}: {len(chosen)} cases')


if __name__ == '__main__':
    main()
