#include <memory>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/optim/optimizer.h>

#include "case.h"

using namespace weft;

namespace bench {
namespace {

Sequential mlp(const std::vector<std::int64_t>& widths) {
  Sequential net;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    net.add(Linear(widths[i], widths[i + 1]));
    if (i + 2 < widths.size()) net.add(ReLU());
  }
  return net;
}

using MakeOptimizer = std::function<std::unique_ptr<optim::Optimizer>(std::vector<Tensor>)>;

Built training(const std::vector<std::int64_t>& widths, std::int64_t batch, const MakeOptimizer& make) {
  manual_seed(0);
  struct Data {
    Sequential net;
    Tensor x, target;
    std::unique_ptr<optim::Optimizer> optimizer;
  };
  auto d = std::make_shared<Data>();
  d->net = mlp(widths);
  d->x = randn({batch, widths.front()});
  d->target = randint(0, widths.back(), {batch});
  d->optimizer = make(parameters(d->net));
  return {[d] {
    d->optimizer->zero_grad();
    cross_entropy(d->net(d->x), d->target).backward();
    d->optimizer->step();
  }};
}

Built inference(const std::vector<std::int64_t>& widths, std::int64_t batch) {
  manual_seed(0);
  auto net = std::make_shared<Sequential>(mlp(widths));
  eval(*net);
  const Tensor x = randn({batch, widths.front()});
  return {[net, x] {
    const NoGrad off;
    (*net)(x);
  }};
}

}  // namespace

void add_mlp_cases(std::vector<Case>& cases) {
  const std::vector<std::int64_t> large{784, 512, 512, 10}, small{16, 32, 2};
  const MakeOptimizer adam = [](std::vector<Tensor> p) {
    return std::make_unique<optim::Adam>(std::move(p), optim::AdamOptions{.lr = 1e-3});
  };
  const MakeOptimizer sgd = [](std::vector<Tensor> p) {
    return std::make_unique<optim::Sgd>(std::move(p), optim::SgdOptions{.lr = 1e-2});
  };
  for (const std::int64_t b : {64, 512}) {
    cases.push_back({"mlp784_train_b" + std::to_string(b), [=] { return training(large, b, adam); }});
    cases.push_back({"mlp784_infer_b" + std::to_string(b), [=] { return inference(large, b); }});
  }
  cases.push_back({"tinymlp_train_b32", [=] { return training(small, 32, sgd); }});
  cases.push_back({"tinymlp_infer_b32", [=] { return inference(small, 32); }});
  for (const std::int64_t b : {1, 32})
    cases.push_back({"mlp784_infer_b" + std::to_string(b), [=] { return inference(large, b); }});
}

}  // namespace bench
