#!/usr/bin/env python3
"""The network of examples/characters.cpp in PyTorch, trained the same way: prints its bits per character."""
import argparse
import math
import os

import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu

CONTEXT, BATCH, WIDTH, HEADS, LAYERS = 256, 8, 128, 4, 3
NAMES = ['GPL-1', 'GPL-2', 'GPL-3', 'LGPL-2.1', 'GFDL-1.3', 'MPL-2.0', 'Apache-2.0']


def whole_text():
    folder, names = os.environ.get('CHARACTERS'), NAMES
    if folder:
        names = sorted(n for n in os.listdir(folder) if n.endswith('.txt'))
    paths = [os.path.join(folder or '/usr/share/common-licenses', n) for n in names]
    return b''.join(open(p, 'rb').read() for p in paths if os.path.exists(p))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.projection = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).masked_fill(later, -math.inf)
        seen = (self.dropout(torch.softmax(scores, -1)) @ v).transpose(1, 2).reshape(batch, length, WIDTH)
        x = x + self.dropout(self.projection(seen))
        return x + self.dropout(self.down(gelu(self.up(self.norm2(x)))))


class Decoder(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(words, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.dropout = nn.Dropout(0.1)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, words, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                added = 'projection' in name or 'down' in name
                nn.init.normal_(p, 0, 0.02 / math.sqrt(2 * LAYERS) if added else 0.02)
            elif name.endswith('bias'):
                nn.init.zeros_(p)

    def forward(self, ids):
        x = self.dropout(self.tokens(ids) + self.positions.weight[:ids.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--full', action='store_true', help='1,500 steps instead of 300')
    p.add_argument('--seeds', type=int, default=1)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--threads', type=int)
    options = p.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    steps = 1500 if options.full else 300
    text = whole_text()
    letters = sorted(set(text))
    number = {c: i for i, c in enumerate(letters)}
    ids = torch.tensor([number[c] for c in text])
    cut = len(ids) * 9 // 10
    train, test = ids[:cut], ids[cut:]
    found = []
    for seed in range(options.seed, options.seed + options.seeds):
        torch.manual_seed(seed)
        net = Decoder(len(letters))
        optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1, cycle_momentum=False)
        for _ in range(steps):
            begins = torch.randint(cut - CONTEXT - 1, (BATCH,))
            x = torch.stack([train[i:i + CONTEXT] for i in begins])
            y = torch.stack([train[i + 1:i + CONTEXT + 1] for i in begins])
            loss = cross_entropy(net(x).flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1)
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            pieces = (len(test) - 1) // CONTEXT
            total = sum(cross_entropy(net(test[None, i:i + CONTEXT])[0], test[i + 1:i + CONTEXT + 1]).item()
                        for i in range(0, pieces * CONTEXT, CONTEXT))
        found.append(total / pieces / math.log(2))
        print(f'seed {seed}: {found[-1]:.3f} bits per character', flush=True)
    print(f'PyTorch {torch.__version__}: mean bits per character of the last tenth {sum(found) / len(found):.3f}, {steps} steps')


if __name__ == '__main__':
    main()
