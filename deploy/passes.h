#pragma once
#include <weft/deploy/arranged.h>
#include <weft/deploy/graph.h>

/// Rewritings of a graph. Each keeps what it computes, up to rounding.
namespace weft::deploy {

/// Drops steps whose results nobody uses.
void drop_dead(Graph& graph);
/// linear, matmul and convolution with constant weights: weights arranged once, together with those of a batch norm
/// behind; a bias, a sum with another tensor and an activation that follow are computed where the result is written.
void pack_weights(Graph& graph, Arranged& arranged);
/// Recurrent layers over sequences of one length: weights arranged once.
void pack_recurrent(Graph& graph, Arranged& arranged);
/// Elementwise operations that follow each other become one that runs tile by tile in cache.
void fuse_elementwise(Graph& graph);

}  // namespace weft::deploy
