#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

/// Each of the groups that an image's channels are cut into, as it is without weight and bias.
Tensor normalized_groups(const Tensor& x, std::int64_t groups, double eps) {
  if (x.numel() == 0) return x;
  const Tensor rows = reshape(x, {x.shape()[0] * groups, -1});
  const Tensor y = along(rows, 1, [eps](const std::vector<double>& line) {
    const double n = static_cast<double>(line.size());
    double mean = 0, square = 0;
    for (const double v : line) mean += v / n;
    for (const double v : line) square += (v - mean) * (v - mean) / n;
    std::vector<double> out;
    for (const double v : line) out.push_back((v - mean) / std::sqrt(square + eps));
    return out;
  });
  return reshape(y, x.shape());
}

/// y times weight plus bias, per channel.
Tensor scaled(Tensor y, const Tensor& weight, const Tensor& bias) {
  Shape wide = Shape::filled(y.dim(), 1);
  wide[1] = y.shape()[1];
  if (weight.defined()) y = y * reshape(weight, wide);
  return bias.defined() ? y + reshape(bias, wide) : y;
}

const Family normalizations{
    Record{.name = "layer_norm",
           .torch = {"nn.functional.layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)"},
           .call =
               [](const Args& a) {
                 return layer_norm(a.tensor("input"), a.shape("normalized_shape"), a.tensor("weight"), a.tensor("bias"),
                                   a.real("eps"));
               },
           .samples = {"x(4, 3), [3]", "x(4, 6), [6], x(6), x(6)", "x(2, 3, 4), [3, 4], x(3, 4), x(3, 4)",
                       "x(2, 5), [5], x(5)", "x(5), [5], bias=x(5), eps=0.5", "x(0, 3), [3], x(3), x(3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const Shape shape = a.shape("normalized_shape");
                 const double eps = a.real("eps");
                 Tensor y = along(flatten(x, x.dim() - shape.size(), -1), -1, [eps](const std::vector<double>& line) {
                   const double n = static_cast<double>(line.size());
                   double mean = 0, square = 0;
                   for (const double v : line) mean += v / n;
                   for (const double v : line) square += (v - mean) * (v - mean) / n;
                   std::vector<double> out;
                   for (const double v : line) out.push_back((v - mean) / std::sqrt(square + eps));
                   return out;
                 });
                 y = reshape(y, x.shape());
                 if (a.has("weight")) y = y * a.tensor("weight");
                 return a.has("bias") ? y + a.tensor("bias") : y;
               },
           .errors = {{"x(4, 3), [4]", "ShapeError: layer_norm: x [4, 3] does not end in the normalised shape [4]"},
                      {"x(4, 3), [3], x(4)", "ShapeError: layer_norm: a parameter is [4], the normalised shape [3]"}}},
    Record{
        .name = "batch_norm",
        .torch = {"nn.functional.batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False,"
                  " momentum=0.1, eps=1e-05)"},
        .call =
            [](const Args& a) {
              // Running statistics change in place: each call gets its own.
              const auto own = [&](const char* name) { return a.has(name) ? copy(a.tensor(name)) : Tensor(); };
              return batch_norm(a.tensor("input"), own("running_mean"), own("running_var"), a.tensor("weight"),
                                a.tensor("bias"), a.flag("training"), a.real("momentum"), a.real("eps"));
            },
        .samples = {"x(4, 3), x(3), positive(3), x(3), x(3)", "x(4, 3), x(3), positive(3), x(3), x(3), True",
                    "x(2, 3, 4), None, None, x(3), x(3), True", "x(2, 3, 2, 2), x(3), positive(3), training=True",
                    "x(0, 3), x(3), positive(3)"},
        .constant = {"running_mean", "running_var"},
        .errors = {{"x(3), None, None",
                    "ShapeError: batch_norm: x [3] has no channels\n  help: pass (B, C) or (B, C, ...)"},
                   {"x(4, 3), x(2), x(2)", "ShapeError: batch_norm: a parameter is [2], x [4, 3] has 3 channels"},
                   {"x(1, 3), None, None, training=True",
                    "ShapeError: batch_norm: training needs two or more values per channel, x [1, 3] has 1\n"
                    "  help: use a larger batch, drop the last incomplete one, or eval(model)"}}},
    Record{.name = "rms_norm",
           .torch = {"nn.functional.rms_norm(input, normalized_shape, weight=None, eps=None)"},
           .call =
               [](const Args& a) {
                 std::optional<double> eps;
                 if (a.has("eps")) eps = a.real("eps");
                 return rms_norm(a.tensor("input"), a.shape("normalized_shape"), a.tensor("weight"), eps);
               },
           .samples = {"x(4, 3), [3]", "x(4, 20), [20], x(20)", "x(2, 3, 4), [3, 4], x(3, 4), 0.5", "x(5), [5], x(5)",
                       "x(0, 3), [3], x(3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const double eps = a.has("eps") ? a.real("eps") : 0;
                 const auto line_of = [eps](const std::vector<double>& line) {
                   double square = 0;
                   for (const double v : line) square += v * v / static_cast<double>(line.size());
                   std::vector<double> out;
                   for (const double v : line) out.push_back(v / std::sqrt(square + eps));
                   return out;
                 };
                 const int axes = a.shape("normalized_shape").size();
                 const Tensor y = reshape(along(flatten(x, x.dim() - axes, -1), -1, line_of), x.shape());
                 return Outputs(a.has("weight") ? y * a.tensor("weight") : y);
               },
           .types = {DType::bfloat16},
           .errors = {{"x(4, 3), [4]", "ShapeError: rms_norm: x [4, 3] does not end in the normalised shape [4]"},
                      {"x(4, 3), [3], x(4)", "ShapeError: rms_norm: a parameter is [4], the normalised shape [3]"},
                      {"tensor([[1, 2]], 'int64'), [2]",
                       "DtypeError: rms_norm: takes floating types, not int64\n  help: "
                       "convert it with to(x, DType::float32)"}}},
    Record{
        .name = "group_norm",
        .torch = {"nn.functional.group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)"},
        .call =
            [](const Args& a) {
              return group_norm(a.tensor("input"), a.integer("num_groups"), a.tensor("weight"), a.tensor("bias"),
                                a.real("eps"));
            },
        .samples = {"x(2, 6, 3), 2, x(6), x(6), 0.5", "x(2, 4, 3, 2), 4, x(4), x(4)", "x(3, 4), 2",
                    "x(2, 6, 2, 2, 2), 3, x(6)", "x(0, 2, 3), 1, x(2), x(2)", "x(2, 3, 5, 4), 1, None, x(3)"},
        .reference =
            [](const Args& a) {
              return Outputs(scaled(normalized_groups(a.tensor("input"), a.integer("num_groups"), a.real("eps")),
                                    a.tensor("weight"), a.tensor("bias")));
            },
        .errors = {{"x(3), 1", "ShapeError: group_norm: x [3] has no channels\n  help: pass (B, C, ...)"},
                   {"x(2, 3), 2",
                    "ShapeError: group_norm: x [2, 3] has 3 channels for 2 groups\n  help: choose a number "
                    "that divides them"},
                   {"x(2, 3), 0", "ConfigError: group_norm: 0 groups\n  help: choose at least 1"},
                   {"x(2, 4, 3), 2, x(3)", "ShapeError: group_norm: a parameter is [3], x [2, 4, 3] has 4 channels"}}},
    Record{
        .name = "instance_norm",
        .torch = {"nn.functional.instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None,"
                  " use_input_stats=True, momentum=0.1, eps=1e-05)"},
        .call =
            [](const Args& a) {
              // Running statistics change in place: each call gets its own.
              const auto own = [&](const char* name) { return a.has(name) ? copy(detach(a.tensor(name))) : Tensor(); };
              return instance_norm(
                  a.tensor("input"), own("running_mean"), own("running_var"), a.tensor("weight"), a.tensor("bias"),
                  {.use_input_stats = a.flag("use_input_stats"), .momentum = a.real("momentum"), .eps = a.real("eps")});
            },
        .samples = {"x(2, 3, 5)", "x(2, 3, 4), x(3), positive(3), x(3), x(3), True, 0.5, 0.3",
                    "x(2, 2, 3, 4), None, None, x(2)", "x(2, 3, 4), x(3), positive(3), x(3), x(3), False",
                    "x(0, 2, 3)"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input");
              const double eps = a.real("eps");
              Tensor y;
              if (a.flag("use_input_stats")) {
                y = normalized_groups(x, x.shape()[1], eps);
              } else {
                const Tensor rstd = 1 / sqrt(a.tensor("running_var") + eps);
                y = scaled(x, rstd, -(a.tensor("running_mean") * rstd));
              }
              return Outputs(scaled(y, a.tensor("weight"), a.tensor("bias")));
            },
        .constant = {"running_mean", "running_var"},
        .errors = {{"x(2, 3, 1)",
                    "ShapeError: instance_norm: x [2, 3, 1] has one value per channel\n  help: use group_norm"},
                   {"x(2, 3, 4), use_input_stats=False",
                    "ConfigError: instance_norm: without the input's statistics it needs running ones\n  help: pass "
                    "running_mean and running_var"},
                   {"x(2, 3, 4), x(2)", "ShapeError: instance_norm: a parameter is [2], x [2, 3, 4] has 3 channels"}}},
    Record{.name = "local_response_norm",
           .torch = {"nn.functional.local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0)"},
           .call =
               [](const Args& a) {
                 return local_response_norm(a.tensor("input"), a.integer("size"), a.real("alpha"), a.real("beta"),
                                            a.real("k"));
               },
           .samples = {"x(2, 6, 3), 2, 0.5", "x(1, 5, 2, 3), 3, 0.7, 0.5, 1.25", "x(2, 3, 4), 5, 0.3", "x(0, 1, 2), 1"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const std::int64_t size = a.integer("size");
                 return Outputs(along(x, 1, [&](const std::vector<double>& line) {
                   std::vector<double> out;
                   const auto n = static_cast<std::int64_t>(line.size());
                   for (std::int64_t c = 0; c < n; ++c) {
                     double sum = 0;
                     for (std::int64_t i = c - size / 2; i < c - size / 2 + size; ++i)
                       if (i >= 0 && i < n)
                         sum += line[static_cast<std::size_t>(i)] * line[static_cast<std::size_t>(i)];
                     out.push_back(
                         line[static_cast<std::size_t>(c)] /
                         std::pow(a.real("k") + a.real("alpha") / static_cast<double>(size) * sum, a.real("beta")));
                   }
                   return out;
                 }));
               },
           .errors = {{"x(2, 3), 2", "ShapeError: local_response_norm: x [2, 3] is not (B, C, ...) with spatial axes"},
                      {"x(2, 3, 4), 0", "ConfigError: local_response_norm: size is 0\n  help: choose at least 1"}}},
};

}  // namespace
}  // namespace weft::tests
