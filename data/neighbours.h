#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/tensor/random.h>
#include <weft/tensor/sparse.h>

/// Small parts of a graph that does not fit: around some seed nodes a few random neighbours, and a few of theirs.
namespace weft::data {

/// What a batch of seed nodes needs. Nodes are numbered anew, in the order in which they were met: first the seeds,
/// then the neighbours of hop 1, and so on; so are edges.
struct NeighbourSample {
  Tensor nodes;                            ///< (n,) int64: which nodes of the whole graph these are, the seeds first
  Tensor edge_index;                       ///< (2, e) int64 in the new numbers
  Tensor edges;                            ///< (e,) int64: their places in the whole graph's edge_index
  std::vector<std::int64_t> nodes_within;  ///< [h]: nodes at most h hops from a seed; [0] is the number of seeds
  std::vector<std::int64_t> edges_within;  ///< [h]: edges that lead to one of the first nodes_within[h - 1]; [0] is 0

  std::int64_t seeds() const { return nodes_within.front(); }
  std::int64_t hops() const { return static_cast<std::int64_t>(nodes_within.size()) - 1; }
  /// The edges that layer `layer` of hops() needs, counted from 0 at the features: from the first nodes to the fewer
  /// first nodes that the later layers look at, so that nothing is computed in vain. Throws ConfigError for a layer
  /// that there is not.
  EdgeIndex block(std::int64_t layer) const;
};

/// Draws neighbours along edges backwards (who sends messages to a node), hop by hop. Each node is asked for its
/// neighbours once, when it is first met, and its edges serve all layers behind. What a node draws is a pure function
/// of the generator and the node's place in the sample: the same for any number of threads. Hamilton et al. (2017).
///
/// Thread safety: one sample() at a time. Copies share nothing.
class NeighbourSampler {
 public:
  /// Edges (2, E) of a graph of `nodes` nodes, sorted here once: takes 16 (E + N) bytes. fanouts[h] is how many
  /// different incoming edges each node of hop h draws, all when it has no more, or when the fan-out is -1. Throws as
  /// EdgeIndex does; ConfigError for a graph without nodes, no fan-outs, and one that is neither positive nor -1.
  NeighbourSampler(const Tensor& edge_index, std::int64_t nodes, std::vector<std::int64_t> fanouts);

  /// seeds (B,) int64, all different. Throws ShapeError for another shape or no seeds, DtypeError for another type,
  /// ConfigError for a node out of range and for one that is there twice.
  NeighbourSample sample(const Tensor& seeds, Generator& generator);

  std::int64_t nodes() const noexcept { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  std::int64_t edges() const noexcept { return static_cast<std::int64_t>(sources_.size()); }

 private:
  struct Hop;
  void draw(std::span<const std::int64_t> targets, std::int64_t fanout, Generator& generator, Hop& hop) const;

  std::vector<std::int64_t> offsets_;         // where the incoming edges of each node begin
  std::vector<std::int64_t> sources_, edge_;  // of each: where it comes from, and its place in edge_index
  std::vector<std::int64_t> fanouts_;
  std::vector<std::int64_t> number_;  // of the nodes in the sample that is being made; -1 elsewhere
};

}  // namespace weft::data
