#pragma once
#include "missing_data.h"

// The models of examples/missing.cpp: a completion of missing modalities, and one fusion trained in six ways.

inline const std::vector<std::string> ways = {
    "masks", "zeros", "means", "completion", "zeros, unprepared", "masks, unprepared"};
constexpr std::size_t masks = 0, unprepared_zeros = 4, unprepared_masks = 5;
/// What becomes of gaps before a network sees them.
using Fill = std::function<data::Modalities(const data::Modalities&)>;

/// So many epochs that about `steps` batches come together.
inline int epochs_for(std::int64_t rows, int batch, int steps) {
  return std::clamp(static_cast<int>(steps * batch / rows), 20, 60);
}
inline int batch_for(std::int64_t rows) { return rows > 2000 ? 128 : 32; }

inline fusion::Completion completing(const Patients& p, const data::Modalities& x, const Tensor& y,
                                     std::uint64_t seed) {
  manual_seed(seed);
  fusion::Completion net(x, {.latent = 16, .hidden = {64}, .dropout = 0.2});
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.01});
  const int batch = batch_for(x.batch()), epochs = 2 * (p.epochs > 0 ? p.epochs : epochs_for(x.batch(), batch, 400));
  data::Loader loader(x, y, {.batch_size = batch, .seed = seed});
  Generator drops{seed, 1 << 20};
  std::int64_t step = 0;
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [all, unused] : loader) {
      net.bound(fusion::drop_modalities(all, 0.3, drops), all, {}, drops).loss(beta_warmup(step++, 200)).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  eval(net);
  return net;
}

inline fusion::Classifier trained(const Patients& p, const data::Modalities& x, const Tensor& y,
                                  const std::string& fusion, const Fill& fill, double dropped, std::uint64_t seed) {
  manual_seed(seed);
  fusion::ClassifierOptions options{.names = p.kinds, .fusion = fusion, .classes = p.classes, .dropout = 0.3};
  options.method.quality_weight = 1;                    // in gate completed evidence counts by its quality
  options.method.context = static_cast<bool>(p.drawn);  // the clinic's note says what else counts: see docs/clinic.md
  options.encoders = p.encoders;
  if (options.encoders.empty())
    for (const Tensor& f : x.features)
      options.encoders.push_back({"mlp", {.in_features = f.size(1), .hidden = {32}, .dropout = 0.4}});
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.05});
  const int batch = batch_for(x.batch()), epochs = p.epochs > 0 ? p.epochs : epochs_for(x.batch(), batch, 400);
  data::Loader loader(x, y, {.batch_size = batch, .seed = seed});
  Generator drops{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [all, target] : loader) {
      net.loss(net(fill(fusion::drop_modalities(all, dropped, drops))), target).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  eval(net);
  return net;
}

/// Accuracy and ROC AUC of one split, [way][rate].
struct Scores {
  std::array<Reals, 6> accuracy{}, auc{};
  void each(auto&& f) {
    for (auto* scores : {&accuracy, &auc})
      for (Reals& way : *scores) std::ranges::for_each(way, f);
  }
};

inline Scores judged(const Patients& p, std::size_t number, const std::string& fusion, std::uint64_t seed) {
  const Evidence known = p.evidence(number);
  const data::Split& split = p.splits[number];
  const data::Modalities train = known.all.rows(split.train), test = known.all.rows(split.test);
  const Tensor target = from(known.labels), y = data::take_rows(target, split.train);
  const fusion::Completion net = completing(p, train, y, seed);
  Generator draws{seed, 1 << 21};
  const Fill nothing = [](const data::Modalities& x) { return x; };
  const Fill zeros = [&](const data::Modalities& x) { return fusion::filled_with(x, known.zero); };
  const Fill fills[] = {
      nothing,
      zeros,
      [&, mean = fusion::measure(train).mean](const data::Modalities& x) { return fusion::filled_with(x, mean); },
      [&](const data::Modalities& x) { return net.complete(x, 16, {}, draws).admitted(); },
      zeros,
      nothing};
  Scores scores;
  fusion::Classifier judge = trained(p, train, y, fusion, fills[masks], 0.3, seed);
  // Who lacks nothing while learning learns the same, whatever would be put into gaps.
  const bool complete = mean(to(train.present, DType::float32)).item() == 1;
  for (std::size_t way = 0; way < ways.size(); ++way) {
    if (way != masks && !(way == unprepared_masks && complete))
      judge = trained(p, train, y, fusion, fills[way], way < unprepared_zeros ? 0.3 : 0, seed);
    for (const double rate : p.rates) {
      Generator gaps{seed, 1 << 22};  // the same gaps for all ways
      const NoGrad off;
      const Tensor said = softmax(judge(fills[way](fusion::drop_modalities(test, rate, gaps))).logits, 1);
      const auto answers = data::Predictions::of(data::take_rows(target, split.test), said);
      scores.accuracy[way].push_back(data::metric("accuracy").compute(answers));
      scores.auc[way].push_back(data::metric("roc_auc").compute(answers));
    }
  }
  return scores;
}
