#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

AttentionOptions options(const Args& a) {
  return {.mask = a.tensor("attn_mask"),
          .is_causal = a.flag("is_causal"),
          .dropout = a.real("dropout_p"),
          .scale = a.has("scale") ? a.real("scale") : 0,
          .grouped = a.flag("enable_gqa")};
}

/// One query at a time, for q, k, v of (B, T, E) or (T, E).
Tensor attended(const Args& a) {
  const AttentionOptions o = options(a);
  const Tensor q = a.tensor("query"), k = a.tensor("key"), v = a.tensor("value");
  const int d = q.dim();
  const std::int64_t batch = d == 3 ? q.shape()[0] : 1, rows = q.shape()[d - 2], columns = k.shape()[d - 2],
                     width = q.shape()[d - 1], out = v.shape()[d - 1];
  const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(width));
  const std::vector<double> queries = to_vector<double>(q), keys = to_vector<double>(k), values = to_vector<double>(v);
  std::vector<double> mask;
  if (o.mask.defined()) mask = to_vector<double>(o.mask);
  const bool allowed = o.mask.defined() && o.mask.dtype() == DType::boolean;
  const auto at = [](const std::vector<double>& x, std::int64_t i) { return x[static_cast<std::size_t>(i)]; };
  std::vector<double> y;
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t t = 0; t < rows; ++t) {
      std::vector<double> weights;
      double total = 0;
      for (std::int64_t s = 0; s < columns; ++s) {
        double score = 0;
        for (std::int64_t e = 0; e < width; ++e)
          score += at(queries, (b * rows + t) * width + e) * at(keys, (b * columns + s) * width + e);
        double w = std::exp(score * scale);
        if (o.is_causal && s > t) w = 0;
        if (o.mask.defined()) w *= allowed ? at(mask, t * columns + s) : std::exp(at(mask, t * columns + s));
        weights.push_back(w);
        total += w;
      }
      for (std::int64_t j = 0; j < out; ++j) {
        double sum = 0;
        for (std::int64_t s = 0; s < columns; ++s) sum += at(weights, s) * at(values, (b * columns + s) * out + j);
        y.push_back(total > 0 ? sum / total : 0);
      }
    }
  Shape shape = q.shape();
  shape[d - 1] = out;
  return from(y, shape);
}

const Family attentions{
    Record{.name = "scaled_dot_product_attention",
           .torch = {"nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, "
                     "is_causal=False, scale=None, enable_gqa=False)"},
           .call =
               [](const Args& a) {
                 return scaled_dot_product_attention(a.tensor("query"), a.tensor("key"), a.tensor("value"), options(a));
               },
           .samples = {"x(3, 4), x(5, 4), x(5, 2)", "x(2, 3, 4), x(2, 5, 4), x(2, 5, 2), scale=0.3",
                       "x(2, 4, 3), x(2, 4, 3), x(2, 4, 3), is_causal=True",
                       "x(2, 4, 3), x(2, 6, 3), x(2, 6, 3), is_causal=True", "x(3, 4), x(5, 4), x(5, 2), mask(3, 5)",
                       "x(3, 4), x(5, 4), x(5, 2), x(3, 5)",
                       "x(2, 2), x(3, 2), x(3, 2), tensor([[-inf, 0, 1], [-inf, -inf, -inf]])",
                       "x(2, 2), x(2, 2), x(2, 2), tensor([[1, 0], [0, 0]], 'bool')", "x(0, 4), x(5, 4), x(5, 2)",
                       "x(3, 4), x(0, 4), x(0, 2)", "x(2, 0, 4), x(2, 5, 4), x(2, 5, 2)", "x(17, 3), x(5, 3), x(5, 2)",
                       "x(2, 17, 3), x(2, 20, 3), x(2, 20, 2), is_causal=True",
                       "x(17, 3), x(5, 3), x(5, 2), mask(17, 5), scale=2", "x(17, 3), x(5, 3), x(5, 2), x(17, 5)"},
           .reference = attended,
           .errors =
               {{"x(4), x(5, 4), x(5, 2)",
                 "ShapeError: scaled_dot_product_attention: q is [4], k [5, 4], v [5, 2]\n  help: each needs positions "
                 "and features as its last two axes"},
                {"x(3, 4), x(5, 3), x(5, 2)",
                 "ShapeError: scaled_dot_product_attention: q [3, 4] and k [5, 3] differ in their last axis"},
                {"x(3, 4), x(5, 4), x(6, 2)",
                 "ShapeError: scaled_dot_product_attention: k [5, 4] and v [6, 2] differ in their number of positions"},
                {"x(3, 4), x(5, 4), x(5, 2), mask(3, 5), is_causal=True",
                 "ConfigError: scaled_dot_product_attention: both a mask and is_causal\n  help: put the causal part "
                 "into the mask"},
                {"x(3, 4), x(5, 4), x(5, 2), index(3, 5)",
                 "DtypeError: scaled_dot_product_attention: the mask is int64\n  help: use bool or a floating type"},
                {"x(4, 3, 4), x(3, 5, 4), x(3, 5, 2), enable_gqa=True",
                 "ShapeError: scaled_dot_product_attention: 4 heads of q cannot share 3 of [3, 5, 4]"},
                {"index(3, 4), x(5, 4), x(5, 2)",
                 "DtypeError: scaled_dot_product_attention: q is int64, k float64, v float64\n  help: give all three "
                 "one floating type"}}},
    Record{
        .name = "scaled_dot_product_attention/heads",
        .weft = "scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, "
                "scale=None, enable_gqa=False)",
        .call =
            [](const Args& a) {
              return scaled_dot_product_attention(a.tensor("query"), a.tensor("key"), a.tensor("value"), options(a));
            },
        .samples = {"x(2, 4, 3, 2), x(2, 2, 5, 2), x(2, 2, 5, 3), enable_gqa=True",
                    "x(2, 4, 3, 2), x(4, 5, 2), x(2, 4, 5, 3)",
                    "x(2, 2, 3, 2), x(2, 2, 3, 2), x(2, 2, 3, 2), mask(3, 3)",
                    "x(1, 4, 17, 2), x(1, 2, 5, 2), x(1, 2, 5, 3), enable_gqa=True",
                    "x(2, 1, 17, 2), x(2, 5, 2), x(5, 3), mask(5)", "x(16, 2), x(2, 2), x(2, 2), tensor([[-inf, 0]])"}},
};

}  // namespace
}  // namespace weft::tests
