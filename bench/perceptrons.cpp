#include <cstdint>

#include <weft/layers/basic.h>
#include <weft/tensor/random.h>

#include "training.h"

using namespace weft;

namespace bench {
namespace {

using Widths = std::vector<std::int64_t>;

Sequential perceptron(const Widths& widths) {
  Sequential net;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    net.add(Linear(widths[i], widths[i + 1]));
    if (i + 2 < widths.size()) net.add(ReLU());
  }
  return net;
}

template <class Optimizer>
void add_training(Cases& cases, const std::string& name, const Widths& widths, std::int64_t batch,
                  const typename Optimizer::Options& options) {
  cases.push_back({name + "_train_b" + std::to_string(batch), [=] {
                     return classification<Optimizer>(perceptron(widths), options, randint(0, widths.back(), {batch}),
                                                      randn({batch, widths.front()}));
                   }});
}

void add_inference(Cases& cases, const std::string& name, const Widths& widths, std::int64_t batch) {
  cases.push_back({name + "_infer_b" + std::to_string(batch), [=] {
                     return inference(perceptron(widths), randn({batch, widths.front()}));
                   }});
}

}  // namespace

void add_perceptrons(Cases& cases) {
  const Widths large{784, 512, 512, 10}, small{16, 32, 2};
  for (const std::int64_t batch : {64, 512}) {
    add_training<optim::Adam>(cases, "mlp784", large, batch, {.lr = 1e-3});
    add_inference(cases, "mlp784", large, batch);
  }
  add_training<optim::Sgd>(cases, "tinymlp", small, 32, {.lr = 1e-2});
  add_inference(cases, "tinymlp", small, 32);
  add_inference(cases, "mlp784", large, 1);
  add_inference(cases, "mlp784", large, 32);
  for (const std::int64_t batch : {1, 16, 128}) add_inference(cases, "linear1024", {1024, 1024}, batch);
  cases.push_back({"relu16_infer_b1", [] { return inference(ReLU(), randn({1, 16})); }});
}

}  // namespace bench
