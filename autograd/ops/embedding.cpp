#include <weft/autograd/ops/embedding.h>

#include <algorithm>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

/// The ids of all bags in one line, and for each the number of its bag.
struct Bags {
  Tensor ids, bag, weights;
  std::int64_t count = 0;
};

/// Throws ConfigError at the first id that is not a row of the table: unlike an index, one below 0 is a mistake, not
/// counted from the end.
void check_ids(const char* op, const Tensor& ids, std::int64_t rows) {
  const Tensor dense = kernels::contiguous(ids);
  const std::int64_t* v = dense.data<std::int64_t>();
  for (std::int64_t i = 0; i < dense.numel(); ++i)
    if (v[i] < 0 || v[i] >= rows)
      throw ConfigError(text(op, ": id ", v[i], " at position ", i, " is not a row of a table of ", rows,
                             "\n  help: use ids from 0 to ", rows - 1));
}

/// Checks where the bags begin; for each of n ids the number of its bag.
std::vector<std::int64_t> bags_of(const Tensor& offsets, std::int64_t n, bool last_is_end) {
  if (offsets.dim() != 1) throw ShapeError(text("embedding_bag: the offsets are ", offsets.shape(), ", not (B,)"));
  std::vector<std::int64_t> starts = to_vector<std::int64_t>(detail::as_index("embedding_bag", offsets));
  if (last_is_end && starts.empty()) throw ConfigError("embedding_bag: there is no last offset to end the last bag");
  if (!last_is_end) starts.push_back(n);
  if (starts.front() != 0) throw ConfigError(text("embedding_bag: the first offset is ", starts.front(), ", not 0"));
  std::vector<std::int64_t> bag;
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    if (starts[b + 1] < starts[b] || starts[b + 1] > n)
      throw ConfigError(
          text("embedding_bag: bag ", b, " lasts from ", starts[b], " to ", starts[b + 1], " of ", n, " ids"));
    bag.resize(static_cast<std::size_t>(starts[b + 1]), static_cast<std::int64_t>(b));
  }
  return bag;
}

Bags bags(const Tensor& numbers, std::int64_t rows, const EmbeddingBagOptions& o) {
  const Tensor ids = detail::as_index("embedding_bag", numbers);
  Bags b{.ids = reshape(ids, {ids.numel()}), .bag = Tensor(), .weights = Tensor()};
  if (ids.dim() == 2 && !o.offsets.defined()) {
    b.count = ids.shape()[0];
    b.bag = reshape(expand(unsqueeze(arange(0, static_cast<double>(b.count), 1, DType::int64), 1), ids.shape()), {-1});
  } else if (ids.dim() == 1 && o.offsets.defined()) {
    const std::vector<std::int64_t> bag = bags_of(o.offsets, ids.numel(), o.include_last_offset);
    b.count = o.offsets.numel() - (o.include_last_offset ? 1 : 0);
    b.bag = from(bag, {static_cast<std::int64_t>(bag.size())});
    b.ids = slice(b.ids, 0, 0, b.bag.numel());  // ids after the last bag belong to none
  } else {
    throw ShapeError(text("embedding_bag: the ids are ", ids.shape(), o.offsets.defined() ? " with" : " without",
                          " offsets\n  help: pass (B, L) without or (N,) with offsets"));
  }
  if (o.weights.defined()) {
    if (o.mode != BagMode::sum)
      throw ConfigError("embedding_bag: weights go with the sum only\n  help: set mode = BagMode::sum");
    if (!(o.weights.shape() == ids.shape()))
      throw ShapeError(text("embedding_bag: the ids are ", ids.shape(), ", their weights ", o.weights.shape()));
    b.weights = slice(reshape(o.weights, {ids.numel()}), 0, 0, b.ids.numel());
  }
  check_ids("embedding_bag", b.ids, rows);
  if (o.padding >= 0) {
    const Tensor kept = nonzero(ne(b.ids, o.padding));
    b.ids = index_select(b.ids, 0, kept);
    b.bag = index_select(b.bag, 0, kept);
    if (b.weights.defined()) b.weights = index_select(b.weights, 0, kept);
  }
  return b;
}

/// The largest number per bag and column: which row has it is settled first, so that picking it is all there is to
/// differentiate.
Tensor largest(const Tensor& rows, const Bags& b) {
  const std::int64_t width = rows.shape()[1];
  const std::vector<std::int64_t> bag = to_vector<std::int64_t>(b.bag);
  const Tensor numbers = kernels::contiguous(to(detach(rows), DType::float64));
  const double* x = numbers.data<double>();
  std::vector<std::int64_t> places(static_cast<std::size_t>(b.count * width), -1);
  for (std::size_t i = 0; i < bag.size(); ++i)
    for (std::int64_t j = 0; j < width; ++j) {
      std::int64_t& best = places[static_cast<std::size_t>(bag[i] * width + j)];
      const double v = x[static_cast<std::int64_t>(i) * width + j];
      if (best < 0 || v > x[best * width + j] || (v != v && x[best * width + j] == x[best * width + j]))
        best = static_cast<std::int64_t>(i);
    }
  const Tensor picked = from(places, {b.count, width});
  if (rows.shape()[0] == 0) return zeros({b.count, width}, rows.dtype());
  const Tensor y = gather(rows, 0, kernels::binary(kernels::Binary::maximum, picked, Scalar(0)));
  return where(ge(picked, 0), y, detail::zero_of(y));
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& numbers, std::int64_t padding) {
  if (weight.dim() != 2)
    throw ShapeError(text("embedding: the table is ", weight.shape(), ", not (entries, features)"));
  const Tensor ids = detail::as_index("embedding", numbers);
  const std::int64_t rows = weight.shape()[0], width = weight.shape()[1];
  if (padding < -1 || padding >= rows)
    throw ConfigError(text("embedding: padding ", padding, " is not a row of a table of ", rows));
  Shape shape = ids.shape();
  shape.push_back(width);
  const Tensor flat = reshape(ids, {ids.numel()});
  return record(
      {"embedding", {{"padding_idx", padding}}, saves::input(1)}, {weight, flat},
      [=](const Inputs& in) {
        check_ids("embedding", in[1], rows);
        return reshape(kernels::index_select(in[0], 0, in[1]), shape);
      },
      [=](const Saved& s, const Tensor& dy) {
        Tensor rows_dy = reshape(dy, {s.input(1).numel(), width});
        if (padding >= 0) rows_dy = where(unsqueeze(ne(s.input(1), padding), 1), rows_dy, detail::zero_of(dy));
        return gradients(index_add(zeros({rows, width}, dy.dtype()), 0, s.input(1), rows_dy));
      });
}

Tensor embedding_bag(const Tensor& weight, const Tensor& ids, const EmbeddingBagOptions& options) {
  if (weight.dim() != 2)
    throw ShapeError(text("embedding_bag: the table is ", weight.shape(), ", not (entries, features)"));
  if (options.padding < -1 || options.padding >= weight.shape()[0])
    throw ConfigError(
        text("embedding_bag: padding ", options.padding, " is not a row of a table of ", weight.shape()[0]));
  const Bags b = bags(ids, weight.shape()[0], options);
  Tensor rows = embedding(weight, b.ids);  // (N, D)
  if (options.mode == BagMode::max) return largest(rows, b);
  if (b.weights.defined()) rows = rows * unsqueeze(to(b.weights, rows.dtype()), 1);
  const Tensor sums = index_add(zeros({b.count, weight.shape()[1]}, rows.dtype()), 0, b.bag, rows);
  if (options.mode == BagMode::sum) return sums;
  std::vector<double> sizes(static_cast<std::size_t>(b.count), 0.0);
  for (const std::int64_t bag : to_vector<std::int64_t>(b.bag)) sizes[static_cast<std::size_t>(bag)] += 1;
  for (double& n : sizes) n = std::max(n, 1.0);  // an empty bag is 0
  return sums / to(from(sizes, {b.count, 1}), rows.dtype());
}

Tensor one_hot(const Tensor& numbers, std::int64_t classes) {
  const Tensor ids = detail::as_index("one_hot", numbers);
  if (classes < 0) {
    if (ids.numel() == 0)
      throw ConfigError("one_hot: no ids to count the classes by\n  help: pass the number of classes");
    const double last = amax(ids).item();
    classes = last < 0x1p48 ? static_cast<std::int64_t>(last) + 1 : std::int64_t{1} << 48;
  }
  // Checked before the classes are laid out one by one; the result itself is the allocator's to refuse.
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (classes >= most) throw ConfigError(text("one_hot: ", classes, " classes are more than ", most - 1));
  const Tensor inside = kernels::reduce(kernels::Reduce::all, logical_and(ge(ids, 0), lt(ids, classes)), {}, false);
  if (inside.item() == 0) {
    for (const std::int64_t id : to_vector<std::int64_t>(ids))
      if (id < 0 || id >= classes) throw ConfigError(text("one_hot: class ", id, " is not among ", classes));
  }
  return to(eq(unsqueeze(ids, -1), arange(0, static_cast<double>(classes))), DType::int64);
}

}  // namespace weft
