#pragma once
#include "missing_data.h"

// The models of examples/missing.cpp: a completion of missing modalities, and one fusion trained in five ways.

inline const std::vector<std::string> ways = {"masks", "zeros", "means", "completion", "unprepared"};
constexpr std::size_t masks = 0, unprepared = 4;
/// What becomes of gaps before a network sees them.
using Fill = std::function<data::Modalities(const data::Modalities&)>;

/// So many epochs that about `steps` batches come together.
inline int epochs_for(std::int64_t rows, int batch, int steps) {
  return std::clamp(static_cast<int>(steps * batch / rows), 20, 60);
}
inline int batch_for(std::int64_t rows) { return rows > 2000 ? 128 : 32; }

inline fusion::Completion completing(const data::Modalities& x, const Tensor& y, std::uint64_t seed) {
  manual_seed(seed);
  fusion::Completion net(x, {.latent = 16, .hidden = {64}, .dropout = 0.2});
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.01});
  const int batch = batch_for(x.batch()), epochs = 2 * epochs_for(x.batch(), batch, 400);
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
  options.method.quality_weight = 1;  // in gate completed evidence counts by its quality
  for (const Tensor& f : x.features)
    options.encoders.push_back({"mlp", {.in_features = f.size(1), .hidden = {32}, .dropout = 0.4}});
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.05});
  const int batch = batch_for(x.batch()), epochs = epochs_for(x.batch(), batch, 400);
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
  std::array<Reals, 5> accuracy, auc;
};
inline Scores judged(const Patients& p, const data::Split& split, const std::string& fusion, std::uint64_t seed) {
  data::Modalities all{
      p.kinds, {}, empty({p.tables[0].rows(), static_cast<std::int64_t>(p.kinds.size())}, DType::boolean)};
  std::vector<Tensor> zero, present;  // what 0 is after standardisation
  for (const data::Table& table : p.tables) {
    const auto coder =
        data::TableEncoder::fit(table, std::vector<std::string>{"*"}, split.train, {.unseen = data::Unseen::unknown});
    const data::Encoded encoded = coder.apply(table);
    all.features.push_back(encoded.features), present.push_back(encoded.present);
    Reals of_parts;
    for (const auto& part : coder.parts)
      for (std::size_t k = 0; k < std::max<std::size_t>(1, part.levels.size()); ++k)
        of_parts.push_back(part.categorical ? 0 : -part.mean / part.deviation);
    zero.push_back(from(of_parts));
  }
  all.present = stack(present, 1);
  const data::Modalities train = all.rows(split.train), test = all.rows(split.test);
  const Tensor target = from(p.labels), y = data::take_rows(target, split.train);
  const fusion::Completion net = completing(train, y, seed);
  Generator draws{seed, 1 << 21};
  const Fill fills[] = {
      [](const data::Modalities& x) { return x; },
      [&](const data::Modalities& x) { return fusion::filled_with(x, zero); },
      [&, mean = fusion::measure(train).mean](const data::Modalities& x) { return fusion::filled_with(x, mean); },
      [&](const data::Modalities& x) { return net.complete(x, 16, {}, draws).admitted(); },
      [&](const data::Modalities& x) { return fusion::filled_with(x, zero); }};
  Scores scores;
  for (std::size_t way = 0; way < ways.size(); ++way) {
    const fusion::Classifier judge = trained(p, train, y, fusion, fills[way], way == unprepared ? 0 : 0.3, seed);
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
