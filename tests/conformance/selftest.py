#!/usr/bin/env python3
"""The conformance program must notice what is wrong: runs it on a made-up folder with cases that pass, fail and are lacking."""
import json
import os
import struct
import subprocess
import sys
import tempfile

TENSORS = {
    'x': [1.0, -2.0, 3.0], 'relu': [1.0, 0.0, 3.0], 'ones': [1.0, 1.0, 1.0], 'relu.grad': [1.0, 0.0, 1.0],
    'off': [1.0, 0.0, 3.5], 'two': [2.0, 2.0, 2.0],
    # Two nodes with one feature each, and an edge from the first to the second: y = 3 neighbours + 2 x.
    'nodes': [[1.0], [2.0]], 'edges': [[0], [1]], 'three': [[3.0]], 'twice': [[2.0]],
    'layer': [[2.0], [7.0]], 'back': [[1.0], [1.0]], 'nodes.grad': [[5.0], [2.0]], 'sum': [[3.0]], 'one': [[1.0]],
}


def case(name, op='nn.functional.relu', output='relu', gradient='relu.grad', **more):
    return {'id': name, 'op': op, 'args': [{'tensor': 'x'}], 'kwargs': {}, 'outputs': [output], 'cotangents': ['ones'],
            'grads': {'x': gradient}, 'tolerance': [1e-5, 1e-5], **more}


def layer(**changes):
    return {'id': 'GraphConv#0', 'module': 'GraphConv', 'config': {'in_channels': 1, 'out_channels': 1, 'bias': False},
            'state': {'lin_rel.weight': 'three', 'lin_root.weight': 'twice'}, 'args': [{'tensor': 'nodes'}, {'tensor': 'edges'}],
            'kwargs': {}, 'outputs': ['layer'], 'cotangents': ['back'], 'grads': {'nodes': 'nodes.grad'},
            'state_grads': {'lin_rel.weight': 'one', 'lin_root.weight': 'sum'}, 'state_after': {'lin_rel.weight': 'three'},
            'tolerance': [1e-5, 1e-5], **changes}


def write(folder, name, cases):
    header, data = {}, b''
    for key, values in TENSORS.items():
        begin, rows = len(data), isinstance(values[0], list)
        flat = sum(values, []) if rows else values
        whole = isinstance(flat[0], int)
        data += struct.pack(f'<{len(flat)}{"q" if whole else "f"}', *flat)
        header[key] = {'dtype': 'I64' if whole else 'F32', 'shape': [len(values)] + ([len(values[0])] if rows else []),
                       'data_offsets': [begin, len(data)]}
    text = json.dumps(header).encode()
    with open(os.path.join(folder, name + '.safetensors'), 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)
    with open(os.path.join(folder, name + '.json'), 'w') as f:
        json.dump({'cases': cases}, f)


def main():
    program = sys.argv[1]
    mistakes = []

    def expect(cases, status, last, *parts, options=(), suite='ops'):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, suite, cases)
            run = subprocess.run([program, folder, *options], capture_output=True, text=True, check=False)
        lines = run.stdout.strip().split('\n')
        if run.returncode != status or lines[-1] != last or any(part not in run.stdout for part in parts):
            mistakes.append(f'expected status {status}, "{last}" and {parts}, got {run.returncode}:\n{run.stdout}{run.stderr}')

    expect([case('relu#0')], 0, '1 passed, 0 failed, 0 skipped', 'ops nn.functional.relu: 1 passed, 0 failed, 0 skipped')
    expect([case('relu#0', output='off')], 1, '0 passed, 1 failed, 0 skipped',
           'relu#0: output 0: 1 of 3 entries differ; the worst at [2]: 3, expected 3.5')
    expect([case('relu#0', gradient='two')], 1, '0 passed, 1 failed, 0 skipped', 'relu#0: gradient of x: 3 of 3 entries differ')
    expect([case('relu#0', gradient=None)], 1, '0 passed, 1 failed, 0 skipped', 'gradient of x: 2 of 3 entries differ')
    expect([case('relu#0', outputs=['relu', 'relu'])], 1, '0 passed, 1 failed, 0 skipped', '1 outputs, expected 2')
    expect([case('relu#0', kwargs={'colour': 1})], 1, '0 passed, 1 failed, 0 skipped', 'argument colour is unknown')
    expect([case('relu#0', output='lost')], 1, '0 passed, 1 failed, 0 skipped', 'ops.safetensors has no lost')
    expect([case('relu#0'), case('weave#0', op='weave')], 0, '1 passed, 0 failed, 1 skipped',
           'ops weave: 0 passed, 0 failed, 1 skipped (not in weft yet)')
    expect([case('relu#0'), case('weave#0', op='weave')], 0, '1 passed, 0 failed, 0 skipped', options=['--only', 'relu'])
    many = [case(f'relu#{i}', output='off') for i in range(9)]
    expect(many, 1, '0 passed, 9 failed, 0 skipped', 'relu#2: ', 'and 6 more')
    expect(many, 1, '0 passed, 9 failed, 0 skipped', 'relu#8: ', options=['--verbose'])
    expect([layer()], 0, '1 passed, 0 failed, 0 skipped', suite='graphs')
    for changes, part in (
            ({'outputs': ['back']}, 'output 0: 2 of 2 entries differ'),
            ({'grads': {'nodes': 'back'}}, 'gradient of nodes: 2 of 2 entries differ'),
            ({'state_grads': {'lin_rel.weight': 'three'}}, 'gradient of lin_rel.weight: 1 of 1 entries differ'),
            ({'state_grads': {'lin_rel.bias': 'three'}}, 'the module has no lin_rel.bias'),
            ({'state_after': {'lin_rel.weight': 'one'}}, 'lin_rel.weight afterwards: 1 of 1 entries differ'),
            ({'state': {'lin_rel.weight': 'three'}}, 'the state has no lin_root.weight'),
            ({'state': {'lin_rel.weight': 'three', 'lin_root.weight': 'twice', 'bias': 'one'}}, 'the module has no bias'),
            ({'state': {'lin_rel.weight': 'three', 'lin_root.weight': 'nodes'}}, 'lin_root.weight is [1, 1], expected [2, 1]'),
            ({'config': {'in_channels': 1}}, 'the config lacks out_channels'),
            ({'config': {'in_channels': 1, 'out_channels': 1, 'bias': False, 'colour': 1}}, 'the config has an unknown colour')):
        expect([layer(**changes)], 1, '0 passed, 1 failed, 0 skipped', part, suite='graphs')
    expect([layer(module='WeaveConv')], 0, '0 passed, 0 failed, 1 skipped', suite='graphs')
    nowhere = {name: value for name, value in os.environ.items() if name != 'WEFT_GOLDEN'}
    for arguments, status in (([], 77), (['/nowhere/at/all'], 2), (['--colour'], 2)):
        run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=nowhere)
        if run.returncode != status:
            mistakes.append(f'{arguments}: status {run.returncode}, expected {status}')
    print('\n'.join(mistakes) or 'the conformance program notices what it should')
    return 1 if mistakes else 0


if __name__ == '__main__':
    sys.exit(main())
