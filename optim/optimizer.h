#pragma once
/// Every optimiser: hand it the parameters once, then per step zero_grad(), backward(), step():
///
///   optim::Adam optimizer(parameters(net), {.lr = 1e-3});
///   optimizer.zero_grad();
///   loss.backward();
///   optimizer.step();
///
/// Gradients add up until zero_grad(), so a batch too large for the memory can go in k parts of equal size, each
/// weighted by 1 / k, before one step:
///
///   optimizer.zero_grad();
///   for (const auto& [x, y] : parts) (cross_entropy(net(x), y) / k).backward();
///   optimizer.step();
///
/// Groups of parameters with their own options:
///
///   optim::AdamW optimizer(weights, {.lr = 1e-3, .weight_decay = 0.1});
///   optimizer.add_group(biases, {.lr = 1e-3, .weight_decay = 0});
#include <weft/optim/adam.h>
#include <weft/optim/adaptive.h>
#include <weft/optim/base.h>
#include <weft/optim/lbfgs.h>
#include <weft/optim/sgd.h>
