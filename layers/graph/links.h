#pragma once
#include <weft/tensor/tensor.h>

/// Link prediction: how likely is an edge between two nodes, from what an encoder made of them.
namespace weft {

/// The inner products z_i z_j of pairs of nodes: z (N, D), pairs (2, P) int64 -> (P,), logits of an edge. Throws
/// ShapeError for other shapes, ConfigError for a node out of range. Kipf and Welling (2016), graph autoencoders.
Tensor link_logits(const Tensor& z, const Tensor& pairs);
/// The mean of -log s(logit) over the pairs that are edges, plus that of -log(1 - s(logit)) over those that are not,
/// s the sigmoid. Throws as link_logits, and ShapeError where one of the two is empty.
Tensor link_loss(const Tensor& z, const Tensor& edges, const Tensor& negatives);

}  // namespace weft
