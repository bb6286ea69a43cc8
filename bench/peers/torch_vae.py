#!/usr/bin/env python3
"""The network of examples/vae.cpp in PyTorch, trained the same way: prints its bound on the test images of Fashion-MNIST."""
import argparse
import gzip
import os

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits


def images(path):
    with gzip.open(path) as f:
        data = f.read()
    return torch.frombuffer(bytearray(data[16:]), dtype=torch.uint8).reshape(-1, 784).float() / 255


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x):
        """log p(x|z) and the divergence, per row."""
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        likelihood = -binary_cross_entropy_with_logits(self.decoder(z), x, reduction='none').sum(1)
        return likelihood, ((log_variance.exp() + mean ** 2 - 1 - log_variance) / 2).sum(1)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--full', action='store_true', help='all images for 30 epochs instead of 10,000 for 6')
    p.add_argument('--seeds', type=int, default=1)
    p.add_argument('--threads', type=int)
    p.add_argument('--folder', default=os.environ.get('FASHION_MNIST', '/usr/share/datasets/fashion-mnist'))
    options = p.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    x = images(os.path.join(options.folder, 'train-images-idx3-ubyte.gz'))
    test = images(os.path.join(options.folder, 't10k-images-idx3-ubyte.gz'))
    epochs = 30 if options.full else 6
    if not options.full:
        x = x[:10000]
    bounds = []
    for seed in range(1, options.seeds + 1):
        torch.manual_seed(seed)
        vae = Vae()
        optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
        step, steps = 0, len(x) // 128
        for _ in range(epochs):
            order = torch.randperm(len(x))
            for i in range(steps):
                likelihood, divergence = vae(x[order[i * 128:(i + 1) * 128]])
                loss = (min(1.0, step / steps) * divergence - likelihood).mean()
                step += 1
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            parts = [torch.sub(*vae(part)).sum().item() for part in test.split(500)]
        bounds.append(sum(parts) / len(test))
        print(f'seed {seed}: bound {bounds[-1]:.2f}', flush=True)
    print(f'PyTorch {torch.__version__}: mean bound on the test images {sum(bounds) / len(bounds):.2f} nats, '
          f'{epochs} epochs of {len(x)} images')


if __name__ == '__main__':
    main()
