#pragma once
#include <cstdint>
#include <memory>

#include <weft/tensor/tensor.h>

/// Which rows belong together: entries sorted into segments, edges sorted by where they lead and where they come from.
/// Sorted once when made; copies share what was sorted.
namespace weft {

/// K entries in `count` segments: entry k belongs to segment index[k].
class Segments {
 public:
  /// index (K,) int64 (or int32), each from 0 to count - 1, in any order; count -1: as many as the largest needs.
  /// Throws ShapeError for another rank, DtypeError for another type, ConfigError for an index out of range or a
  /// count beyond 2^36.
  explicit Segments(const Tensor& index, std::int64_t count = -1);

  std::int64_t count() const noexcept { return count_; }
  std::int64_t entries() const { return index_.numel(); }
  const Tensor& index() const noexcept { return index_; }      ///< (K,) the segment of each entry
  const Tensor& order() const noexcept { return order_; }      ///< (K,) the entries, segment by segment, as they came
  const Tensor& offsets() const noexcept { return offsets_; }  ///< (count + 1,) where each segment begins in order()
  /// (count,) how many entries each segment has.
  Tensor sizes(DType dtype = DType::int64) const;

 private:
  Tensor index_, order_, offsets_;
  std::int64_t count_;
};

/// Directed edges from source nodes to target nodes, sorted by targets for sums over what arrives and by sources for
/// the way back.
class EdgeIndex {
 public:
  /// edge_index (2, E) int64 (or int32): the sources in row 0, the targets in row 1; repeated edges count each time.
  /// Throws ShapeError for another shape, DtypeError for another type, ConfigError for a node out of range.
  EdgeIndex(const Tensor& edge_index, std::int64_t sources, std::int64_t targets);

  std::int64_t edges() const { return by_target().entries(); }
  const Segments& by_source() const { return turned_ ? state_->target.segments : state_->source.segments; }
  const Segments& by_target() const { return turned_ ? state_->source.segments : state_->target.segments; }
  /// (E,) the sources of the edges in by_target().order().
  const Tensor& neighbours() const { return turned_ ? state_->source.neighbours : state_->target.neighbours; }
  /// The same edges from targets to sources; nothing is sorted anew.
  EdgeIndex transposed() const;

 private:
  struct Side {
    Segments segments;
    Tensor neighbours;
  };
  struct State {
    Side source, target;
  };
  std::shared_ptr<const State> state_;
  bool turned_ = false;
};

namespace kernels {

// float types; each segment is handled by one thread in the order of its entries, so results do not depend on how many
// threads there are.

/// x (K, ...) -> (count, ...): the sum of each segment's rows, 0 without any.
Tensor segment_sum(const Tensor& x, const Segments& segments);
/// The same with the largest number; NaN if there is one.
Tensor segment_max(const Tensor& x, const Segments& segments);
/// x (sources, ...) -> (targets, ...): y_i = sum of weight_e x_j over the edges e from j to i. weight (E,), or (E, H)
/// with x (sources, H, ...), of x's type.
Tensor neighbour_sum(const EdgeIndex& edges, const Tensor& x, const Tensor& weight);
/// a (targets, H, ...), b (sources, H, ...) -> (E, H): the inner products at both ends of each edge.
Tensor edge_dot(const EdgeIndex& edges, const Tensor& a, const Tensor& b, std::int64_t heads);

}  // namespace kernels
}  // namespace weft
