#!/usr/bin/env python3
"""torch_bench.py -- self-contained eager (and optional torch.compile / traced) PyTorch benchmark.

Works with torch 1.13 ... 2.11, needs torch only (numpy not used), random inputs with fixed seeds.

  python3 torch_bench.py --list
  python3 torch_bench.py --case all --threads 2 --json          # every case, one process per case
  python3 torch_bench.py --case resnet18_train_b64 --threads 1
  python3 torch_bench.py --case all --threads 2 --compile       # torch >= 2 only
  options: --samples 9 --min-time 0.1 --device cpu|cuda --jit (trace+freeze, inference cases)
           --channels-last (conv cases) --prefix mlp (all cases whose name starts so) --no-guard
           --bf16 (autocast bf16)  --dropout P

A line per case: median ms of the samples (each sample = `iters` runs lasting >= --min-time), min, p25,
p75, peak RSS of the process, and `foreign` = CPU seconds per second that OTHER processes (and the
hypervisor: steal) took during the samples; a case is re-measured (<= --retries) while foreign > 0.05.
`ms` is per run of the case (per step, per forward, per token for gpt_decode, per op for op_*).
"""
import argparse, json, math, os, resource, subprocess, sys, time

CASES = {}          # name -> builder(args) -> dict(fn=..., per=1, bytes=None, flops=None)


def case(name):
    def deco(f):
        CASES[name] = f
        return f
    return deco


# ------------------------------------------------------------------ measuring
def _stat():
    try:
        with open("/proc/stat") as f:
            v = [int(x) for x in f.readline().split()[1:9]]
        hz = os.sysconf("SC_CLK_TCK")
        busy = (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / hz      # user nice sys irq softirq steal
        t = os.times()
        return busy, t.user + t.system
    except Exception:
        return None


def quant(v, q):
    v = sorted(v)
    i = q * (len(v) - 1)
    a = int(math.floor(i)); b = min(a + 1, len(v) - 1)
    return v[a] + (v[b] - v[a]) * (i - a)


def wait_quiet(limit):
    """sleep until other processes (and steal) take < 0.08 CPU for one second, at most `limit` seconds."""
    end = time.time() + limit
    while time.time() < end:
        a = _stat(); w = time.perf_counter()
        time.sleep(0.4)
        b = _stat(); w = time.perf_counter() - w
        if not a or ((b[0] - a[0]) - (b[1] - a[1])) / w < 0.08: return
        time.sleep(1.6)


def measure(fn, args, sync):
    t0 = time.perf_counter(); n = 0
    while n < 3 or time.perf_counter() - t0 < args.warmup:
        fn(); n += 1
        if n >= 3 and time.perf_counter() - t0 > 20: break
    sync()
    t = time.perf_counter(); fn(); sync(); one = time.perf_counter() - t
    iters = max(1, int(math.ceil(args.min_time / max(one, 1e-9))))
    best = None
    for attempt in range(1 + (0 if args.no_guard else args.retries)):
        if not args.no_guard: wait_quiet(args.quiet_wait)
        s0 = _stat(); w0 = time.perf_counter(); out = []
        for _ in range(args.samples):
            t = time.perf_counter()
            for _ in range(iters): fn()
            sync(); out.append((time.perf_counter() - t) / iters)
        w = time.perf_counter() - w0; s1 = _stat()
        foreign = 0.0
        if s0 and s1: foreign = max(0.0, ((s1[0] - s0[0]) - (s1[1] - s0[1]) - 0.02) / w)
        if best is None or foreign < best[0]: best = (foreign, out)
        if foreign < 0.05: break
        time.sleep(2.0)
    return best[1], best[0], iters


# ------------------------------------------------------------------ building blocks
def T():
    import torch
    return torch


def wrap(m, a, ex=None, train=False):
    """channels_last / torch.compile / jit as asked."""
    torch = T()
    m = m.to(a.device)
    if a.channels_last and any(isinstance(x, torch.nn.Conv2d) for x in m.modules()):
        m = m.to(memory_format=torch.channels_last)
    if a.jit and not train and ex is not None:
        with torch.no_grad():
            m = torch.jit.freeze(torch.jit.trace(m.eval(), ex, check_trace=False))
    if a.compile:
        if not hasattr(torch, "compile"): raise SystemExit("torch.compile needs torch >= 2")
        m = torch.compile(m)
    return m


class _null:
    def __enter__(self): return self
    def __exit__(self, *e): return False


def amp(a):
    torch = T()
    return torch.autocast(device_type=a.device.split(":")[0], dtype=torch.bfloat16) if a.bf16 else _null()


def prep(x, a):
    torch = T()
    x = x.to(a.device)
    if a.channels_last and x.dim() == 4: x = x.contiguous(memory_format=torch.channels_last)
    return x


def train_case(model, inputs, target, loss, opt, a):
    torch = T()
    model.train()
    inputs = [prep(x, a) if x.is_floating_point() else x.to(a.device) for x in inputs]
    target = target.to(a.device)
    m = wrap(model, a, train=True)
    o = opt(model.parameters())

    def step():
        o.zero_grad(set_to_none=True)
        with amp(a):
            l = loss(m(*inputs), target)
        l.backward()
        o.step()
    return dict(fn=step)


def infer_case(model, inputs, a):
    torch = T()
    model.eval()
    inputs = [prep(x, a) if x.is_floating_point() else x.to(a.device) for x in inputs]
    m = wrap(model, a, ex=tuple(inputs))

    def step():
        with torch.no_grad(), amp(a):
            m(*inputs)
    return dict(fn=step)


def adam(p): return T().optim.Adam(p, lr=1e-3)
def adamw(p): return T().optim.AdamW(p, lr=1e-3)
def sgd(p): return T().optim.SGD(p, lr=1e-2)
def sgdm(p): return T().optim.SGD(p, lr=1e-2, momentum=0.9)
def ce(y, t): return T().nn.functional.cross_entropy(y, t)


# ------------------------------------------------------------------ a, b MLP
def mk_mlp(*d):
    nn = T().nn; L = []
    for i in range(len(d) - 1):
        L.append(nn.Linear(d[i], d[i + 1]))
        if i < len(d) - 2: L.append(nn.ReLU())
    return nn.Sequential(*L)


def _reg_mlp(tag, dims, b, opt):
    @case("%s_train_b%d" % (tag, b))
    def f(a):
        t = T(); t.manual_seed(0)
        return train_case(mk_mlp(*dims), [t.randn(b, dims[0])], t.randint(dims[-1], (b,)), ce, opt, a)

    @case("%s_infer_b%d" % (tag, b))
    def g(a):
        t = T(); t.manual_seed(0)
        return infer_case(mk_mlp(*dims), [t.randn(b, dims[0])], a)


for _b in (64, 512): _reg_mlp("mlp784", (784, 512, 512, 10), _b, adam)
_reg_mlp("tinymlp", (16, 32, 2), 32, sgd)


@case("mlp784_infer_b1")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_mlp(784, 512, 512, 10), [t.randn(1, 784)], a)


@case("mlp784_infer_b32")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_mlp(784, 512, 512, 10), [t.randn(32, 784)], a)


# ------------------------------------------------------------------ c LeNet, d ResNet-18 (CIFAR)
def mk_lenet():
    nn = T().nn
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                         nn.Linear(84, 10))


@case("lenet_train_b128")
def _(a):
    t = T(); t.manual_seed(0)
    return train_case(mk_lenet(), [t.randn(128, 1, 28, 28)], t.randint(10, (128,)), ce, sgdm, a)


@case("lenet_infer_b128")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_lenet(), [t.randn(128, 1, 28, 28)], a)


def mk_resnet(classes=10, channels=3, width=64, blocks=2):
    nn = T().nn; F = nn.functional

    class Block(nn.Module):
        def __init__(s, i, o, st):
            super().__init__()
            s.c1 = nn.Conv2d(i, o, 3, st, 1, bias=False); s.b1 = nn.BatchNorm2d(o)
            s.c2 = nn.Conv2d(o, o, 3, 1, 1, bias=False); s.b2 = nn.BatchNorm2d(o)
            s.sc = nn.Sequential(nn.Conv2d(i, o, 1, st, bias=False), nn.BatchNorm2d(o)) if st != 1 or i != o else nn.Identity()

        def forward(s, x):
            y = F.relu(s.b1(s.c1(x)))
            return F.relu(s.b2(s.c2(y)) + s.sc(x))

    L = [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    i = width
    for o, st in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        L += [Block(i, o, st)] + [Block(o, o, 1) for _ in range(blocks - 1)]; i = o
    L += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes)]
    return nn.Sequential(*L)


RESNET_FLOPS = 2 * 555_422_720   # forward, per 3x32x32 image


@case("fashion_train_b128")
def _(a):
    t = T(); t.manual_seed(0)
    net = mk_resnet(channels=1, width=16, blocks=1)
    return train_case(net, [t.randn(128, 1, 28, 28)], t.randint(10, (128,)), ce, sgdm, a)


@case("resnet18_train_b64")
def _(a):
    t = T(); t.manual_seed(0)
    d = train_case(mk_resnet(), [t.randn(64, 3, 32, 32)], t.randint(10, (64,)), ce, sgdm, a)
    d["flops"] = 3 * 64 * RESNET_FLOPS; return d


for _b in (1, 32):
    def _mk(b):
        @case("resnet18_infer_b%d" % b)
        def f(a):
            t = T(); t.manual_seed(0)
            d = infer_case(mk_resnet(), [t.randn(b, 3, 32, 32)], a)
            d["flops"] = b * RESNET_FLOPS; return d
    _mk(_b)


# ------------------------------------------------------------------ e LSTM
def mk_lstm():
    nn = T().nn

    class M(nn.Module):
        def __init__(s):
            super().__init__(); s.l = nn.LSTM(64, 256, 2, batch_first=True); s.f = nn.Linear(256, 10)

        def forward(s, x): return s.f(s.l(x)[0][:, -1])
    return M()


LSTM_FLOPS = 2 * 32 * 100 * 4 * 256 * ((64 + 256) + (256 + 256))


@case("lstm_train_b32")
def _(a):
    t = T(); t.manual_seed(0)
    d = train_case(mk_lstm(), [t.randn(32, 100, 64)], t.randint(10, (32,)), ce, adam, a)
    d["flops"] = 3 * LSTM_FLOPS; return d


@case("lstm_infer_b32")
def _(a):
    t = T(); t.manual_seed(0)
    d = infer_case(mk_lstm(), [t.randn(32, 100, 64)], a); d["flops"] = LSTM_FLOPS; return d


@case("lstm_infer_b1")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_lstm(), [t.randn(1, 100, 64)], a)


# ------------------------------------------------------------------ f Transformer encoders
def mk_encoder(layers, d, heads, ff, classes=2, vocab=1000, seq=128, p=0.0):
    torch = T(); nn = torch.nn

    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.e = nn.Embedding(vocab, d); s.pos = nn.Parameter(torch.randn(1, seq, d) * 0.02)
            lay = nn.TransformerEncoderLayer(d, heads, ff, dropout=p, activation="gelu", batch_first=True)
            s.enc = nn.TransformerEncoder(lay, layers, enable_nested_tensor=False)
            s.h = nn.Linear(d, classes)

        def forward(s, ids): return s.h(s.enc(s.e(ids) + s.pos).mean(1))
    return M()


def enc_flops(layers, d, ff, seq, b):
    return 2 * b * seq * layers * (4 * d * d + 2 * d * ff + 2 * seq * d)


def _reg_enc(tag, layers, d, heads, ff, seq, b, train=True):
    if train:
        @case("%s_train_b%d" % (tag, b))
        def f(a):
            t = T(); t.manual_seed(0)
            r = train_case(mk_encoder(layers, d, heads, ff, p=a.dropout), [t.randint(1000, (b, seq))], t.randint(2, (b,)), ce, adamw, a)
            r["flops"] = 3 * enc_flops(layers, d, ff, seq, b); return r

    @case("%s_infer_b%d" % (tag, b))
    def g(a):
        t = T(); t.manual_seed(0)
        r = infer_case(mk_encoder(layers, d, heads, ff), [t.randint(1000, (b, seq))], a)
        r["flops"] = enc_flops(layers, d, ff, seq, b); return r


_reg_enc("bertmini", 4, 256, 4, 1024, 128, 16)
_reg_enc("bertmini", 4, 256, 4, 1024, 128, 1, False)
_reg_enc("bertmini", 4, 256, 4, 1024, 128, 32, False)
_reg_enc("bertbase2l", 2, 768, 12, 3072, 128, 8)


# ------------------------------------------------------------------ g graph nets (Cora-sized)
def cora():
    t = T(); g = t.Generator().manual_seed(1)
    N, E, Fi = 2708, 5429, 1433
    s = t.randint(N, (E,), generator=g); d = t.randint(N, (E,), generator=g); l = t.arange(N)
    src = t.cat([s, d, l]); dst = t.cat([d, s, l])
    deg = t.zeros(N).index_add_(0, dst, t.ones(dst.numel()))
    w = (deg[src] * deg[dst]).rsqrt()
    x = (t.rand(N, Fi, generator=g) < 0.0127).float()
    y = t.randint(7, (N,), generator=g)
    return N, Fi, src, dst, w, x, y


def _gcn(mode):
    def build(a):
        torch = T(); nn = torch.nn; torch.manual_seed(0)
        N, Fi, src, dst, w, x, y = cora()
        src, dst, w, x, y = [v.to(a.device) for v in (src, dst, w, x, y)]
        A = torch.sparse_coo_tensor(torch.stack([dst, src]), w, (N, N)).coalesce()
        if mode == "csr": A = A.to_sparse_csr()

        def prop(h):
            if mode == "index": return torch.zeros(N, h.shape[1], device=h.device).index_add(0, dst, h[src] * w[:, None])
            return torch.sparse.mm(A, h)

        class M(nn.Module):
            def __init__(s):
                super().__init__(); s.a = nn.Linear(Fi, 64, bias=False); s.ba = nn.Parameter(torch.zeros(64))
                s.b = nn.Linear(64, 7, bias=False); s.bb = nn.Parameter(torch.zeros(7))

            def forward(s, x): return prop(s.b(torch.relu(prop(s.a(x)) + s.ba))) + s.bb
        return train_case(M(), [x], y, ce, adam, a)
    return build


CASES["gcn_index_train"] = _gcn("index")
CASES["gcn_coo_train"] = _gcn("coo")
CASES["gcn_csr_train"] = _gcn("csr")


@case("gat_train")
def _(a):
    torch = T(); nn = torch.nn; torch.manual_seed(0)
    N, Fi, src, dst, w, x, y = cora()
    src, dst, x, y = [v.to(a.device) for v in (src, dst, x, y)]

    class GAT(nn.Module):
        def __init__(s, i, h, o):
            super().__init__(); s.h, s.o = h, o; s.l = nn.Linear(i, h * o, bias=False)
            s.as_ = nn.Parameter(torch.randn(1, h, o) * .1); s.ad = nn.Parameter(torch.randn(1, h, o) * .1)
            s.b = nn.Parameter(torch.zeros(h * o))

        def forward(s, x):
            z = s.l(x).view(N, s.h, s.o)
            es = (z * s.as_).sum(-1); ed = (z * s.ad).sum(-1)
            e = nn.functional.leaky_relu(es[src] + ed[dst], 0.2)
            ix = dst[:, None].expand(-1, s.h)
            mx = torch.full((N, s.h), -1e30, device=x.device).scatter_reduce(0, ix, e.detach(), "amax")
            p = (e - mx[dst]).exp()
            den = torch.zeros(N, s.h, device=x.device).index_add(0, dst, p)
            al = p / den[dst]
            out = torch.zeros(N, s.h, s.o, device=x.device).index_add(0, dst, z[src] * al[..., None])
            return out.view(N, s.h * s.o) + s.b

    class M(nn.Module):
        def __init__(s):
            super().__init__(); s.a = GAT(Fi, 8, 8); s.b = GAT(64, 1, 7)

        def forward(s, x): return s.b(nn.functional.elu(s.a(x)))
    return train_case(M(), [x], y, ce, adam, a)


# ------------------------------------------------------------------ h VAE
@case("vae_train_b128")
def _(a):
    torch = T(); nn = torch.nn; F = nn.functional; torch.manual_seed(0)

    class M(nn.Module):
        def __init__(s):
            super().__init__(); s.e = nn.Linear(784, 400); s.mu = nn.Linear(400, 20); s.lv = nn.Linear(400, 20)
            s.d1 = nn.Linear(20, 400); s.d2 = nn.Linear(400, 784)

        def forward(s, x):
            h = F.relu(s.e(x)); mu, lv = s.mu(h), s.lv(h)
            z = mu + torch.randn_like(mu) * (0.5 * lv).exp()
            return s.d2(F.relu(s.d1(z))), mu, lv
    x = torch.rand(128, 784)

    def loss(o, t):
        r, mu, lv = o
        return F.binary_cross_entropy_with_logits(r, t, reduction="sum") - 0.5 * torch.sum(1 + lv - mu * mu - lv.exp())
    return train_case(M(), [x], x, loss, adam, a)


# ------------------------------------------------------------------ i multimodal fusion
def mk_fusion():
    torch = T(); nn = torch.nn; F = nn.functional

    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.img = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
                                  nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 49, 128))
            s.sig = nn.Sequential(nn.Conv1d(12, 32, 7, stride=2, padding=3), nn.ReLU(), nn.Conv1d(32, 64, 5, stride=2, padding=2), nn.ReLU())
            s.rnn = nn.LSTM(64, 64, batch_first=True); s.sf = nn.Linear(64, 128)
            s.txt = mk_encoder(2, 128, 4, 256, classes=128, seq=64)
            s.tab = nn.Sequential(nn.Linear(50, 128), nn.ReLU(), nn.Linear(128, 128))
            s.att = nn.Linear(128, 1); s.out = nn.Linear(128, 2)

        def forward(s, i, g, t, b):
            g = s.rnn(s.sig(g).transpose(1, 2))[0][:, -1]
            z = torch.stack([s.img(i), s.sf(g), s.txt(t), s.tab(b)], 1)
            w = torch.softmax(s.att(torch.tanh(z)), 1)
            return s.out((w * z).sum(1))
    return M()


def _fus_in(b):
    t = T()
    return [t.randn(b, 1, 28, 28), t.randn(b, 12, 500), t.randint(1000, (b, 64)), t.randn(b, 50)]


@case("fusion_train_b64")
def _(a):
    t = T(); t.manual_seed(0)
    return train_case(mk_fusion(), _fus_in(64), t.randint(2, (64,)), ce, adam, a)


@case("fusion_infer_b64")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_fusion(), _fus_in(64), a)


@case("fusion_infer_b1")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_fusion(), _fus_in(1), a)


# ------------------------------------------------------------------ j Conv3d
def mk_c3d():
    nn = T().nn; L = []; i = 1
    for o in (16, 32, 64):
        L += [nn.Conv3d(i, o, 3, padding=1), nn.BatchNorm3d(o), nn.ReLU(), nn.MaxPool3d(2)]; i = o
    return nn.Sequential(*L, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(64, 10))


@case("conv3d_train_b4")
def _(a):
    t = T(); t.manual_seed(0)
    return train_case(mk_c3d(), [t.randn(4, 1, 32, 32, 32)], t.randint(10, (4,)), ce, sgdm, a)


@case("conv3d_infer_b4")
def _(a):
    t = T(); t.manual_seed(0)
    return infer_case(mk_c3d(), [t.randn(4, 1, 32, 32, 32)], a)


# ------------------------------------------------------------------ k ops
def _tiny(kind):
    def build(a):
        t = T(); R = 100
        x = t.randn(16, device=a.device); y = t.randn(16, device=a.device)
        g = t.randn(16, device=a.device, requires_grad=True)
        if kind == "nograd":
            def fn():
                with t.no_grad():
                    for _ in range(R): x + y
        elif kind == "out":
            z = t.empty_like(x)
            def fn():
                with t.no_grad():
                    for _ in range(R): t.add(x, y, out=z)
        elif kind == "grad":            # forward with graph recording only
            def fn():
                h = g
                for _ in range(R): h = h + y
        elif kind == "grad_bwd":        # chain of R adds + backward of all
            one = t.ones(16, device=a.device)
            def fn():
                h = g
                for _ in range(R): h = h + y
                g.grad = None
                h.backward(one)
        elif kind == "mul_bwd":         # chain of R muls (saves inputs) + backward
            one = t.ones(16, device=a.device)
            def fn():
                h = g
                for _ in range(R): h = h * y
                g.grad = None
                h.backward(one)
        elif kind == "matmul":
            p = t.randn(16, 16, device=a.device)
            def fn():
                with t.no_grad():
                    for _ in range(R): p @ p
        elif kind == "linear":
            p = t.randn(32, 16, device=a.device); w = t.randn(32, 16, device=a.device); b = t.randn(32, device=a.device)
            lin = t.nn.functional.linear
            def fn():
                with t.no_grad():
                    for _ in range(R): lin(p, w, b)
        return dict(fn=fn, per=R)
    return build


for _k in ("nograd", "out", "grad", "grad_bwd", "mul_bwd", "matmul", "linear"): CASES["op_tiny_" + _k] = _tiny(_k)


def _big(make, rd, wr, grad=False):
    """make(torch, device) -> (fn(inputs...)->tensor, inputs); rd/wr = floats read/written per element (ideal)."""
    def build(a):
        t = T(); t.manual_seed(0)
        f, ins = make(t, a.device)
        n = 1 << 24
        if not grad:
            def fn():
                with t.no_grad(): f(*ins)
            return dict(fn=fn, bytes=4 * n * (rd + wr))
        ins = [v.requires_grad_() if v.is_floating_point() else v for v in ins]
        go = t.randn_like(f(*ins))

        def fn():
            for v in ins: v.grad = None
            f(*ins).backward(go)
        return dict(fn=fn, bytes=4 * n * (rd + wr))
    return build


def _m(t, d): return t.randn(16384, 1024, device=d)


def _F(): return T().nn.functional


BIG = {
    "add": (lambda t, d: ((lambda x, y: x + y), [_m(t, d), _m(t, d)]), 2, 1),
    "add_out": (lambda t, d: ((lambda x, y, o: t.add(x, y, out=o)), [_m(t, d), _m(t, d), _m(t, d)]), 2, 1),
    "add_": (lambda t, d: ((lambda x, y: x.add_(y)), [t.zeros(16384, 1024, device=d), t.zeros(16384, 1024, device=d)]), 2, 1),
    "relu": (lambda t, d: (t.relu, [_m(t, d)]), 1, 1),
    "exp": (lambda t, d: (t.exp, [_m(t, d)]), 1, 1),
    "tanh": (lambda t, d: (t.tanh, [_m(t, d)]), 1, 1),
    "gelu": (lambda t, d: (_F().gelu, [_m(t, d)]), 1, 1),
    "softmax": (lambda t, d: ((lambda x: t.softmax(x, -1)), [_m(t, d)]), 1, 1),
    "layernorm": (lambda t, d: ((lambda x, w, b: _F().layer_norm(x, (1024,), w, b)), [_m(t, d), t.randn(1024, device=d), t.randn(1024, device=d)]), 1, 1),
    "sum": (lambda t, d: (t.sum, [_m(t, d)]), 1, 0),
    "sum_dim0": (lambda t, d: ((lambda x: x.sum(0)), [_m(t, d)]), 1, 0),
    "sum_dim1": (lambda t, d: ((lambda x: x.sum(1)), [_m(t, d)]), 1, 0),
    "transpose": (lambda t, d: ((lambda x: x.t().contiguous()), [t.randn(4096, 4096, device=d)]), 1, 1),
    "bcast_add": (lambda t, d: ((lambda x, y: x + y), [_m(t, d), t.randn(1024, device=d)]), 1, 1),
    "bcast_add_col": (lambda t, d: ((lambda x, y: x + y), [_m(t, d), t.randn(16384, 1, device=d)]), 1, 1),
    "index_select": (lambda t, d: ((lambda x, i: x.index_select(0, i)), [_m(t, d), t.randint(16384, (16384,), device=d)]), 1, 1),
    "embedding": (lambda t, d: ((lambda i, w: _F().embedding(i, w)), [t.randint(32000, (32768,), device=d), t.randn(32000, 512, device=d)]), 1, 1),
    "chain5": (lambda t, d: ((lambda x, y: t.sigmoid((x * y + 1.0) * 0.5 - y)), [_m(t, d), _m(t, d)]), 2, 1),
    "batchnorm2d": (lambda t, d: ((lambda x, w, b: _F().batch_norm(x, None, None, w, b, training=True)), [t.randn(64, 64, 64, 64, device=d), t.ones(64, device=d), t.zeros(64, device=d)]), 1, 1),
    "maxpool2d": (lambda t, d: ((lambda x: _F().max_pool2d(x, 2)), [t.randn(64, 64, 64, 64, device=d)]), 1, 0.25),
}
for _k, (_mk, _r, _w) in BIG.items(): CASES["big_" + _k] = _big(_mk, _r, _w)
for _k in ("gelu", "softmax", "layernorm", "relu", "batchnorm2d", "maxpool2d"):
    CASES["big_%s_fwdbwd" % _k] = _big(BIG[_k][0], 3, 2, True)


@case("big_randn")
def _(a):
    t = T(); x = t.empty(16384, 1024, device=a.device)
    return dict(fn=lambda: x.normal_(), bytes=4 << 24)


@case("big_rand")
def _(a):
    t = T(); x = t.empty(16384, 1024, device=a.device)
    return dict(fn=lambda: x.uniform_(), bytes=4 << 24)


def _gemm(n):
    def build(a):
        t = T(); t.manual_seed(0); x = t.randn(n, n, device=a.device); y = t.randn(n, n, device=a.device)
        dt = t.bfloat16 if a.bf16 else t.float32
        x = x.to(dt); y = y.to(dt)

        def fn():
            with t.no_grad(): t.mm(x, y)
        return dict(fn=fn, flops=2 * n ** 3)
    return build


for _n in (512, 1024, 2048, 4096): CASES["gemm_%d" % _n] = _gemm(_n)


def _adam(kind):
    def build(a):
        t = T(); t.manual_seed(0)
        ps = [t.nn.Parameter(t.randn(1024, 1024, device=a.device)) for _ in range(8)]
        for p in ps: p.grad = t.randn_like(p)
        o = dict(adam=t.optim.Adam, adamw=t.optim.AdamW)[kind](ps, lr=1e-4) if kind != "sgdm" else t.optim.SGD(ps, lr=1e-4, momentum=0.9)
        n = 8 << 20
        return dict(fn=o.step, bytes=4 * n * (7 if kind != "sgdm" else 5))
    return build


for _k in ("adam", "adamw", "sgdm"): CASES["opt_%s_8M" % _k] = _adam(_k)


# ------------------------------------------------------------------ l GPT decode with KV cache
def mk_gpt(layers=6, d=256, heads=8, ff=1024, vocab=8192, ctx=256):
    torch = T(); nn = torch.nn; F = nn.functional
    hd = d // heads
    sdpa = getattr(F, "scaled_dot_product_attention", None)

    class Blk(nn.Module):
        def __init__(s):
            super().__init__(); s.n1 = nn.LayerNorm(d); s.qkv = nn.Linear(d, 3 * d); s.o = nn.Linear(d, d)
            s.n2 = nn.LayerNorm(d); s.f1 = nn.Linear(d, ff); s.f2 = nn.Linear(ff, d)

        def forward(s, x, kc, vc, t):
            B, L, _ = x.shape
            q, k, v = s.qkv(s.n1(x)).view(B, L, 3, heads, hd).permute(2, 0, 3, 1, 4)
            kc[:, :, t:t + L] = k; vc[:, :, t:t + L] = v
            K = kc[:, :, :t + L]; V = vc[:, :, :t + L]
            if sdpa is not None:
                y = sdpa(q, K, V, is_causal=L > 1)
            else:
                sc = (q @ K.transpose(-1, -2)) * hd ** -0.5
                if L > 1: sc = sc.masked_fill(torch.ones(L, L, dtype=torch.bool, device=x.device).triu(1), float("-inf"))
                y = torch.softmax(sc, -1) @ V
            x = x + s.o(y.transpose(1, 2).reshape(B, L, d))
            return x + s.f2(F.gelu(s.f1(s.n2(x))))

    class GPT(nn.Module):
        def __init__(s):
            super().__init__(); s.e = nn.Embedding(vocab, d); s.p = nn.Embedding(ctx, d)
            s.b = nn.ModuleList(Blk() for _ in range(layers)); s.n = nn.LayerNorm(d); s.h = nn.Linear(d, vocab, bias=False)

        def cache(s, B, dev): return [(torch.zeros(B, heads, ctx, hd, device=dev), torch.zeros(B, heads, ctx, hd, device=dev)) for _ in range(layers)]

        def forward(s, ids, c, t):
            x = s.e(ids) + s.p(torch.arange(t, t + ids.shape[1], device=ids.device))
            for b, (k, v) in zip(s.b, c): x = b(x, k, v, t)
            return s.h(s.n(x[:, -1]))
    return GPT()


def _dec(B):
    def build(a):
        t = T(); t.manual_seed(0); m = mk_gpt().eval().to(a.device); m = t.compile(m) if a.compile else m
        prompt = t.randint(8192, (B, 32), device=a.device); N = 128
        base = getattr(m, "_orig_mod", m); c = base.cache(B, a.device)
        def fn():
            with t.no_grad():
                y = m(prompt, c, 0)
                for i in range(N):
                    ids = y.argmax(-1, keepdim=True); y = m(ids, c, 32 + i)
        return dict(fn=fn, per=N)
    return build


CASES["gpt_decode_b1"] = _dec(1)
CASES["gpt_decode_b8"] = _dec(8)


# ------------------------------------------------------------------ m quantised Linear
def _ql(engine, b):
    def build(a):
        t = T(); t.manual_seed(0)
        m = t.nn.Sequential(t.nn.Linear(1024, 1024)).eval(); x = t.randn(b, 1024)
        if engine != "fp32":
            if engine not in t.backends.quantized.supported_engines: raise RuntimeError("engine %s not supported" % engine)
            t.backends.quantized.engine = engine
            import warnings; warnings.simplefilter("ignore")
            from torch.ao.quantization import quantize_dynamic
            m = quantize_dynamic(m, {t.nn.Linear}, dtype=t.qint8)

        def fn():
            with t.no_grad(): m(x)
        return dict(fn=fn, flops=2 * b * 1024 * 1024)
    return build


for _b in (1, 16, 128):
    for _e in ("fp32", "onednn", "qnnpack", "x86", "fbgemm"): CASES["qlinear_%s_b%d" % (_e, _b)] = _ql(_e, _b)


# ------------------------------------------------------------------ start-up (special: spawns processes)
def startup(args):
    import torch
    out = []
    for name, code in (("startup_python", "pass"), ("startup_import_torch", "import torch"),
                       ("startup_first_op", "import torch; torch.ones(2)+1"),
                       ("startup_first_step", "import torch;m=torch.nn.Linear(16,2);m(torch.ones(4,16)).sum().backward()")):
        v = []; rss = 0
        for i in range(args.samples + 1):
            t = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            if i: v.append(time.perf_counter() - t)
        r = subprocess.run([sys.executable, "-c", code + "\nimport resource;print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"], stdout=subprocess.PIPE, check=True)
        rss = int(r.stdout.split()[-1]) / 1024
        out.append(dict(case=name, ms=quant(v, .5) * 1e3, min=min(v) * 1e3, p25=quant(v, .25) * 1e3, p75=quant(v, .75) * 1e3,
                        n=len(v), rss_mib=round(rss, 1), torch=torch.__version__))
    return out


# ------------------------------------------------------------------ driver
def run_one(name, args):
    import torch
    torch.set_num_threads(args.threads)
    if args.device.startswith("cuda"):
        sync = torch.cuda.synchronize
    else:
        sync = lambda: None
    c = CASES[name](args)
    v, foreign, iters = measure(c["fn"], args, sync)
    per = c.get("per", 1)
    ms = quant(v, .5) / per * 1e3
    r = dict(case=name, threads=args.threads, ms=ms, min=min(v) / per * 1e3, p25=quant(v, .25) / per * 1e3,
             p75=quant(v, .75) / per * 1e3, n=len(v), iters=iters, foreign=round(foreign, 3),
             rss_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1), torch=torch.__version__,
             mode="+".join([k for k in ("compile", "jit", "channels_last", "bf16") if getattr(args, k)] or ["eager"]))
    if args.tag: r["tag"] = args.tag
    if args.device != "cpu": r["device"] = args.device
    if c.get("bytes"): r["GBps"] = c["bytes"] / (ms * 1e-3) / 1e9
    if c.get("flops"): r["GFLOPs"] = c["flops"] / (ms * 1e-3) / 1e9
    return r


def show(r, js):
    if js:
        print(json.dumps({k: (float("%.5g" % v) if isinstance(v, float) else v) for k, v in r.items()}), flush=True)
    elif "error" in r:
        print("%-28s %s" % (r["case"], r["error"]), flush=True)
    else:
        x = "%.1f GB/s" % r["GBps"] if "GBps" in r else ("%.1f GFLOP/s" % r["GFLOPs"] if "GFLOPs" in r else "")
        print("%-28s T=%s %10.5g ms  [%.5g .. %.5g] min %.5g  foreign %.2f rss %.0f MiB %s" %
              (r["case"], r.get("threads", "-"), r["ms"], r["p25"], r["p75"], r["min"], r.get("foreign", 0), r["rss_mib"], x), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--case", action="append", default=[]); ap.add_argument("--prefix", action="append", default=[])
    ap.add_argument("--skip", action="append", default=[], help="prefixes to leave out")
    ap.add_argument("--threads", type=int, default=2); ap.add_argument("--json", action="store_true"); ap.add_argument("--list", action="store_true")
    ap.add_argument("--samples", type=int, default=9); ap.add_argument("--min-time", type=float, default=0.1); ap.add_argument("--warmup", type=float, default=0.5)
    ap.add_argument("--device", default="cpu"); ap.add_argument("--compile", action="store_true"); ap.add_argument("--jit", action="store_true")
    ap.add_argument("--channels-last", action="store_true"); ap.add_argument("--bf16", action="store_true"); ap.add_argument("--dropout", type=float, default=0.0)
    ap.add_argument("--no-guard", action="store_true"); ap.add_argument("--retries", type=int, default=4); ap.add_argument("--quiet-wait", type=float, default=60, help="seconds to wait for a quiet machine before measuring"); ap.add_argument("--tag", default="")
    ap.add_argument("--timeout", type=int, default=600, help="seconds per case when several are run")
    a = ap.parse_args()
    if a.list:
        print("\n".join(list(CASES) + ["startup"])); return
    names = []
    for c in a.case: names += (list(CASES) + ["startup"]) if c == "all" else c.split(",")
    for p in a.prefix: names += [c for c in CASES if c.startswith(p)]
    names = [n for n in dict.fromkeys(names) if not any(n.startswith(p) for p in a.skip)]
    if not names: ap.error("name a case (--list)")
    if len(names) == 1:
        n = names[0]
        if n == "startup":
            for r in startup(a): show(r, a.json)
            return
        if n not in CASES: ap.error("no case " + n)
        try:
            r = run_one(n, a)
        except Exception as e:
            r = dict(case=n, threads=a.threads, error="%s: %s" % (type(e).__name__, str(e).splitlines()[0][:200] if str(e) else ""))
        show(r, a.json); return
    argv = []; skip = False
    for x in sys.argv[1:]:                       # same options, one case per process (so that peak RSS is the case's own)
        if skip: skip = False; continue
        if x in ("--case", "--prefix", "--skip"): skip = True; continue
        if x.startswith(("--case=", "--prefix=", "--skip=")): continue
        argv.append(x)
    for n in names:
        try:
            subprocess.run([sys.executable, os.path.abspath(__file__), "--case", n] + argv, timeout=a.timeout)
        except subprocess.TimeoutExpired:
            show(dict(case=n, threads=a.threads, error="timeout"), a.json)


if __name__ == "__main__":
    main()
