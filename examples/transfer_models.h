#pragma once
#include <weft/weft.h>

// The views of examples/transfer.cpp, and how a classifier learns from them.

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;
inline const std::vector<std::string> views = {"x1_pix_240", "x2_fou_76", "x3_fac_216",
                                               "x4_zer_47",  "x5_kar_64", "x6_mor_6"};
inline const std::vector<std::string> weak = {"x4_zer_47"};

inline fusion::Classifier made(const data::Modalities& x, std::int64_t classes) {
  fusion::ClassifierOptions options{
      .names = x.names, .fusion = "mean", .classes = classes, .dropout = 0.2, .method = {.width = 128}};
  for (const Tensor& f : x.features)
    options.encoders.push_back({"mlp", {.in_features = f.size(1), .hidden = {64}, .dropout = 0.2}});
  return fusion::Classifier(options);
}

/// `loss` gives that of a batch, by the numbers of its rows.
template <class Loss>
void learn(fusion::Classifier& net, const data::Modalities& x, int steps, std::uint64_t seed, Loss&& loss) {
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.02});
  data::Loader loader(x, arange(0, static_cast<double>(x.batch())), {.batch_size = 64, .seed = seed});
  for (int step = 0; step < steps;)
    for (auto& [batch, rows] : loader) {
      loss(net(batch), to(rows, DType::int64)).backward();
      optimizer.step();
      optimizer.zero_grad();
      if (++step == steps) break;
    }
  eval(net);
}

inline double accuracy(const Tensor& logits, const Tensor& y) {
  return mean(to(eq(argmax(logits, 1), y), DType::float32)).item();
}
inline std::string shown(const Reals& values) {
  const data::Interval i = data::mean_interval(values);
  return show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")";
}
