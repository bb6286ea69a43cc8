#pragma once
#include <cmath>

#include <weft/weft.h>

// The models of examples/survival.cpp: how they are judged, the linear one, and the network.

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;
inline const std::vector<std::string> kinds = {"age and sex", "gene activity",    "copy numbers",
                                               "mutations",   "all side by side", "late fusion"};
constexpr std::size_t genes = 1, joint = 4, late = 5;

inline Tensor time_of, event_of, fold_of;  // (N,) float64; which fold a patient is tested in

inline Tensor loss(const Tensor& risk, const Rows& rows) {  // of the risks of these rows
  return cox_loss(risk, data::take_rows(time_of, rows), data::take_rows(event_of, rows));
}

/// Mean over the folds of the concordance index: patients are compared with others of their fold only.
inline double index(const Tensor& risk, std::span<const std::int64_t> rows, bool folds = true) {
  const Reals t = to_vector<double>(time_of), r = to_vector<double>(risk), f = to_vector<double>(fold_of);
  const Rows e = to_vector<std::int64_t>(event_of);
  std::vector<Reals> time(5), given(5);
  std::vector<Rows> event(5);
  for (const std::size_t i : std::vector<std::size_t>(rows.begin(), rows.end())) {
    const auto k = folds ? static_cast<std::size_t>(f[i]) : 0;
    time[k].push_back(t[i]), event[k].push_back(e[i]), given[k].push_back(r[i]);
  }
  double total = 0;
  for (std::size_t k = 0; k < (folds ? 5 : 1); ++k) total += data::concordance_index(time[k], event[k], given[k]);
  return total / (folds ? 5 : 1);
}

/// Log risks x w of everybody, where w has the least loss of these rows plus penalty |w|^2.
inline Tensor ridge(const Tensor& x, const Rows& rows, double penalty) {
  const Tensor w = zeros({x.size(1), 1}).set_requires_grad(), seen = data::take_rows(x, rows);
  optim::Lbfgs optimizer({w}, {.max_iter = 30, .line_search_fn = optim::LineSearch::strong_wolfe});
  optimizer.step([&] {
    optimizer.zero_grad();
    const Tensor total = loss(matmul(seen, w), rows) + sum(square(w)) * penalty;
    total.backward();
    return total;
  });
  return detach(matmul(x, w));
}

/// The same with the penalty that is best over three parts of the rows.
inline Tensor best_ridge(const Tensor& x, const Rows& rows) {
  Generator g{0};
  std::pair<double, double> best;
  const auto parts = data::k_fold(static_cast<std::int64_t>(rows.size()), 3, g);
  for (const double penalty : {0.1, 1., 3.}) {
    double found = 0;
    const Tensor all_rows = from(rows);
    for (const auto& [a, b] : parts)
      found += index(ridge(x, to_vector<std::int64_t>(data::take_rows(all_rows, a)), penalty),
                     to_vector<std::int64_t>(data::take_rows(all_rows, b)), false);
    best = std::max(best, {found, penalty});
  }
  return ridge(x, rows, best.second);
}

struct Net {
  GatedLinear first;
  Dropout input, hidden;
  Linear risk;
  explicit Net(std::int64_t features) : first(features, 16), input(features > 2 ? 0.2 : 0), hidden(0.5), risk(16, 1) {}
  Tensor operator()(const Tensor& x) const { return risk(hidden(relu(first(input(x))))); }
  void fields(auto&& f) { f("first", first, "input", input, "hidden", hidden, "risk", risk); }
};

/// Trained on inner.train as one batch until the loss of inner.test has not fallen for 40 epochs.
inline Net trained(const Tensor& x, const data::Split& inner, bool sparse) {
  Net net(x.size(1)), best = clone(net);
  const double factor = 0.004, step = 0.03;  // of the L1 penalty; a useless gate is closed after 1 / 0.03 epochs
  optim::AdamW optimizer(parameters(net.first.linear), {.weight_decay = 0.1});
  optimizer.add_group(parameters(net.risk), {.weight_decay = 0.1});
  optim::Sgd gates(parameters(net.first.gate), {.lr = step / factor});
  const Tensor seen = data::take_rows(x, inner.train), held = data::take_rows(x, inner.test);
  double least = 1e9;
  for (int epoch = 0, last = 0; epoch < 400 && epoch - last < 40; ++epoch) {
    train(net);
    loss(net(seen), inner.train).backward();
    optimizer.step();
    if (sparse) gates.step(), optim::soft_threshold(parameters(net.first.gate), step);
    optimizer.zero_grad(), gates.zero_grad();
    eval(net);
    const NoGrad off;
    if (const double now = loss(net(held), inner.test).item(); now < least)
      least = now, last = epoch, best = clone(net);
  }
  eval(best);
  return best;
}
