#include <weft/data/nearest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <weft/data/signal.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

namespace weft::data {
namespace {

using Int = std::int64_t;

struct Found {
  double distance;
  Int row;
  bool operator<(const Found& other) const {
    return distance != other.distance ? distance < other.distance : row < other.row;
  }
};

/// A table in double precision, with |a|^2 of each row.
struct Points {
  Tensor x;
  std::vector<double> squares;
  Points(const char* op, const char* what, const Tensor& given) {
    if (given.dim() != 2) throw ShapeError(text(op, ": ", what, " ", given.shape(), " are not (rows, features)"));
    if (!is_floating(given.dtype())) throw DtypeError(text(op, ": ", what, " are ", given.dtype(), ", not floating"));
    check_finite(text(op, ": ", what), given);
    x = kernels::contiguous(kernels::cast(given, DType::float64));
    for (Int i = 0; i < count(); ++i) {
      double sum = 0;
      for (Int j = 0; j < width(); ++j) sum += row(i)[j] * row(i)[j];
      squares.push_back(sum);
    }
  }
  Int count() const { return x.size(0); }
  Int width() const { return x.size(1); }
  const double* row(Int i) const { return x.data<double>() + i * width(); }
  double square(Int i) const { return squares[static_cast<std::size_t>(i)]; }
  Tensor block(Int begin, Int n) const { return view_as(x, {n, width()}, {width(), 1}, begin * width()); }
};

/// The squared length of a - b, or the cosine distance, from the product a b.
double from_product(Closeness closeness, double product, double square_a, double square_b) {
  if (closeness == Closeness::euclidean) return square_a + square_b - 2 * product;
  const double lengths = std::sqrt(square_a) * std::sqrt(square_b);
  return lengths > 0 ? 1 - product / lengths : 1;
}

/// The same from the rows themselves: differences that are small beside the rows keep their digits, and equal rows are
/// equally far.
double direct(Closeness closeness, const double* a, const double* b, Int width, double square_a, double square_b) {
  double sum = 0;
  if (closeness == Closeness::euclidean) {
    for (Int j = 0; j < width; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
  }
  for (Int j = 0; j < width; ++j) sum += a[j] * b[j];
  return from_product(closeness, sum, square_a, square_b);
}

/// The nearest so far by the rounded distances of a block product, and a few more: whoever could be among the k nearest
/// once distances are computed row by row.
class Candidates {
 public:
  explicit Candidates(Int k) : k_(static_cast<std::size_t>(k)), limit_(2 * k_ + 64) {}
  void offer(double distance, Int row, double rounding) {
    if (distance > bound_) return;
    kept_.push_back({distance, row});
    if (kept_.size() < limit_) return;
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(kept_.begin(), last, kept_.end());
    bound_ = last->distance + 2 * rounding;
    std::erase_if(kept_, [this](const Found& f) { return f.distance > bound_; });
    limit_ = std::max(limit_, 2 * kept_.size());  // of equals more may have to stay
  }
  std::vector<Found>& kept() { return kept_; }

 private:
  std::size_t k_, limit_;
  double bound_ = std::numeric_limits<double>::infinity();
  std::vector<Found> kept_;
};

Nearest search(const char* op, const Points& queries, const Points& rows, Int k, Closeness closeness, bool others) {
  const Int n = rows.count(), width = rows.width(), most = others ? n - 1 : n;
  if (queries.width() != width)
    throw ShapeError(text(op, ": queries ", queries.x.shape(), " and rows ", rows.x.shape(), " differ in width"));
  if (k < 1 || k > most) throw ConfigError(text(op, ": the ", k, " nearest of ", most, " rows"));
  Nearest out{empty({queries.count(), k}, DType::int64), empty({queries.count(), k}, DType::float64)};
  Int* index = out.index.mutable_data<Int>();
  double* distance = out.distance.mutable_data<double>();
  const double largest = n > 0 ? *std::max_element(rows.squares.begin(), rows.squares.end()) : 0;
  constexpr Int height = 128, breadth = 4096;
  for (Int q = 0; q < queries.count(); q += height) {
    const Int some = std::min(height, queries.count() - q);
    std::vector<Candidates> candidates(static_cast<std::size_t>(some), Candidates(k));
    const auto each = [&](auto&& body) {
      parallel_for(some, 1, [&](Int first, Int last) {
        for (Int i = first; i < last; ++i) body(i, candidates[static_cast<std::size_t>(i)]);
      });
    };
    for (Int r = 0; r < n; r += breadth) {
      const Int wide = std::min(breadth, n - r);
      const Tensor block = rows.block(r, wide);
      const Tensor products = kernels::matmul(queries.block(q, some), view_as(block, {width, wide}, {1, width}));
      const double* p = products.data<double>();
      each([&](Int i, Candidates& c) {
        const double own = queries.square(q + i);
        // A bound for the rounding of a sum of `width` products, both ways.
        const double scale = closeness == Closeness::euclidean ? own + largest : 1;
        const double rounding = 4 * static_cast<double>(width + 4) * std::numeric_limits<double>::epsilon() * scale;
        for (Int j = 0; j < wide; ++j)
          if (!others || r + j != q + i)
            c.offer(from_product(closeness, p[i * wide + j], own, rows.square(r + j)), r + j, rounding);
      });
    }
    each([&](Int i, Candidates& c) {
      const double own = queries.square(q + i);
      for (Found& f : c.kept())
        f.distance = direct(closeness, queries.row(q + i), rows.row(f.row), width, own, rows.square(f.row));
      std::partial_sort(c.kept().begin(), c.kept().begin() + k, c.kept().end());
      for (Int j = 0; j < k; ++j) {
        const Found& f = c.kept()[static_cast<std::size_t>(j)];
        index[(q + i) * k + j] = f.row;
        distance[(q + i) * k + j] = closeness == Closeness::euclidean ? std::sqrt(f.distance) : f.distance;
      }
    });
  }
  return out;
}

}  // namespace

Nearest nearest_rows(const Tensor& queries, const Tensor& rows, Int k, Closeness closeness) {
  constexpr const char* op = "nearest_rows";
  return search(op, Points(op, "queries", queries), Points(op, "rows", rows), k, closeness, false);
}

Nearest nearest_others(const Tensor& x, Int k, Closeness closeness) {
  constexpr const char* op = "nearest_others";
  const Points table(op, "rows", x);
  return search(op, table, table, k, closeness, true);
}

Tensor knn_graph(const Tensor& x, Int k, Closeness closeness) {
  const Tensor nearest = nearest_others(x, k, closeness).index;
  const Int n = nearest.numel(), *from = nearest.data<Int>();
  Tensor edges = empty({2, n}, DType::int64);
  Int* to = edges.mutable_data<Int>();
  for (Int e = 0; e < n; ++e) to[e] = from[e], to[n + e] = e / k;
  return edges;
}

}  // namespace weft::data
