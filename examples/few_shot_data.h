#pragma once
#include <filesystem>

#include <weft/weft.h>

// The digits of examples/few_shot.cpp, and encoders that learn some of them.

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;

struct Digits {
  std::string name;
  data::Modalities all;  // those to learn from come first
  Rows labels;           // what each shows
  std::int64_t seen = 0;
  bool standardised = false;  // each number on a scale of its own
  std::vector<fusion::EncoderChoice> encoders{};

  /// Those of these digits, from the part to learn from or from the other one.
  Rows of(const Rows& digits, bool learning) const {
    Rows rows;
    for (std::int64_t i = learning ? 0 : seen; i < (learning ? seen : std::ssize(labels)); ++i)
      if (std::ranges::count(digits, labels[static_cast<std::size_t>(i)]) > 0) rows.push_back(i);
    return rows;
  }
  Rows labels_of(const Rows& rows) const {
    Rows own;
    for (const std::int64_t i : rows) own.push_back(labels[static_cast<std::size_t>(i)]);
    return own;
  }
};

inline Tensor both(const std::string& file) {
  return cat(
      {to(data::load_npy(file + "_train.npy"), DType::float32), to(data::load_npy(file + "_test.npy"), DType::float32)},
      0);
}

/// 2,000 handwritten digits as six sets of measurements that people thought of: plain ones are good already.
inline Digits measured(const std::string& at) {
  const std::vector<std::string> views = {"x1_pix_240", "x2_fou_76", "x3_fac_216",
                                          "x4_zer_47",  "x5_kar_64", "x6_mor_6"};
  std::vector<Tensor> features;
  for (const std::string& view : views) features.push_back(both(at + view));
  Digits d{"mfeat", data::Modalities::complete(views, features), to_vector<std::int64_t>(both(at + "y")), 1600, true};
  for (const Tensor& x : features)
    d.encoders.push_back({"mlp", {.in_features = x.size(1), .hidden = {64}, .dropout = 0.2}});
  return d;
}

/// 3,000 pairs of a written and a spoken digit, as pixels and as a log-mel spectrogram, both at half the resolution:
/// nobody measured anything.
inline Digits seen_and_heard(const std::string& at) {
  const auto half = [&](const std::string& file) { return avg_pool2d(both(at + file) / 255.0, 2); };  // (N, 1, H, W)
  const std::vector<Tensor> features = {half("x1_image"), half("x2_logmel_u8")};
  Digits d{"av_digits",
           data::Modalities::complete({"image", "sound"}, {flatten(features[0], 1), flatten(features[1], 1)}),
           to_vector<std::int64_t>(both(at + "y")), 2700};
  for (const Tensor& x : features)
    d.encoders.push_back({"cnn",
                          {.in_features = x.size(2) * x.size(3),
                           .hidden = {8, 16, 64},
                           .dropout = 0.2,
                           .norm = "batch",
                           .shape = {1, x.size(2), x.size(3)}}});
  return d;
}

/// The same on the scale of the common digits' samples, by which alone anything is learned.
inline Digits prepared(Digits d, const Rows& common) {
  if (d.standardised)
    for (Tensor& x : d.all.features) x = data::Standardizer::fit(x, d.of(common, true)).apply(x);
  return d;
}

/// Encoders that learn to tell these digits apart by the loss of a classifier, or in episodes: of each digit a few
/// samples to learn from and others to be recognised by them.
inline fusion::Classifier learned(const Digits& d, const Rows& digits, bool in_episodes, int steps,
                                  std::uint64_t seed) {
  manual_seed(seed);
  fusion::Classifier net({.names = d.all.names,
                          .encoders = d.encoders,
                          .fusion = "mean",
                          .classes = std::ssize(digits),
                          .dropout = 0.2,
                          .method = {.width = 128}});
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.02});
  const Rows rows = d.of(digits, true), labels = d.labels_of(rows);
  Generator g{seed, 1 << 20};
  const std::int64_t shots = 5, asked = 64 / std::ssize(digits);
  for (int step = 0; step < steps; ++step) {
    // Batches of one size for both: as many of each digit.
    const Rows batch = fusion::few_shot_split(labels, shots + asked, g).train;
    Rows chosen, own, target;
    for (const std::int64_t i : batch) {
      chosen.push_back(rows[static_cast<std::size_t>(i)]), own.push_back(labels[static_cast<std::size_t>(i)]);
      target.push_back(std::ranges::find(digits, own.back()) - digits.begin());
    }
    const data::Modalities x = d.all.rows(chosen);
    const Tensor loss = in_episodes
                            ? fusion::prototypical_loss(net.fusion(fusion::encode(net.encoders, x)).features, own,
                                                        fusion::few_shot_split(own, shots, g), {.temperature = 0.1})
                            : net.loss(net(x), from(target));
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  eval(net);
  return net;
}
