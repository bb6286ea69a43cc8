#include <weft/tensor/sparse.h>

#include <algorithm>

#include <weft/tensor/dispatch.h>

namespace weft {
namespace {

using Int = std::int64_t;

Int* numbers(const Tensor& x) { return static_cast<Int*>(x.body().data); }

/// Row-major int64; what has no entries may have any type.
Tensor as_index(const char* what, const Tensor& index) {
  if (index.dtype() != DType::int64 && index.dtype() != DType::int32 && index.numel() != 0)
    throw DtypeError(text(what, ": the index is ", index.dtype(), "\n  help: convert it with to(index, DType::int64)"));
  return kernels::contiguous(kernels::cast(index, DType::int64));
}

Tensor picked(const Tensor& from, const Tensor& places) { return kernels::index_select(from, 0, places); }

}  // namespace

Segments::Segments(const Tensor& index, Int count) : count_(count) {
  if (index.dim() != 1) throw ShapeError(text("segments: the index is ", index.shape(), ", not (K,)"));
  constexpr Int most = Int{1} << 36;  // their offsets would fill half a terabyte: surely a mistake
  if (count < -1 || count > most) throw ConfigError(text("segments: a count of ", count));
  // A copy: what was sorted must stay as it is.
  index_ = kernels::copy(as_index("segments", index));
  const Int* v = numbers(index_);
  const Int n = index_.numel();
  if (count_ == -1) count_ = n ? std::clamp<Int>(*std::max_element(v, v + n), -1, most - 1) + 1 : 0;
  for (Int k = 0; k < n; ++k)
    if (v[k] < 0 || v[k] >= count_)
      throw ConfigError(text("segments: entry ", k, " belongs to segment ", v[k], " of ", count_));
  offsets_ = zeros({count_ + 1}, DType::int64);
  order_ = empty({n}, DType::int64);
  Int* offsets = numbers(offsets_);
  // Counted one place further on, then each entry moves its segment's begin up to where the next one is.
  for (Int k = 0; k < n; ++k) ++offsets[v[k] + 1];
  for (Int i = 0; i < count_; ++i) offsets[i + 1] += offsets[i];
  Int* order = numbers(order_);
  for (Int k = 0; k < n; ++k) order[offsets[v[k]]++] = k;
  std::move_backward(offsets, offsets + count_, offsets + count_ + 1);
  offsets[0] = 0;
}

Tensor Segments::sizes(DType dtype) const {
  const Tensor begin = view_as(offsets_, {count_}, {1}), end = view_as(offsets_, {count_}, {1}, 1);
  return kernels::cast(kernels::binary(kernels::Binary::sub, end, begin), dtype);
}

EdgeIndex::EdgeIndex(const Tensor& edge_index, Int sources, Int targets) {
  if (edge_index.dim() != 2 || edge_index.shape()[0] != 2)
    throw ShapeError(text("edge_index: the shape is ", edge_index.shape(),
                          ", not (2, E)\n  help: put the sources in row 0 and the targets in row 1"));
  if (sources < 0 || targets < 0)
    throw ConfigError(text("edge_index: edges from ", sources, " to ", targets, " nodes"));
  const Tensor index = as_index("edge_index", edge_index);
  const Int n = index.shape()[1];
  const Int* v = numbers(index);
  for (Int e = 0; e < n; ++e) {
    const auto check = [&](const char* end, Int node, Int nodes) {
      if (node < 0 || node >= nodes)
        throw ConfigError(text("edge_index: the ", end, " of edge ", e, " is node ", node, " of ", nodes,
                               nodes > 0 ? text("\n  help: number the nodes from 0 to ", nodes - 1) : std::string()));
    };
    check("source", v[e], sources);
    check("target", v[n + e], targets);
  }
  Segments by_source(view_as(index, {n}, {1}), sources), by_target(view_as(index, {n}, {1}, n), targets);
  Tensor to = picked(by_target.index(), by_source.order()), from = picked(by_source.index(), by_target.order());
  state_ = std::make_shared<const State>(
      State{{std::move(by_source), std::move(to)}, {std::move(by_target), std::move(from)}});
}

EdgeIndex EdgeIndex::transposed() const {
  EdgeIndex other = *this;
  other.turned_ = !turned_;
  return other;
}

namespace kernels {
namespace {

/// Row-major and of a type that is computed in.
Tensor prepared(const char* op, const Tensor& x) {
  check_floating(op, x);
  return contiguous(cast(x, native(x.dtype())));
}

Int behind(const Shape& shape, int axis) {
  Int n = 1;
  for (int i = axis; i < shape.size(); ++i) n *= shape[i];
  return n;
}

/// Calls body(first, last) for parts of the rows on all threads. The rows and their entries count as work, so that few
/// rows with many entries are shared out evenly too.
template <class Body>
void for_rows(const Segments& s, Int width, Body&& body) {
  const Int rows = s.count();
  const Int* offsets = numbers(s.offsets());
  const auto row_at = [&](Int work) {  // the first row that begins at this place or later
    Int low = 0, high = rows;
    while (low < high) {
      const Int middle = (low + high) / 2;
      if (offsets[middle] + middle < work)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  parallel_for(rows + s.entries(), grain / width + 1, [&](Int begin, Int end) {
    const Int first = row_at(begin), last = row_at(end);
    if (first < last) body(first, last);
  });
}

SparseRows rows_of(const Segments& s, const Tensor& others) {
  return {numbers(s.offsets()), numbers(others), numbers(s.order())};
}

/// (count, ...) of the type that x is computed in.
Tensor room(const Tensor& x, Int count) {
  Shape shape = x.shape();
  shape[0] = count;
  return empty(shape, x.dtype());
}

Tensor sums(const char* op, const Tensor& x, const Tensor& weight, const Segments& s, const Tensor& others) {
  const Tensor in = prepared(op, x), w = weight.defined() ? prepared(op, weight) : weight;
  Tensor y = room(in, s.count());
  if (y.numel() == 0) return cast(y, x.dtype());
  const Int heads = w.defined() ? behind(w.shape(), 1) : 1, width = behind(x.shape(), 1) / heads;
  const auto kernel = table().sparse_rows[slot(compute_of(in.dtype()))];
  for_rows(s, heads * width, [&](Int first, Int last) {
    kernel(bytes(y), bytes(in), w.defined() ? bytes(w) : nullptr, rows_of(s, others), first, last, heads, width);
  });
  return cast(y, x.dtype());
}

}  // namespace

Tensor segment_sum(const Tensor& x, const Segments& s) { return sums("segment_sum", x, Tensor(), s, s.order()); }

Tensor segment_max(const Tensor& x, const Segments& s) {
  const Tensor in = prepared("segment_max", x);
  Tensor y = room(in, s.count());
  if (y.numel() > 0) {
    const Int width = behind(x.shape(), 1);
    const auto kernel = table().sparse_max[slot(compute_of(in.dtype()))];
    for_rows(s, width,
             [&](Int first, Int last) { kernel(bytes(y), bytes(in), rows_of(s, s.order()), first, last, width); });
  }
  return cast(y, x.dtype());
}

Tensor neighbour_sum(const EdgeIndex& edges, const Tensor& x, const Tensor& weight) {
  return sums("neighbour_sum", x, weight, edges.by_target(), edges.neighbours());
}

Tensor edge_dot(const EdgeIndex& edges, const Tensor& a, const Tensor& b, Int heads) {
  const Tensor left = prepared("edge_dot", a), right = prepared("edge_dot", b);
  Tensor y = empty({edges.edges(), heads}, left.dtype());
  if (y.numel() > 0) {
    const Int width = behind(a.shape(), 1) / heads;
    const auto kernel = table().sparse_dots[slot(compute_of(left.dtype()))];
    const Int *to = numbers(edges.by_target().index()), *from = numbers(edges.by_source().index());
    parallel_for(edges.edges(), grain / (heads * width + 1) + 1, [&](Int begin, Int end) {
      kernel(bytes(y) + begin * heads * item_size(y.dtype()), bytes(left), bytes(right), to + begin, from + begin,
             end - begin, heads, width);
    });
  }
  return cast(y, a.dtype());
}

}  // namespace kernels
}  // namespace weft
