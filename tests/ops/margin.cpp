#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

Reduction reduction(const Args& a) {
  const std::string& word = a.word("reduction");
  return word == "none" ? Reduction::none : word == "sum" ? Reduction::sum : Reduction::mean;
}
Tensor reduced(const Args& a, const Tensor& each) {
  if (a.word("reduction") == "none") return each;
  const bool mean = a.word("reduction") == "mean";
  return over(each, {}, false, [mean](const Line& v) {
    double sum = 0;
    for (const double one : v) sum += one;
    return mean ? sum / static_cast<double>(v.size()) : sum;
  });
}
double norm(const Line& x, double p) {
  double sum = 0;
  for (const double v : x) sum += std::pow(std::abs(v), p);
  return std::pow(sum, 1 / p);
}
/// Row i of a matrix (or the only row).
Line row(const Tensor& x, std::int64_t i) { return to_vector<double>(x.dim() == 2 ? select(x, 0, i) : x); }
/// One loss for each row.
Tensor by_row(const Args& a, const Tensor& x, const std::function<double(std::int64_t)>& loss) {
  if (x.dim() < 2) return reduced(a, scalar(loss(0), DType::float64));
  Line losses;
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) losses.push_back(loss(i));
  return reduced(a, from(losses));
}

const Family margins{
    Record{
        .name = "margin_ranking_loss",
        .torch = {"nn.functional.margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None,"
                  " reduction='mean')"},
        .call =
            [](const Args& a) {
              return margin_ranking_loss(a.tensor("input1"), a.tensor("input2"), a.tensor("target"), a.real("margin"),
                                         reduction(a));
            },
        .samples = {"x(3, 4), x(3, 4), apart(3, 4)", "x(5), x(5), tensor([1, -1, -1, 1, 1]), 0.7, reduction='none'",
                    "x(3, 4), x(4), apart(3, 1), reduction='sum'", "x(), x(), apart()",
                    "x(0), x(0), apart(0), reduction='sum'"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input1");
              const Tensor each =
                  stack({x, expand(a.tensor("input2"), x.shape()), expand(a.tensor("target"), x.shape())}, -1);
              const double margin = a.real("margin");
              return reduced(a, over(each, {-1}, false,
                                     [margin](const Line& v) { return std::max(0.0, margin - v[2] * (v[0] - v[1])); }));
            }},
    Record{.name = "hinge_embedding_loss",
           .torch = {"nn.functional.hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None,"
                     " reduction='mean')"},
           .call =
               [](const Args& a) {
                 return hinge_embedding_loss(a.tensor("input"), a.tensor("target"), a.real("margin"), reduction(a));
               },
           .samples = {"x(5), tensor([1, -1, -1, 1, 1])",
                       "x(2, 3), tensor([[1, -1, -1], [1, 1, -1]]), 0.3, reduction='sum'",
                       "x(3), tensor([1, -1, -1]), reduction='none'", "x(), tensor(-1)",
                       "x(0, 3), x(0, 3), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 const double margin = a.real("margin");
                 return reduced(
                     a, over(stack({a.tensor("input"), a.tensor("target")}, -1), {-1}, false,
                             [margin](const Line& v) { return v[1] == 1 ? v[0] : std::max(0.0, margin - v[0]); }));
               },
           .constant = {"target"}},
    Record{.name = "soft_margin_loss",
           .torch = {"nn.functional.soft_margin_loss(input, target, size_average=None, reduce=None, reduction='mean')"},
           .call = [](const Args& a) { return soft_margin_loss(a.tensor("input"), a.tensor("target"), reduction(a)); },
           .samples = {"x(3, 4), x(3, 4)", "x(3, 4), x(3, 4), reduction='sum'", "x(5), x(5), reduction='none'",
                       "x(), x()", "tensor([-800, 800]), tensor([1, 1])", "x(0, 3), x(0, 3), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 return reduced(
                     a, over(stack({a.tensor("input"), a.tensor("target")}, -1), {-1}, false, [](const Line& v) {
                       const double z = -v[0] * v[1];
                       return z > 50 ? z : std::log1p(std::exp(z));
                     }));
               }},
    Record{.name = "cosine_embedding_loss",
           .torch =
               {"nn.functional.cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None,"
                " reduction='mean')"},
           .call =
               [](const Args& a) {
                 return cosine_embedding_loss(a.tensor("input1"), a.tensor("input2"), a.tensor("target"),
                                              a.real("margin"), reduction(a));
               },
           .samples = {"x(4, 3), x(4, 3), tensor([1, -1, 1, -1])",
                       "x(4, 3), x(4, 3), tensor([1, -1, -1, -1]), 0.2, reduction='none'",
                       "x(4, 3), x(4, 3), tensor([-1, -1, -1, -1]), -0.9, reduction='sum'", "x(5), x(5), tensor(1)",
                       "x(0, 3), x(0, 3), x(0), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input1");
                 return by_row(a, x, [&](std::int64_t i) {
                   const Line u = row(x, i), v = row(a.tensor("input2"), i), y = to_vector<double>(a.tensor("target"));
                   double dot = 0;
                   for (std::size_t k = 0; k < u.size(); ++k) dot += u[k] * v[k];
                   const double cosine = dot / norm(u, 2) / norm(v, 2);
                   return y[static_cast<std::size_t>(i)] == 1 ? 1 - cosine : std::max(0.0, cosine - a.real("margin"));
                 });
               },
           .constant = {"target"},
           .errors = {{"x(4, 3), x(4, 3), x(4, 1)",
                       "ShapeError: cosine_embedding_loss: a is [4, 3], b [4, 3], y [4, 1]\n"
                       "  help: pass (B, D), (B, D) and (B,), or (D,), (D,) and one number"}}},
    Record{.name = "triplet_margin_loss",
           .torch =
               {"nn.functional.triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False,"
                " size_average=None, reduce=None, reduction='mean')"},
           .call =
               [](const Args& a) {
                 return triplet_margin_loss(a.tensor("anchor"), a.tensor("positive"), a.tensor("negative"),
                                            {.margin = a.real("margin"),
                                             .p = a.real("p"),
                                             .eps = a.real("eps"),
                                             .swap = a.flag("swap"),
                                             .reduction = reduction(a)});
               },
           .samples = {"x(4, 3), x(4, 3), x(4, 3)", "x(4, 3), x(4, 3), x(4, 3), 2, 3, swap=True, reduction='none'",
                       "x(4, 3), x(4, 3), x(4, 3), 0.5, 1, reduction='sum'", "x(5), x(5), x(5)",
                       "x(0, 3), x(0, 3), x(0, 3), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 const auto distance = [&](const char* first, const char* second, std::int64_t i) {
                   Line u = row(a.tensor(first), i);
                   const Line v = row(a.tensor(second), i);
                   for (std::size_t k = 0; k < u.size(); ++k) u[k] += a.real("eps") - v[k];
                   return norm(u, a.real("p"));
                 };
                 return by_row(a, a.tensor("anchor"), [&](std::int64_t i) {
                   double far = distance("anchor", "negative", i);
                   if (a.flag("swap")) far = std::min(far, distance("positive", "negative", i));
                   return std::max(0.0, a.real("margin") + distance("anchor", "positive", i) - far);
                 });
               },
           .errors = {{"x(2, 3), x(2, 3), x(2, 3), 0",
                       "ConfigError: triplet_margin_loss: margin is 0\n  help: choose one above 0"}}},
    Record{
        .name = "multi_margin_loss",
        .torch = {"nn.functional.multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None,"
                  " reduce=None, reduction='mean')"},
        .call =
            [](const Args& a) {
              return multi_margin_loss(a.tensor("input"), a.tensor("target"),
                                       {.p = static_cast<int>(a.integer("p")),
                                        .margin = a.real("margin"),
                                        .weight = a.tensor("weight"),
                                        .reduction = reduction(a)});
            },
        .samples = {"x(4, 3), index(4, below=3)", "x(4, 3), index(4, below=3), 2, 0.5, positive(3)",
                    "x(4, 3), index(4, below=3), reduction='none'", "x(4, 3), index(4, below=3), reduction='sum'",
                    "x(3), index(1, below=3), 2", "x(3), index(below=3)", "x(0, 3), index(0), reduction='sum'"},
        .reference =
            [](const Args& a) {
              return by_row(a, a.tensor("input"), [&](std::int64_t i) {
                const Line x = row(a.tensor("input"), i);
                const auto y =
                    static_cast<std::size_t>(to_vector<std::int64_t>(a.tensor("target"))[static_cast<std::size_t>(i)]);
                double sum = 0;
                for (std::size_t c = 0; c < x.size(); ++c)
                  if (c != y) sum += std::pow(std::max(0.0, a.real("margin") - x[y] + x[c]), a.real("p"));
                const double weight = a.has("weight") ? to_vector<double>(a.tensor("weight"))[y] : 1;
                return weight * sum / static_cast<double>(x.size());
              });
            },
        .constant = {"weight"},
        .errors = {{"x(4, 3), x(4)",
                    "DtypeError: multi_margin_loss: the target is float64\n  help: pass class numbers as int64"},
                   {"x(4, 3), index(3)", "ShapeError: multi_margin_loss: scores [4, 3] do not fit a target [3]"},
                   {"x(2, 3), tensor([1, -1], 'int64')",
                    "ConfigError: multi_margin_loss: target -1 at position 1 is outside the 3 classes\n"
                    "  help: number classes from 0 to 2"},
                   {"x(4, 3), index(4), 3", "ConfigError: multi_margin_loss: p is 3\n  help: choose 1 or 2"},
                   {"x(4, 3), index(4), weight=x(2)",
                    "ShapeError: multi_margin_loss: the weight is [2], there are 3 classes"},
                   {"x(4, 3, 2), index(4)", "ShapeError: multi_margin_loss: scores [4, 3, 2] are not (B, C) or (C,)"}}},
    Record{
        .name = "multilabel_margin_loss",
        .torch =
            {"nn.functional.multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction='mean')"},
        .call =
            [](const Args& a) { return multilabel_margin_loss(a.tensor("input"), a.tensor("target"), reduction(a)); },
        .samples = {"x(2, 4), tensor([[3, 0, -1, 1], [2, 2, 1, -1]], 'int64')",
                    "x(2, 3), tensor([[-1, 0, 0], [0, 1, 2]], 'int64'), reduction='none'",
                    "x(4), tensor([1, -1, 0, 0], 'int64')", "x(2, 3), index(2, 3, below=3), reduction='sum'",
                    "x(0, 3), index(0, 3), reduction='sum'"},
        .reference =
            [](const Args& a) {
              return by_row(a, a.tensor("input"), [&](std::int64_t i) {
                const Line x = row(a.tensor("input"), i);
                std::vector<std::size_t> labels;
                for (const double label : row(a.tensor("target"), i)) {
                  if (label < 0) break;
                  labels.push_back(static_cast<std::size_t>(label));
                }
                double sum = 0;
                for (const std::size_t t : labels)
                  for (std::size_t c = 0; c < x.size(); ++c)
                    if (std::find(labels.begin(), labels.end(), c) == labels.end())
                      sum += std::max(0.0, 1 - x[t] + x[c]);
                return sum / static_cast<double>(x.size());
              });
            },
        .errors = {{"x(1, 2), tensor([[0, 2]], 'int64')",
                    "ConfigError: multilabel_margin_loss: target 2 at position 1 is outside the 2 classes\n"
                    "  help: number classes from 0 to 1, and end them with -1"},
                   {"x(1, 2), index(1, 3)",
                    "ShapeError: multilabel_margin_loss: scores [1, 2] do not fit a target [1, 3]"}}},
    Record{.name = "multilabel_soft_margin_loss",
           .torch =
               {"nn.functional.multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None,"
                " reduction='mean')"},
           .call =
               [](const Args& a) {
                 return multilabel_soft_margin_loss(a.tensor("input"), a.tensor("target"), a.tensor("weight"),
                                                    reduction(a));
               },
           .samples = {"x(3, 4), probability(3, 4)", "x(3, 4), probability(3, 4), positive(4), reduction='none'",
                       "x(5), probability(5), reduction='sum'", "x(2, 3, 4), probability(2, 3, 4)",
                       "x(0, 3), probability(0, 3), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input"), y = a.tensor("target");
                 Tensor each = over(stack({x, y}, -1), {-1}, false, [](const Line& v) {
                   const double s = 1 / (1 + std::exp(-v[0]));
                   return -(v[1] * std::log(s) + (1 - v[1]) * std::log(1 - s));
                 });
                 if (a.has("weight")) each = each * a.tensor("weight");
                 return reduced(a, over(each, {-1}, false, [](const Line& v) {
                                  double sum = 0;
                                  for (const double u : v) sum += u;
                                  return sum / static_cast<double>(v.size());
                                }));
               },
           .constant = {"weight"},
           .errors = {{"x(3), x(2)",
                       "ShapeError: multilabel_soft_margin_loss: x is [3], y [2]\n  help: pass two tensors (..., C)"}}},
};

}  // namespace
}  // namespace weft::tests
