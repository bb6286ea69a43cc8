#include <cmath>
#include <limits>

#include "record.h"

namespace weft::tests {
namespace {

Segments segments_of(const Args& a) { return Segments(a.tensor("index"), a.integer("count")); }

EdgeIndex edges_of(const Args& a) { return EdgeIndex(a.tensor("edges"), a.integer("sources"), a.integer("targets")); }

Call segmented(Tensor (*f)(const Tensor&, const Segments&)) {
  return [f](const Args& a) { return f(a.tensor("input"), segments_of(a)); };
}

/// Each column of each segment through `f`, which gives as many numbers as it gets or one.
Reference by_segment(const std::function<std::vector<double>(const std::vector<double>&)>& f, bool keep) {
  return Reference([f, keep](const Args& a) -> Outputs {
    const Tensor x = a.tensor("input");
    const std::vector<double> v = to_vector<double>(x);
    const std::vector<std::int64_t> index = to_vector<std::int64_t>(a.tensor("index"));
    const auto count = static_cast<std::size_t>(a.integer("count"));
    std::size_t width = 1;
    for (int i = 1; i < x.dim(); ++i) width *= static_cast<std::size_t>(x.shape()[i]);
    std::vector<double> y(keep ? v.size() : count * width, 0);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < width; ++j) {
        std::vector<double> column;
        std::vector<std::size_t> places;
        for (std::size_t k = 0; k < index.size(); ++k) {
          if (index[k] != static_cast<std::int64_t>(i)) continue;
          column.push_back(v[k * width + j]);
          places.push_back(k * width + j);
        }
        if (column.empty()) continue;
        const std::vector<double> result = f(column);
        if (keep)
          for (std::size_t k = 0; k < places.size(); ++k) y[places[k]] = result[k];
        else
          y[i * width + j] = result[0];
      }
    Shape shape = x.shape();
    if (!keep) shape[0] = static_cast<std::int64_t>(count);
    return from(y, shape);
  });
}

double total(const std::vector<double>& column) {
  double sum = 0;
  for (const double v : column) sum += v;
  return sum;
}
double extreme(const std::vector<double>& column, double sign) {
  double best = -std::numeric_limits<double>::infinity();
  for (const double v : column) best = std::isnan(v) || std::isnan(best) ? NAN : std::max(best, sign * v);
  return sign * best;
}

/// Sums over edges one after the other: visit(e, source, target).
template <class Visit>
void each_edge(const Args& a, Visit&& visit) {
  const std::vector<std::int64_t> ends = to_vector<std::int64_t>(a.tensor("edges"));
  const std::size_t n = ends.size() / 2;
  for (std::size_t e = 0; e < n; ++e)
    visit(e, static_cast<std::size_t>(ends[e]), static_cast<std::size_t>(ends[n + e]));
}
std::size_t row_of(const Tensor& x) {
  std::size_t width = 1;
  for (int i = 1; i < x.dim(); ++i) width *= static_cast<std::size_t>(x.shape()[i]);
  return width;
}

Outputs neighbours_summed(const Args& a) {
  const Tensor x = a.tensor("input"), weight = a.tensor("weight");
  const std::vector<double> v = to_vector<double>(x);
  const std::vector<double> w = weight.defined() ? to_vector<double>(weight) : std::vector<double>();
  const std::size_t width = row_of(x), heads = weight.defined() && weight.dim() == 2 ? row_of(weight) : 1;
  std::vector<double> y(static_cast<std::size_t>(a.integer("targets")) * width, 0);
  each_edge(a, [&](std::size_t e, std::size_t from, std::size_t to) {
    for (std::size_t j = 0; j < width; ++j)
      y[to * width + j] += (w.empty() ? 1 : w[e * heads + j / (width / heads)]) * v[from * width + j];
  });
  Shape shape = x.shape();
  shape[0] = a.integer("targets");
  return from(y, shape);
}

Outputs dotted(const Args& a) {
  const std::vector<double> left = to_vector<double>(a.tensor("a")), right = to_vector<double>(a.tensor("b"));
  const std::size_t width = row_of(a.tensor("a")), edges = static_cast<std::size_t>(a.tensor("edges").shape()[1]);
  const bool per_head = a.flag("per_head");
  const std::size_t heads = per_head ? static_cast<std::size_t>(a.tensor("a").shape()[1]) : 1;
  std::vector<double> y(edges * heads, 0);
  each_edge(a, [&](std::size_t e, std::size_t from, std::size_t to) {
    for (std::size_t j = 0; j < width; ++j)
      y[e * heads + j / (width / heads)] += left[to * width + j] * right[from * width + j];
  });
  const auto n = static_cast<std::int64_t>(edges);
  return from(y, per_head ? Shape{n, static_cast<std::int64_t>(heads)} : Shape{n});
}

#define WEFT_SEGMENT_SAMPLES(maker)                                                                                   \
  {                                                                                                                   \
    maker "(7, 3), tensor([3, 0, 3, 1, 0, 3, 5], 'int64'), 6", maker "(5), index(5, below=2), 2",                     \
        maker "(9, 2, 37), index(9, below=4), 4", maker "(6, 70), index(6, below=2), 2", maker "(0, 3), index(0), 2", \
        maker "(0), index(0), 0", maker "(3, 0), index(3, below=2), 2",                                               \
        maker "(4, 5), tensor([1, 1, 1, 0], 'int32'), 2"                                                              \
  }
#define WEFT_EDGES "tensor([[0, 2, 2, 1, 0, 0, 3], [1, 1, 0, 4, 1, 1, 3]], 'int64')"

const Family sparse{
    Record{
        .name = "segment_sum",
        .weft = "segment_sum(input, index, count)",
        .call = segmented(segment_sum),
        .samples = WEFT_SEGMENT_SAMPLES("x"),
        .reference = by_segment([](const std::vector<double>& c) { return std::vector<double>{total(c)}; }, false),
        .types = {DType::bfloat16},
        .errors =
            {{"x(3, 2), index(4, below=2), 2", "ShapeError: segment_sum: x [3, 2] needs a row for each of 4 entries"},
             {"x(), index(1, below=2), 2", "ShapeError: segment_sum: x [] needs a row for each of 1 entries"},
             {"index(4, below=9), index(4, below=2), 2", "DtypeError: segment_sum: x is int64, not of a floating type"},
             {"x(3), index(3, 1, below=2), 2", "ShapeError: segments: the index is [3, 1], not (K,)"},
             {"x(3), x(3), 2",
              "DtypeError: segments: the index is float64\n  help: convert it with to(index, DType::int64)"},
             {"x(3), index(3, below=2), -2", "ConfigError: segments: a count of -2"},
             {"x(3), index(3, below=2), 1099511627776", "ConfigError: segments: a count of 1099511627776"},
             {"x(3), tensor([0, 3, 1], 'int64'), 3", "ConfigError: segments: entry 1 belongs to segment 3 of 3"},
             {"x(2), tensor([0, -1], 'int64'), -1", "ConfigError: segments: entry 1 belongs to segment -1 of 1"}}},
    Record{
        .name = "segment_mean",
        .weft = "segment_mean(input, index, count)",
        .call = segmented(segment_mean),
        .samples = WEFT_SEGMENT_SAMPLES("x"),
        .reference = by_segment(
            [](const std::vector<double>& c) { return std::vector<double>{total(c) / static_cast<double>(c.size())}; },
            false),
        .types = {DType::bfloat16},
        .errors = {{"x(3, 2), index(4, below=2), 2",
                    "ShapeError: segment_mean: x [3, 2] needs a row for each of 4 entries"}}},
    Record{
        .name = "segment_max",
        .weft = "segment_max(input, index, count)",
        .call = segmented(segment_max),
        .samples = WEFT_SEGMENT_SAMPLES("distinct"),
        .reference = by_segment([](const std::vector<double>& c) { return std::vector<double>{extreme(c, 1)}; }, false),
        .types = {DType::bfloat16},
        .errors = {{"x(3, 2), index(4, below=2), 2",
                    "ShapeError: segment_max: x [3, 2] needs a row for each of 4 entries"}}},
    Record{
        .name = "segment_max/odd",
        .weft = "segment_max(input, index, count)",
        .call = segmented(segment_max),
        .samples = {"tensor([1, nan, 3, -inf, -2, inf, 0]), tensor([0, 0, 0, 1, 1, 2, 2], 'int64'), 4",
                    "tensor([[nan, 1], [2, -inf]]), tensor([0, 0], 'int64'), 1"},
        .reference = by_segment([](const std::vector<double>& c) { return std::vector<double>{extreme(c, 1)}; }, false),
        .no_gradient = "differences with infinity and NaN say nothing"},
    Record{.name = "segment_min",
           .weft = "segment_min(input, index, count)",
           .call = segmented(segment_min),
           .samples = WEFT_SEGMENT_SAMPLES("distinct"),
           .reference =
               by_segment([](const std::vector<double>& c) { return std::vector<double>{extreme(c, -1)}; }, false),
           .types = {DType::bfloat16},
           .errors = {{"x(3, 2), index(4, below=2), 2",
                       "ShapeError: segment_min: x [3, 2] needs a row for each of 4 entries"}}},
    Record{.name = "segment_gather",
           .weft = "segment_gather(input, index, count)",
           .call = segmented(segment_gather),
           .samples = {"x(3, 2), index(7, below=3), 3", "x(4), index(2, below=4), 4", "x(2, 3, 5), index(0), 2",
                       "x(0, 3), index(0), 0", "x(2, 0), index(3, below=2), 2"},
           .reference = [](const Args& a) -> Outputs {
             const Tensor x = a.tensor("input");
             const std::vector<double> v = to_vector<double>(x);
             const std::size_t width = row_of(x);
             std::vector<double> y;
             for (const std::int64_t i : to_vector<std::int64_t>(a.tensor("index")))
               for (std::size_t j = 0; j < width; ++j) y.push_back(v[static_cast<std::size_t>(i) * width + j]);
             Shape shape = x.shape();
             shape[0] = a.tensor("index").numel();
             return from(y, shape);
           },
           .types = {DType::bfloat16},
           .errors = {{"x(3, 2), index(4, below=2), 2",
                       "ShapeError: segment_gather: x [3, 2] needs a row for each of 2 segments"}}},
    Record{.name = "segment_softmax",
           .weft = "segment_softmax(input, index, count)",
           .call = segmented(segment_softmax),
           .samples = WEFT_SEGMENT_SAMPLES("x"),
           .reference = by_segment(
               [](const std::vector<double>& c) {
                 const double most = extreme(c, 1);
                 std::vector<double> y;
                 for (const double v : c) y.push_back(std::exp(v - most));
                 const double sum = total(y);
                 for (double& v : y) v /= sum;
                 return y;
               },
               true),
           .errors = {{"x(3, 2), index(4, below=2), 2",
                       "ShapeError: segment_softmax: x [3, 2] needs a row for each of 4 entries"}}},
    Record{.name = "neighbour_sum",
           .weft = "neighbour_sum(edges, sources, targets, input, weight=None)",
           .call = [](const Args& a) { return neighbour_sum(edges_of(a), a.tensor("input"), a.tensor("weight")); },
           .samples = {WEFT_EDGES ", 4, 5, x(4, 3)", WEFT_EDGES ", 4, 5, x(4, 3), x(7)",
                       WEFT_EDGES ", 4, 5, x(4), x(7)", WEFT_EDGES ", 4, 6, x(4, 2, 3), x(7, 2)",
                       WEFT_EDGES ", 4, 6, x(4, 2), x(7, 2)", "index(2, 9, below=3), 3, 3, x(3, 101), x(9)",
                       "index(2, 9, below=3), 3, 3, x(3, 2, 37), x(9, 2)", "index(2, 0), 2, 3, x(2, 3), x(0)",
                       "index(2, 0), 0, 0, x(0, 3)", "index(2, 4, below=2), 2, 2, x(2, 0), x(4)"},
           .reference = neighbours_summed,
           .types = {DType::bfloat16},
           .errors = {{"index(2, 4, below=2), 2, 2, x(3, 2)",
                       "ShapeError: neighbour_sum: x [3, 2] needs a row for each of 2 source nodes"},
                      {"index(2, 4, below=2), 2, 2, x(2, 2), x(3)",
                       "ShapeError: neighbour_sum: weight [3] needs a row for each of 4 edges"},
                      {"index(2, 4, below=2), 2, 2, x(2, 2), x(4, 3)",
                       "ShapeError: neighbour_sum: weight [4, 3] and x [2, 2]: weights are (E,), or (E, H) with x "
                       "(nodes, H, ...)"},
                      {"index(2, 1, below=2), 2, 2, x(2, 2), tensor([1], 'float32')",
                       "DtypeError: neighbour_sum: types differ: x is float64, weight is float32\n"
                       "  help: convert one with to(x, dtype)"},
                      {"index(3, 4, below=2), 2, 2, x(2, 2)",
                       "ShapeError: edge_index: the shape is [3, 4], not (2, E)\n"
                       "  help: put the sources in row 0 and the targets in row 1"},
                      {"x(2, 4), 2, 2, x(2, 2)",
                       "DtypeError: edge_index: the index is float64\n  help: convert it with to(index, DType::int64)"},
                      {"index(2, 4, below=2), -1, 2, x(2, 2)", "ConfigError: edge_index: edges from -1 to 2 nodes"},
                      {"tensor([[0, 5], [1, 1]], 'int64'), 4, 4, x(4, 2)",
                       "ConfigError: edge_index: the source of edge 1 is node 5 of 4\n"
                       "  help: number the nodes from 0 to 3"},
                      {"tensor([[0, 1], [-1, 1]], 'int64'), 4, 4, x(4, 2)",
                       "ConfigError: edge_index: the target of edge 0 is node -1 of 4\n"
                       "  help: number the nodes from 0 to 3"},
                      {"tensor([[0], [0]], 'int64'), 0, 0, x(0, 2)",
                       "ConfigError: edge_index: the source of edge 0 is node 0 of 0"}}},
    Record{
        .name = "edge_dot",
        .weft = "edge_dot(edges, sources, targets, a, b, per_head=False)",
        .call = [](const Args& a) { return edge_dot(edges_of(a), a.tensor("a"), a.tensor("b"), a.flag("per_head")); },
        .samples = {WEFT_EDGES ", 4, 5, x(5, 3), x(4, 3)", WEFT_EDGES ", 4, 5, x(5, 2, 3), x(4, 2, 3), True",
                    WEFT_EDGES ", 4, 5, x(5, 2), x(4, 2), True", WEFT_EDGES ", 4, 5, x(5), x(4)",
                    "index(2, 9, below=3), 3, 3, x(3, 101), x(3, 101)", "index(2, 0), 2, 2, x(2, 3), x(2, 3)",
                    "index(2, 4, below=2), 2, 2, x(2, 0), x(2, 0)"},
        .reference = dotted,
        .types = {DType::bfloat16},
        .errors = {{"index(2, 4, below=2), 2, 2, x(3, 2), x(2, 2)",
                    "ShapeError: edge_dot: a [3, 2] needs a row for each of 2 target nodes"},
                   {"index(2, 4, below=2), 2, 2, x(2, 2), x(3, 2)",
                    "ShapeError: edge_dot: b [3, 2] needs a row for each of 2 source nodes"},
                   {"index(2, 4, below=2), 2, 2, x(2, 2), x(2, 3)",
                    "ShapeError: edge_dot: a [2, 2] and b [2, 3]: rows must have the same shape"},
                   {"index(2, 4, below=2), 2, 2, x(2), x(2), True",
                    "ShapeError: edge_dot: a [2] and b [2]: rows must have the same shape, (H, ...)"},
                   {"tensor([[0], [0]], 'int64'), 1, 1, x(1), tensor([1], 'float32')",
                    "DtypeError: edge_dot: types differ: a is float64, b is float32\n"
                    "  help: convert one with to(x, dtype)"}}},
};

}  // namespace
}  // namespace weft::tests
