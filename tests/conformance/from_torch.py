#!/usr/bin/env python3
"""Files that PyTorch made load by name: every case of a folder's modules.json is built as that module of torch.nn,
its state_dict written to a safetensors file, and the case run on that file. Then wrong files, which must be reported.
Skipped (exit status 77) where PyTorch is not installed."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print('skipped: PyTorch is not installed (Debian: python3-torch)')
    sys.exit(77)

TYPES = {'F32': torch.float32, 'F64': torch.float64, 'I64': torch.int64, 'I32': torch.int32, 'BOOL': torch.bool}


def read(path):
    with open(path, 'rb') as f:
        (length,) = struct.unpack('<Q', f.read(8))
        header, data = json.loads(f.read(length)), f.read()
    tensors = {}
    for name, entry in header.items():
        if name != '__metadata__':
            begin, end = entry['data_offsets']
            flat = torch.frombuffer(bytearray(data[begin:end]) or bytearray(8), dtype=TYPES[entry['dtype']])
            tensors[name] = flat[:torch.Size(entry['shape']).numel()].reshape(entry['shape'])
    return tensors


def write(path, tensors):
    header, data, names = {}, b'', {kind: name for name, kind in TYPES.items()}
    for name, x in tensors.items():
        raw = bytes(x.detach().contiguous().flatten().view(torch.uint8).tolist())
        header[name] = {'dtype': names[x.dtype], 'shape': list(x.shape), 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


def by_torch(case, tensors):
    """The state_dict of PyTorch's module, filled with the case's numbers; None where this PyTorch lacks the module or an
    option of it."""
    try:
        module = getattr(torch.nn, case['module'])(**case['config'])
    except (AttributeError, TypeError):
        return None
    state = module.state_dict()
    for name, key in case['state'].items():
        if state[name].shape != tensors[key].shape:
            raise ValueError(f"{case['id']}: {name} is {tuple(state[name].shape)} in PyTorch")
        state[name] = tensors[key]
    module.load_state_dict(state)
    return module.state_dict()


def misfits(state):
    """Wrong files made of a right one, and what must be said of each."""
    name = next(iter(state))
    rest = {key: x for key, x in state.items() if key != name}
    yield rest, f'the file has no "{name}"'
    yield {**state, 'stranger': state[name]}, 'the model has no "stranger"'
    yield {**rest, name: torch.zeros([*state[name].shape, 2])}, f'"{name}": the file has shape'
    yield {**rest, name + 's': state[name]}, f'the closest name is "{name}s"'


def run(program, folder, cases):
    with open(os.path.join(folder, 'modules.json'), 'w') as f:
        json.dump({'cases': cases}, f)
    return subprocess.run([program, folder, '--verbose'], capture_output=True, text=True, check=False)


def main():
    program, golden = sys.argv[1:]
    with open(os.path.join(golden, 'modules.json')) as f:
        cases = json.load(f)['cases']
    tensors = read(os.path.join(golden, 'modules.safetensors'))
    right, wrong, expected, lacking = [], [], [], set()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(golden, 'modules.safetensors'), folder)
        for case in cases:
            state = by_torch(case, tensors) if case['state'] else {}
            if not state:
                if state is None:
                    lacking.add(case['id'])
                continue
            right.append({**case, 'state_file': f'{len(right)}.safetensors'})
            write(os.path.join(folder, right[-1]['state_file']), state)
            for misfit, said in misfits(state):
                name = f'wrong{len(wrong)}.safetensors'
                write(os.path.join(folder, name), misfit)
                wrong.append({**case, 'id': name, 'state_file': name})
                expected.append(said)
        good, bad = run(program, folder, right), run(program, folder, wrong)
    if lacking:
        print('not in PyTorch', torch.__version__ + ':', ', '.join(sorted(lacking)))
    print(f'{len(right)} files of {len({case["module"] for case in right})} kinds of module:', good.stdout.strip().split('\n')[-1])
    unsaid = [f'{case["id"]} ({case["module"]}): not said: {said}' for case, said in zip(wrong, expected)
              if not any(said in part for part in bad.stdout.split(case['id'] + ':')[1:2])]
    print(f'{len(wrong)} wrong files:', bad.stdout.strip().split('\n')[-1])
    if good.returncode != 0 or f' {len(wrong)} failed' not in bad.stdout or unsaid or not right:
        print(good.stdout + '\n'.join(unsaid[:20]) + '\n' + bad.stdout[:4000] if unsaid else good.stdout)
        sys.exit(1)


if __name__ == '__main__':
    main()
