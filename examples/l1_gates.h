#pragma once
#include <span>

#include <weft/weft.h>

// The network of examples/l1_selection.cpp, and how its gates are closed.

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;
inline const Reals penalties = {0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1};
constexpr double wanted = 0.7;  // share of the inputs that are to go

struct Net {
  Dropout input, inner;
  GatedLinear first;
  Linear out;
  explicit Net(std::int64_t features) : input(0.2), inner(0.5), first(features, 16), out(16, 2) {}
  Tensor operator()(const Tensor& x) const { return out(inner(relu(first(input(x))))); }
  void fields(auto&& f) { f("input", input, "inner", inner, "first", first, "out", out); }
};

struct Result {
  Net net;
  double auc = 0, gone = 0;  // on test rows; share of inputs whose gate is 0
  Reals course{};            // of that share
};
/// penalty 0: the dense network, trained as long.
inline Result trained(const Tensor& x, const Rows& labels, const data::Split& split, double penalty,
                      std::uint64_t seed) {
  constexpr double step = 0.006;  // of the proximal step: a gate that nothing holds is closed after 1 / 0.006 epochs
  constexpr int warm = 40, selecting = 240, epochs = 390;
  manual_seed(seed);
  const Tensor all = data::Standardizer::fit(x, split.train).apply(x), target = from(labels);
  const Tensor seen = data::take_rows(all, split.train), y = data::take_rows(target, split.train);
  Result result{Net(x.size(1))};
  Net& net = result.net;
  const std::vector<Tensor> gate = parameters(net.first.gate);
  // Weight decay of what follows: else it would grow as the gates shrink, and the penalty mean nothing.
  optim::AdamW optimizer(parameters(net.first.linear), {.lr = 2e-3, .weight_decay = 0.3});
  optimizer.add_group(parameters(net.out), {.lr = 2e-3, .weight_decay = 0.3});
  optim::Sgd gates(gate, {.lr = penalty > 0 ? step / penalty : 0, .momentum = 0.9});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    cross_entropy(net(seen), y).backward();
    optimizer.step();
    if (penalty > 0 && epoch >= warm && epoch < selecting) gates.step(), optim::soft_threshold(gate, step);
    if (penalty > 0 && epoch == selecting)
      for (float& g : std::span(net.first.gate.gate.mutable_data<float>(), 600)) g = g != 0 ? 1 : 0;
    optimizer.zero_grad(), gates.zero_grad();
    result.course.push_back(net.first.gate.zero_fraction());
  }
  eval(net);
  const NoGrad off;
  const Tensor said = softmax(net(data::take_rows(all, split.test)), 1);
  result.auc = data::roc_auc(data::Predictions::of(data::take_rows(target, split.test), said));
  result.gone = net.first.gate.zero_fraction();
  return result;
}

inline Result selected(const Tensor& x, const Rows& labels, const data::Split& split, std::uint64_t seed) {
  Result result = trained(x, labels, split, penalties[0], seed);
  for (std::size_t k = 1; k < penalties.size() && result.gone < wanted; ++k)
    result = trained(x, labels, split, penalties[k], seed);
  return result;
}
