#pragma once
#include <algorithm>
#include <numeric>
#include <span>

#include <weft/weft.h>

// The network of examples/l1_selection.cpp, and how its gates are closed.

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;

// Chosen on six splits of the 245 people that the data give to train on; nobody else was asked.
constexpr double penalty = 0.04, left_out = 0.3;  // of the gates; share of the people that a bag does not see
constexpr int bags = 20;

struct Net {
  Dropout input, inner;
  GatedLinear first;
  Linear out;
  explicit Net(std::int64_t features) : input(0.2), inner(0.5), first(features, 16), out(16, 2) {}
  Tensor operator()(const Tensor& x) const { return out(inner(relu(first(input(x))))); }
  void fields(auto&& f) { f("input", input, "inner", inner, "first", first, "out", out); }
};

// Weight decay of what follows the gates: else it would grow as they shrink, and the penalty mean nothing.
constexpr optim::AdamWOptions settings{.lr = 2e-3, .weight_decay = 0.3};

/// Adds to `size` how wide the gates of a network stay open that learned from these rows; `course`: share of the closed
/// ones by epoch.
inline void add_gates(const Tensor& x, const Tensor& y, const Rows& rows, std::uint64_t seed, Reals& size,
                      Reals* course) {
  constexpr double step = 0.006;  // of the proximal step: a gate that nothing holds is closed after 1 / 0.006 epochs
  constexpr int warm = 40, epochs = 240;
  manual_seed(seed);
  const Tensor seen = data::take_rows(x, rows), target = data::take_rows(y, rows);
  Net net(x.size(1));
  const std::vector<Tensor> gate = parameters(net.first.gate);
  optim::AdamW optimizer(parameters(net.first.linear), settings);
  optimizer.add_group(parameters(net.out), settings);
  optim::Sgd gates(gate, {.lr = step / penalty, .momentum = 0.9});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    cross_entropy(net(seen), target).backward();
    optimizer.step();
    if (epoch >= warm) gates.step(), optim::soft_threshold(gate, step);
    optimizer.zero_grad(), gates.zero_grad();
    if (course) course->push_back(net.first.gate.zero_fraction());
  }
  const Reals open = to_vector<double>(net.first.gate.gate);
  for (std::size_t i = 0; i < size.size(); ++i) size[i] += std::abs(open[i]);
}

/// The inputs whose gates stay widest open on the mean over bags of people; `keep` of them, ascending. One network's
/// gates depend much on who happens to be in its sample, their mean does not (Meinshausen and Buhlmann 2010).
inline Rows stable_inputs(const Tensor& x, const Tensor& y, const Rows& rows, std::size_t keep, std::uint64_t seed,
                          Reals* course) {
  Reals size(static_cast<std::size_t>(x.size(1)));
  const Rows labels = to_vector<std::int64_t>(data::take_rows(y, rows));
  Generator drawing{seed, 1 << 20};
  for (const data::Split& bag : data::stratified_splits(labels, bags, left_out, drawing)) {
    Rows own;
    for (const std::int64_t i : bag.train) own.push_back(rows[static_cast<std::size_t>(i)]);
    add_gates(x, y, own, static_cast<std::uint64_t>(drawing.below(1U << 30)), size, course);
    course = nullptr;  // of the first bag
  }
  Rows order(size.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](std::int64_t i) { return size[static_cast<std::size_t>(i)]; });
  order.resize(keep);
  std::ranges::sort(order);
  return order;
}

struct Result {
  Net net;
  data::Predictions said;  // about test rows
  double auc = 0;
};
/// A network whose gates are 1 for these inputs, and exactly 0 for all others.
inline Result trained(const Tensor& x, const Tensor& y, const data::Split& split, const Rows& inputs,
                      std::uint64_t seed) {
  constexpr int epochs = 390;
  manual_seed(seed);
  Result result{Net(x.size(1)), {}};
  Net& net = result.net;
  const std::span gate(net.first.gate.gate.mutable_data<float>(), static_cast<std::size_t>(x.size(1)));
  std::ranges::fill(gate, 0.0F);
  for (const std::int64_t i : inputs) gate[static_cast<std::size_t>(i)] = 1;
  const Tensor seen = data::take_rows(x, split.train), target = data::take_rows(y, split.train);
  optim::AdamW optimizer(parameters(net.first.linear), settings);
  optimizer.add_group(parameters(net.out), settings);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    cross_entropy(net(seen), target).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  eval(net);
  const NoGrad off;
  result.said = data::Predictions::of(data::take_rows(y, split.test), softmax(net(data::take_rows(x, split.test)), 1));
  result.auc = data::roc_auc(result.said);
  return result;
}
