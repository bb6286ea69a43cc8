#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

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
};

}  // namespace
}  // namespace weft::tests
