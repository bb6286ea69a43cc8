#pragma once
#include <memory>
#include <utility>
#include <vector>

#include <weft/autograd/autocast.h>
#include <weft/autograd/grad.h>
#include <weft/autograd/ops/loss.h>
#include <weft/deploy/compile.h>
#include <weft/layers/module.h>
#include <weft/optim/optimizer.h>

#include "case.h"

/// What one run of a model is: a step of its training, or its use.
namespace bench {

/// One step: gradients dropped, loss(net), backward, the optimiser's step.
template <class Optimizer, class Net, class Loss>
Built training(Net net, const typename Optimizer::Options& options, Loss loss) {
  struct Job {
    Net net;
    Loss loss;
    Optimizer optimizer;
    Job(Net n, Loss l, const typename Optimizer::Options& o)
        : net(std::move(n)), loss(std::move(l)), optimizer(weft::parameters(net), o) {}
  };
  weft::train(net);
  const auto job = std::make_shared<Job>(std::move(net), std::move(loss), options);
  return {[job] {
    job->optimizer.zero_grad();
    job->loss(job->net).backward();
    job->optimizer.step();
  }};
}

/// One step of learning to tell the classes `target` (B,) by the inputs x...
template <class Optimizer, class Net, class... X>
Built classification(Net net, const typename Optimizer::Options& options, const weft::Tensor& target, const X&... x) {
  return training<Optimizer>(std::move(net), options,
                             [=](const Net& n) { return weft::cross_entropy(n(x...), target); });
}

/// The same with products in bfloat16.
template <class Optimizer, class Net, class... X>
Built classification_in_bfloat16(Net net, const typename Optimizer::Options& options, const weft::Tensor& target,
                                 const X&... x) {
  return training<Optimizer>(std::move(net), options, [=](const Net& n) {
    const weft::Autocast scope(weft::DType::bfloat16);
    return weft::cross_entropy(n(x...), target);
  });
}

/// net(x...) without gradients.
template <class Net, class... X>
Built inference(Net net, const X&... x) {
  weft::eval(net);
  if (compiled) {
    const std::vector<weft::Tensor> inputs{x...};
    const auto function = [net]<std::size_t... i>(std::index_sequence<i...>) {
      return [net](const std::vector<weft::Tensor>& in) { return std::vector<weft::Tensor>{net(in[i]...)}; };
    };
    const auto program = weft::deploy::compile(function(std::index_sequence_for<X...>()), inputs);
    return {[=] { program.run(inputs); }};
  }
  return {[=] {
    const weft::NoGrad off;
    net(x...);
  }};
}

/// The same case with the floating-point operations of one run.
inline Built counted(Built built, double flops) {
  built.flops = flops;
  return built;
}

}  // namespace bench
