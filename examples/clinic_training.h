#pragma once
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <weft/weft.h>

#include "clinic_encoders.h"

/// How the examples on the simulated clinic train, and how they judge weights against the truth.

using namespace weft;
using Names = std::vector<std::string>;
using Rows = std::vector<std::int64_t>;

/// What is known of those whom the patient graph joins to each patient: the mean of their notes' words and laboratory
/// values, (N, V + 12). A simplified graph convolution without the patient's own part (Wu et al. 2019): no diagnosis
/// enters, so that patients to be judged may stand beside those to learn from.
inline Tensor found_alike(const data::Clinic& clinic) {
  const Tensor own = cat({clinic.evidence.features[2], clinic.evidence.features[3]}, 1);
  std::vector<std::int64_t> from_whom, to_whom;
  for (const auto& [i, j] : clinic.edges) {
    from_whom.insert(from_whom.end(), {i, j});
    to_whom.insert(to_whom.end(), {j, i});
  }
  const Tensor sums = index_add(zeros(own.shape()), 0, from(to_whom), data::take_rows(own, from_whom));
  const Tensor count =
      index_add(zeros({own.size(0), 1}), 0, from(to_whom), ones({static_cast<std::int64_t>(to_whom.size()), 1}));
  return sums / clamp(count, 1, 1e9);
}

/// Simulated patients, parted into some to learn from and others to be judged on. Those found alike are a fifth
/// modality, "alike".
struct Patients {
  data::Clinic clinic;
  data::Modalities evidence;
  Rows train, test;
  Patients(std::int64_t seen, std::int64_t unseen, std::uint64_t seed)
      : clinic(data::simulate_clinic({.patients = seen + unseen, .seed = seed})) {
    Names names = clinic.evidence.names;
    std::vector<Tensor> features = clinic.evidence.features;
    names.emplace_back("alike"), features.push_back(found_alike(clinic));
    evidence = data::Modalities::complete(names, features);
    for (std::int64_t i = 0; i < seen + unseen; ++i) (i < seen ? train : test).push_back(i);
  }
  Tensor target(const Rows& rows) const { return data::take_rows(from(clinic.diagnosis), rows); }
};

/// A nodule has no up and no left: each batch of pictures is shown flipped or turned in one of eight ways.
inline data::Modalities turned(data::Modalities x, Generator& g) {
  for (std::size_t m = 0; m < x.names.size(); ++m) {
    if (x.names[m] != "image") continue;
    Tensor& pictures = x.features[m];  // (B, 1, 16, 16)
    if (g.below(2) == 1) pictures = flip(pictures, {2});
    if (g.below(2) == 1) pictures = flip(pictures, {3});
    if (g.below(2) == 1) pictures = contiguous(transpose(pictures, 2, 3));
  }
  return x;
}

/// Any network from these modalities, each of which is taken away from a training row with chance `gaps`. Its weights
/// are averaged over the last steps, which costs nothing and steadies it.
inline fusion::Classifier trained(const Patients& p, const Names& names, const std::string& method, int epochs,
                                  std::uint64_t seed, bool context = false, double gaps = 0) {
  manual_seed(seed);
  fusion::ClassifierOptions options{
      .names = names, .fusion = method, .dropout = 0.3, .method = {.width = 32, .context = context}};
  for (const std::string& name : names) options.encoders.push_back(clinic_encoder(name));
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 3e-3, .weight_decay = 0.1});
  data::Loader loader(p.evidence.select(names).rows(p.train), p.target(p.train), {.batch_size = 64, .seed = seed});
  optim::Scheduler schedule(
      optimizer,
      optim::OneCycleLr{.max_lr = 3e-3, .total_steps = epochs * loader.steps() + 1, .cycle_momentum = false});
  optim::ModelAverage<fusion::Classifier> average(net, {.decay = 0.99});
  Generator random{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [x, y] : loader) {
      net.loss(net(turned(gaps > 0 ? fusion::drop_modalities(x, gaps, random) : x, random)), y).backward();
      optim::clip_gradient_norm(parameters(net), 1);
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      average.update(net);
    }
  eval(average.model);
  return average.model;
}

inline fusion::Output answers(const fusion::Classifier& net, const Patients& p, const Names& names) {
  const NoGrad off;
  return net(p.evidence.select(names).rows(p.test));
}
inline double accuracy(const fusion::Output& out, const Tensor& target) {
  return mean(to(eq(argmax(out.logits, 1), target), DType::float32)).item();
}

/// Pearson's correlation of two tensors of one shape.
inline double correlation(const Tensor& a, const Tensor& b) {
  const Tensor x = to(a, DType::float64) - mean(to(a, DType::float64));
  const Tensor y = to(b, DType::float64) - mean(to(b, DType::float64));
  return (sum(x * y) / sqrt(sum(x * x) * sum(y * y))).item();
}

/// "0.853 (0.851 to 0.856)": the mean over seeds with its 95 % interval; the mean alone of one seed.
inline std::string with_interval(const std::vector<double>& values, int digits = 3) {
  const data::Interval i = data::mean_interval(values);
  if (values.size() < 2) return show::fixed(i.estimate, digits);
  return show::fixed(i.estimate, digits) + " (" + show::fixed(i.low, digits) + " to " + show::fixed(i.high, digits) +
         ")";
}
