#include <cstdint>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/random.h>

#include "training.h"

using namespace weft;

namespace bench {
namespace {

// ---- single operations on 16 numbers: what a call costs

constexpr int repeats = 100;  // calls per run, so that the clock is not what is measured

struct Tiny {
  Tensor x = randn({16}), y = randn({16}), g = randn({16}).set_requires_grad(), one = ones({16});
  Tensor matrix = randn({16, 16}), rows = randn({32, 16}), weight = randn({32, 16}), bias = randn({32});
};

/// `step` takes what the last call gave, g at first.
Built chain(Tensor (*step)(const Tensor& h, const Tiny& d), bool backward) {
  return {[=, d = Tiny()]() mutable {
            Tensor h = d.g;
            for (int i = 0; i < repeats; ++i) h = step(h, d);
            if (!backward) return;
            d.g.set_grad(Tensor());
            h.backward(d.one);
          },
          repeats};
}

Built again(void (*call)(Tiny& d)) {
  return {[=, d = Tiny()]() mutable {
            const NoGrad off;
            for (int i = 0; i < repeats; ++i) call(d);
          },
          repeats};
}

void add_tiny(Cases& cases) {
  cases.push_back({"op_tiny_nograd", [] { return again([](Tiny& d) { d.x + d.y; }); }});
  // No operation writes into a given tensor: the result takes the place of the last one.
  cases.push_back({"op_tiny_out", [] { return again([](Tiny& d) { d.one = d.x + d.y; }); }});
  const auto plus = [](const Tensor& h, const Tiny& d) { return h + d.y; };
  const auto times = [](const Tensor& h, const Tiny& d) { return h * d.y; };
  cases.push_back({"op_tiny_grad", [=] { return chain(plus, false); }});
  cases.push_back({"op_tiny_grad_bwd", [=] { return chain(plus, true); }});
  cases.push_back({"op_tiny_mul_bwd", [=] { return chain(times, true); }});
  cases.push_back({"op_tiny_matmul", [] { return again([](Tiny& d) { matmul(d.matrix, d.matrix); }); }});
  cases.push_back({"op_tiny_linear", [] { return again([](Tiny& d) { linear(d.rows, d.weight, d.bias); }); }});
}

// ---- single operations on 16 million numbers: how fast memory is passed through

constexpr double elements = 1 << 24;

using Inputs = std::vector<Tensor>;
struct Big {
  const char* name;
  double read, written;  ///< numbers per element, at least
  Inputs (*inputs)();
  Tensor (*call)(const Inputs& in);
};

Tensor matrix() { return randn({16384, 1024}); }
Tensor image() { return randn({64, 64, 64, 64}); }
Inputs one() { return {matrix()}; }
Inputs two() { return {matrix(), matrix()}; }

const Big big[] = {
    {"add", 2, 1, two, [](const Inputs& in) { return in[0] + in[1]; }},
    // No operation writes into a given tensor: a result is made and dropped, which reuses the same memory.
    {"add_out", 2, 1, two, [](const Inputs& in) { return in[0] + in[1]; }},
    {"add_", 2, 1,
     [] {
       return Inputs{zeros({16384, 1024}), zeros({16384, 1024})};
     },
     [](const Inputs& in) {
       kernels::accumulate(in[0], in[1]);
       return in[0];
     }},
    {"relu", 1, 1, one, [](const Inputs& in) { return relu(in[0]); }},
    {"exp", 1, 1, one, [](const Inputs& in) { return exp(in[0]); }},
    {"tanh", 1, 1, one, [](const Inputs& in) { return tanh(in[0]); }},
    {"gelu", 1, 1, one, [](const Inputs& in) { return gelu(in[0]); }},
    {"softmax", 1, 1, one, [](const Inputs& in) { return softmax(in[0], -1); }},
    {"layernorm", 1, 1,
     [] {
       return Inputs{matrix(), randn({1024}), randn({1024})};
     },
     [](const Inputs& in) { return layer_norm(in[0], {1024}, in[1], in[2]); }},
    {"sum", 1, 0, one, [](const Inputs& in) { return sum(in[0]); }},
    {"sum_dim0", 1, 0, one, [](const Inputs& in) { return sum(in[0], 0); }},
    {"sum_dim1", 1, 0, one, [](const Inputs& in) { return sum(in[0], 1); }},
    {"transpose", 1, 1,
     [] {
       return Inputs{randn({4096, 4096})};
     },
     [](const Inputs& in) { return contiguous(t(in[0])); }},
    {"bcast_add", 1, 1,
     [] {
       return Inputs{matrix(), randn({1024})};
     },
     [](const Inputs& in) { return in[0] + in[1]; }},
    {"bcast_add_col", 1, 1,
     [] {
       return Inputs{matrix(), randn({16384, 1})};
     },
     [](const Inputs& in) { return in[0] + in[1]; }},
    {"index_select", 1, 1,
     [] {
       return Inputs{matrix(), randint(0, 16384, {16384})};
     },
     [](const Inputs& in) { return index_select(in[0], 0, in[1]); }},
    {"embedding", 1, 1,
     [] {
       return Inputs{randn({32000, 512}), randint(0, 32000, {32768})};
     },
     [](const Inputs& in) { return embedding(in[0], in[1]); }},
    {"chain5", 2, 1, two, [](const Inputs& in) { return sigmoid((in[0] * in[1] + 1.0) * 0.5 - in[1]); }},
    {"batchnorm2d", 1, 1,
     [] {
       return Inputs{image(), ones({64}), zeros({64})};
     },
     [](const Inputs& in) { return batch_norm(in[0], Tensor(), Tensor(), in[1], in[2], true); }},
    {"maxpool2d", 1, 0.25, [] { return Inputs{image()}; }, [](const Inputs& in) { return max_pool2d(in[0], 2); }},
};

Built forward(const Big& b) {
  if (compiled) {
    const Inputs in = b.inputs();
    const auto call = [f = b.call](const Inputs& x) { return Inputs{f(x)}; };
    const auto program = deploy::compile(call, in, {.check = false});  // 16 million numbers are slow to compare
    return {.run = [=] { program.run(in); }, .bytes = 4 * elements * (b.read + b.written)};
  }
  return {.run =
              [call = b.call, in = b.inputs()] {
                const NoGrad off;
                call(in);
              },
          .bytes = 4 * elements * (b.read + b.written)};
}

Built forward_and_backward(const Big& b) {
  Inputs in = b.inputs();
  for (Tensor& x : in) x.set_requires_grad();
  const Tensor gradient = randn(b.call(in).shape());
  return {.run =
              [call = b.call, in, gradient]() mutable {
                for (Tensor& x : in) x.set_grad(Tensor());
                call(in).backward(gradient);
              },
          .bytes = 4 * elements * (3 + 2)};
}

Built drawing(kernels::Distribution distribution) {
  return {.run =
              [=, x = empty({16384, 1024})] {
                const std::uint64_t at = default_generator().take(static_cast<std::uint64_t>(x.numel()));
                kernels::random_fill(x, distribution, 0, 1, default_generator().seed, at);
              },
          .bytes = 4 * elements};
}

void add_big(Cases& cases) {
  for (const Big& b : big) cases.push_back({std::string("big_") + b.name, [&b] { return forward(b); }});
  for (const std::string name : {"gelu", "softmax", "layernorm", "relu", "batchnorm2d", "maxpool2d"})
    for (const Big& b : big)
      if (b.name == name) cases.push_back({"big_" + name + "_fwdbwd", [&b] { return forward_and_backward(b); }});
  cases.push_back({"big_randn", [] { return drawing(kernels::Distribution::normal); }});
  cases.push_back({"big_rand", [] { return drawing(kernels::Distribution::uniform); }});
}

// ---- products of square matrices

Built product(std::int64_t n) {
  const auto size = static_cast<double>(n);
  return counted({[x = randn({n, n}), y = randn({n, n})] {
                   const NoGrad off;
                   matmul(x, y);
                 }},
                 2 * size * size * size);
}

// ---- one step of an optimiser over 8 million parameters

template <class Optimizer>
Built stepping(const typename Optimizer::Options& options, double numbers_moved) {
  std::vector<Tensor> parameters;
  for (int i = 0; i < 8; ++i) {
    Tensor p = randn({1024, 1024}).set_requires_grad();
    p.set_grad(randn(p.shape()));
    parameters.push_back(p);
  }
  const auto optimizer = std::make_shared<Optimizer>(parameters, options);
  return {.run = [optimizer] { optimizer->step(); }, .bytes = 4 * (8 << 20) * numbers_moved};
}

}  // namespace

void add_operations(Cases& cases) {
  add_tiny(cases);
  add_big(cases);
  for (const std::int64_t n : {512, 1024, 2048, 4096})
    cases.push_back({"gemm_" + std::to_string(n), [=] { return product(n); }});
  cases.push_back({"opt_adam_8M", [] { return stepping<optim::Adam>({.lr = 1e-4}, 7); }});
  cases.push_back({"opt_adamw_8M", [] { return stepping<optim::AdamW>({.lr = 1e-4}, 7); }});
  cases.push_back({"opt_sgdm_8M", [] { return stepping<optim::Sgd>({.lr = 1e-4, .momentum = 0.9}, 5); }});
}

}  // namespace bench
