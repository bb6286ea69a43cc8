#include <algorithm>
#include <cmath>
#include <limits>

#include "record.h"

namespace weft::tests {
namespace {

PerAxis per_axis(const Args& a, std::string_view name) { return PerAxis(Dims(a.integers(name))); }

/// An output size may be None along an axis: as many as there are.
PerAxis output_size(const Args& a) {
  if (!a.is_list("output_size")) return per_axis(a, "output_size");
  Dims sizes;
  for (const Value& each : a.value("output_size").as<Value::List>())
    sizes.push_back(each.holds<std::monostate>() ? -1 : each.as<std::int64_t>());
  return PerAxis(sizes);
}

/// Where the window of an output begins and ends along an axis, and how far apart its elements are.
struct Window {
  std::int64_t begin, end, step;
};

/// f over the elements inside each window, which also gets how many there are with the padding; `window` says where it
/// lies along an axis. f gives the number and the place among the elements that matters, or -1.
struct Found {
  double value;
  std::int64_t place;
};
using Look = std::function<Found(const std::vector<double>& values, const std::vector<std::int64_t>& places)>;

Outputs by_windows(const Args& a, int axes, const Dims& out, const std::function<Window(int, std::int64_t)>& window,
                   const Look& look, bool places) {
  Tensor x = a.tensor("input");
  const bool single = x.dim() == axes + 1;
  if (single) x = unsqueeze(x, 0);
  const std::vector<double> from = to_vector<double>(x);
  Shape shape{x.shape()[0], x.shape()[1]};
  for (const std::int64_t n : out) shape.push_back(n);
  std::vector<double> y;
  std::vector<std::int64_t> at;
  std::int64_t plane_size = 1;
  for (int i = 0; i < axes; ++i) plane_size *= x.shape()[2 + i];
  for (std::int64_t i = 0; i < shape.product(); ++i) {
    std::vector<std::int64_t> inside{0};
    for (int k = 0; k < axes; ++k) {
      std::int64_t behind = 1;
      for (int j = k + 1; j < axes; ++j) behind *= out[j];
      const Window w = window(k, i / behind % out[k]);
      std::vector<std::int64_t> longer;
      for (const std::int64_t p : inside)
        for (std::int64_t q = w.begin; q < w.end; q += w.step)
          if (q >= 0 && q < x.shape()[2 + k]) longer.push_back(p * x.shape()[2 + k] + q);
      inside = longer;
    }
    std::vector<double> values;
    for (const std::int64_t p : inside)
      values.push_back(from[static_cast<std::size_t>(i / out.product() * plane_size + p)]);
    const Found found = look(values, inside);
    y.push_back(found.value);
    at.push_back(found.place);
  }
  const auto fit = [&](const Tensor& t) { return single ? squeeze(t, 0) : t; };
  Outputs all{fit(weft::from(y, shape))};
  if (places) all.push_back(fit(weft::from(at, shape)));
  return all;
}

Found largest(const std::vector<double>& values, const std::vector<std::int64_t>& places) {
  const auto best = std::max_element(values.begin(), values.end());
  return {*best, places[static_cast<std::size_t>(best - values.begin())]};
}
Found average(const std::vector<double>& values, const std::vector<std::int64_t>&) {
  double sum = 0;
  for (const double v : values) sum += v;
  return {sum / static_cast<double>(values.size()), -1};
}

/// The options of moving windows, by PyTorch's names.
struct Moving {
  Dims kernel, stride, padding, dilation, out;
  Moving(const Args& a, int axes) {
    const auto each = [&](const char* name, std::int64_t fallback) {
      const auto given = a.integers(name);
      Dims all = Dims::filled(axes, fallback);
      for (int i = 0; i < axes && !given.empty(); ++i)
        all[i] = given[given.size() == 1 ? 0 : static_cast<std::size_t>(i)];
      return all;
    };
    kernel = each("kernel_size", 1);
    stride = a.integers("stride").empty() ? kernel : each("stride", 1);
    padding = each("padding", 0);
    dilation = each("dilation", 1);
    const Tensor x = a.tensor("input");
    for (int i = 0; i < axes; ++i) {
      // Window after window, as long as it fits (or, with ceil_mode, begins inside).
      const std::int64_t n = x.shape()[x.dim() - axes + i], reach = dilation[i] * (kernel[i] - 1) + 1;
      std::int64_t count = 0;
      for (std::int64_t begin = -padding[i];
           begin + reach <= n + padding[i] ||
           (a.flag("ceil_mode") && begin < n && begin + reach < n + padding[i] + stride[i]);
           begin += stride[i])
        ++count;
      out.push_back(count);
    }
  }
  Window window(int k, std::int64_t o) const {
    const std::int64_t begin = o * stride[k] - padding[k];
    return {begin, begin + kernel[k] * dilation[k], dilation[k]};
  }
};

using MaxPool = Tensor (*)(const Tensor&, const PerAxis&, const MaxPoolOptions&, Tensor*);
Call max_pooling(MaxPool f) {
  return [f](const Args& a) {
    Tensor indices;
    const bool wanted = a.flag("return_indices");
    const Tensor y = f(a.tensor("input"), per_axis(a, "kernel_size"),
                       {.stride = per_axis(a, "stride"),
                        .padding = per_axis(a, "padding"),
                        .dilation = per_axis(a, "dilation"),
                        .ceil_mode = a.flag("ceil_mode")},
                       wanted ? &indices : nullptr);
    return wanted ? Outputs{y, indices} : Outputs{y};
  };
}
Reference max_windows(int axes) {
  return [axes](const Args& a) {
    const Moving m(a, axes);
    return by_windows(
        a, axes, m.out, [&](int k, std::int64_t o) { return m.window(k, o); }, largest, a.flag("return_indices"));
  };
}

using AvgPool = Tensor (*)(const Tensor&, const PerAxis&, const AvgPoolOptions&);
Call avg_pooling(AvgPool f) {
  return [f](const Args& a) {
    AvgPoolOptions o{.stride = per_axis(a, "stride"),
                     .padding = per_axis(a, "padding"),
                     .ceil_mode = a.flag("ceil_mode"),
                     .count_include_pad = a.flag("count_include_pad")};
    if (a.has("divisor_override")) o.divisor_override = a.integer("divisor_override");
    return f(a.tensor("input"), per_axis(a, "kernel_size"), o);
  };
}
Reference avg_windows(int axes) {
  return [axes](const Args& a) {
    const Moving m(a, axes);
    const Tensor x = a.tensor("input");
    // The mean over what is inside, times its share of what counts.
    std::size_t next = 0;
    return by_windows(
        a, axes, m.out, [&](int k, std::int64_t o) { return m.window(k, o); },
        [&](const std::vector<double>& values, const std::vector<std::int64_t>& places) {
          Found f = average(values, places);
          std::int64_t rest = static_cast<std::int64_t>(next++), all = 1;
          for (int k = axes - 1; k >= 0; --k) {
            const Window w = m.window(k, rest % m.out[k]);
            rest /= m.out[k];
            all *= std::min(w.end, x.shape()[x.dim() - axes + k] + m.padding[k]) - w.begin;
          }
          const auto n = static_cast<double>(values.size());
          if (a.has("divisor_override"))
            f.value *= n / a.real("divisor_override");
          else if (a.flag("count_include_pad"))
            f.value *= n / static_cast<double>(all);
          return f;
        },
        false);
  };
}

Reference adaptive_windows(int axes, const Look& look) {
  return [axes, look](const Args& a) {
    const Tensor x = a.tensor("input");
    const auto size = [&](int k) { return x.shape()[x.dim() - axes + k]; };
    Dims out = output_size(a).on("adaptive", "output_size", axes, -1);
    for (int k = 0; k < axes; ++k)
      if (out[k] == -1) out[k] = size(k);
    return by_windows(
        a, axes, out,
        [&](int k, std::int64_t o) {
          const double step = static_cast<double>(size(k)) / static_cast<double>(out[k]);
          return Window{static_cast<std::int64_t>(std::floor(static_cast<double>(o) * step + 1e-9)),
                        static_cast<std::int64_t>(std::ceil(static_cast<double>(o + 1) * step - 1e-9)), 1};
        },
        look, a.has("return_indices") && a.flag("return_indices"));
  };
}

using AdaptiveAvg = Tensor (*)(const Tensor&, const PerAxis&);
Call adaptive_avg(AdaptiveAvg f) {
  return [f](const Args& a) { return f(a.tensor("input"), output_size(a)); };
}
using AdaptiveMax = Tensor (*)(const Tensor&, const PerAxis&, Tensor*);
Call adaptive_max(AdaptiveMax f) {
  return [f](const Args& a) {
    Tensor indices;
    const bool wanted = a.flag("return_indices");
    const Tensor y = f(a.tensor("input"), output_size(a), wanted ? &indices : nullptr);
    return wanted ? Outputs{y, indices} : Outputs{y};
  };
}

using LpPool = Tensor (*)(const Tensor&, double, const PerAxis&, const LpPoolOptions&);
Call lp_pooling(LpPool f) {
  return [f](const Args& a) {
    return f(a.tensor("input"), a.real("norm_type"), per_axis(a, "kernel_size"),
             {.stride = per_axis(a, "stride"), .ceil_mode = a.flag("ceil_mode")});
  };
}
Reference lp_windows(int axes) {
  return [axes](const Args& a) {
    const Moving m(a, axes);
    const double p = a.real("norm_type");
    return by_windows(
        a, axes, m.out, [&](int k, std::int64_t o) { return m.window(k, o); },
        [&](const std::vector<double>& values, const std::vector<std::int64_t>&) {
          // A window that ceil_mode cut short counts as if it were whole.
          const double more = static_cast<double>(m.kernel.product()) / static_cast<double>(values.size());
          double sum = 0;
          for (const double v : values) sum += std::pow(v, p);
          return Found{std::pow(sum * more, 1 / p), -1};
        },
        false);
  };
}

#define WEFT_MAX_POOL "(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)"
#define WEFT_LP_POOL "(input, norm_type, kernel_size, stride=None, ceil_mode=False)"

const Family poolings{
    Record{
        .name = "avg_pool1d",
        .torch = {"nn.functional.avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False,"
                  " count_include_pad=True)"},
        .call = avg_pooling(avg_pool1d),
        .samples = {"x(2, 3, 9), 3", "x(2, 9), 3, 2, 1", "x(1, 2, 8), 3, 2, 1, True",
                    "x(1, 2, 8), 4, 3, 2, True, False", "x(0, 3, 5), 2", "x(1, 1, 4), 4"},
        .reference = avg_windows(1),
        .types = {DType::bfloat16},
        .errors = {{"x(4), 2", "ShapeError: avg_pool1d: input [4] is not (N, C, ...) or (C, ...) with 1 spatial axis"},
                   {"x(2, 0, 4), 2", "ShapeError: avg_pool1d: input [2, 0, 4] is empty in more than its batch"},
                   {"x(1, 1, 4), 5",
                    "ShapeError: avg_pool1d: along axis 0 of 1 the window reaches over 5 elements, the "
                    "padded input has 4"},
                   {"x(1, 1, 4), 3, 1, 2", "ConfigError: avg_pool1d: padding 2 is more than half of the window's 3"},
                   {"x(1, 1, 4), 0", "ConfigError: avg_pool1d: kernel_size is 0\n  help: choose at least 1"},
                   {"x(1, 1, 4), []", "ConfigError: avg_pool1d: kernel_size has 0 numbers for 1 spatial axes"},
                   {"tensor([[1, 2]], 'int64'), 1",
                    "DtypeError: avg_pool1d: takes floating types, not int64\n  help: "
                    "convert it with to(x, DType::float32)"}}},
    Record{
        .name = "avg_pool2d",
        .torch = {"nn.functional.avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False,"
                  " count_include_pad=True, divisor_override=None)"},
        .call = avg_pooling(avg_pool2d),
        .samples = {"x(2, 2, 5, 6), 2", "x(1, 2, 5, 6), [3, 2], [2, 1], 1, True", "x(1, 2, 7, 6), 3, 2, 1, True, False",
                    "x(2, 5, 4), 3, 1, 1, False, True, -2", "x(0, 2, 4, 4), 2"},
        .reference = avg_windows(2),
        .errors = {{"x(1, 1, 4, 4), 2, divisor_override=0",
                    "ConfigError: avg_pool2d: divisor_override is 0\n  help: choose another number, or leave it out"}}},
    Record{
        .name = "avg_pool3d",
        .torch = {"nn.functional.avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False,"
                  " count_include_pad=True, divisor_override=None)"},
        .call = avg_pooling(avg_pool3d),
        .samples = {"x(1, 2, 3, 4, 4), 2", "x(1, 2, 5, 4, 3), [2, 3, 2], [1, 2, 1], [0, 1, 1], True, True, 2",
                    "x(2, 3, 4, 3), 2, 1, 1, False, False"},
        .reference = avg_windows(3),
        .errors = {{"x(1, 1, 4, 4), [2, 2]", "ConfigError: avg_pool3d: kernel_size has 2 numbers for 3 spatial axes"}}},
    Record{
        .name = "max_pool1d",
        .torch = {"nn.functional.max_pool1d" WEFT_MAX_POOL},
        .call = max_pooling(max_pool1d),
        .samples = {"distinct(2, 3, 9), 3", "distinct(2, 8), 3, 2, 1, return_indices=True",
                    "distinct(1, 2, 8), 3, 2, 1, 1, True, True", "distinct(1, 2, 9), 3, 1, 2, 2, False, True",
                    "x(0, 3, 5), 2, return_indices=True"},
        .reference = max_windows(1),
        .types = {DType::bfloat16, DType::int64, DType::uint8},
        .errors =
            {{"x(1, 1, 1), 2, None, 1, 3",
              "ShapeError: max_pool1d: along axis 0 of 1 the window reaches over 4 elements, the padded input has 3"},
             {"x(1, 1, 2), 2, None, 2, 4",
              "ShapeError: max_pool1d: along axis 0 of 1 window 0 holds no element of "
              "the input's 2"},
             {"x(1, 1, 4), 3, 1, 2", "ConfigError: max_pool1d: padding 2 is more than half of the window's 3"}}},
    Record{.name = "max_pool2d",
           .torch = {"nn.functional.max_pool2d" WEFT_MAX_POOL},
           .call = max_pooling(max_pool2d),
           .samples = {"distinct(2, 2, 5, 6), 2, return_indices=True",
                       "distinct(1, 2, 6, 7), [3, 2], [2, 1], 1, [1, 2], True, True", "distinct(2, 5, 4), 3, 1, 1",
                       "x(0, 2, 4, 4), 2"},
           .reference = max_windows(2),
           .types = {DType::bfloat16, DType::int32},
           .errors = {{"x(2, 3), 2",
                       "ShapeError: max_pool2d: input [2, 3] is not (N, C, ...) or (C, ...) with 2 spatial axes"}}},
    Record{.name = "max_pool3d",
           .torch = {"nn.functional.max_pool3d" WEFT_MAX_POOL},
           .call = max_pooling(max_pool3d),
           .samples = {"distinct(1, 2, 4, 4, 3), 2, return_indices=True",
                       "distinct(2, 4, 5, 3), [2, 3, 2], [2, 1, 1], [1, 1, 0], [1, 2, 1], True, True"},
           .reference = max_windows(3),
           .errors = {{"x(1, 2, 3, 3, 3), 2, stride=0",
                       "ConfigError: max_pool3d: stride is 0\n  help: choose at least 1"}}},
    Record{.name = "adaptive_avg_pool1d",
           .torch = {"nn.functional.adaptive_avg_pool1d(input, output_size)"},
           .call = adaptive_avg(adaptive_avg_pool1d),
           .samples = {"x(2, 3, 7), 3", "x(2, 4), 6", "x(0, 3, 5), 2", "x(2, 3, 5), [None]", "x(1, 2, 5), 1"},
           .reference = adaptive_windows(1, average),
           .errors = {{"x(2, 3, 7), -2",
                       "ConfigError: adaptive_avg_pool1d: output_size is -2\n  help: choose at least -1"},
                      {"x(2, 3, 7), 100000000",
                       "ShapeError: adaptive_avg_pool1d: the result has 100000000 elements along one axis, "
                       "more than 67108864"},
                      {"x(2, 3, 7), 1099511627776",
                       "ConfigError: adaptive_avg_pool1d: output_size is 1099511627776\n"
                       "  help: choose at most 1073741824"}}},
    Record{.name = "adaptive_avg_pool2d",
           .torch = {"nn.functional.adaptive_avg_pool2d(input, output_size)"},
           .call = adaptive_avg(adaptive_avg_pool2d),
           .samples = {"x(2, 2, 7, 5), [3, 2]", "x(1, 4, 3), [None, 2]", "x(1, 2, 4, 4), 1", "x(1, 2, 3, 4), 5"},
           .reference = adaptive_windows(2, average),
           .types = {DType::bfloat16},
           .errors = {{"x(1, 2, 3, 4), [1, 2, 3]",
                       "ConfigError: adaptive_avg_pool2d: output_size has 3 numbers for 2 spatial axes"}}},
    Record{.name = "adaptive_avg_pool3d",
           .torch = {"nn.functional.adaptive_avg_pool3d(input, output_size)"},
           .call = adaptive_avg(adaptive_avg_pool3d),
           .samples = {"x(1, 2, 4, 5, 3), [3, 2, None]", "x(2, 3, 4, 3), 2"},
           .reference = adaptive_windows(3, average),
           .errors =
               {{"x(2, 2), 1",
                 "ShapeError: adaptive_avg_pool3d: input [2, 2] is not (N, C, ...) or (C, ...) with 3 spatial axes"}}},
    Record{.name = "adaptive_max_pool1d",
           .torch = {"nn.functional.adaptive_max_pool1d(input, output_size, return_indices=False)"},
           .call = adaptive_max(adaptive_max_pool1d),
           .samples = {"distinct(2, 3, 7), 3, True", "distinct(2, 4), 6", "x(0, 3, 5), 2, True"},
           .reference = adaptive_windows(1, largest),
           .types = {DType::int64},
           .errors = {{"x(2, 3, 7), -2",
                       "ConfigError: adaptive_max_pool1d: output_size is -2\n  help: choose at least -1"}}},
    Record{.name = "adaptive_max_pool2d",
           .torch = {"nn.functional.adaptive_max_pool2d(input, output_size, return_indices=False)"},
           .call = adaptive_max(adaptive_max_pool2d),
           .samples = {"distinct(2, 2, 7, 5), [3, 2], True", "distinct(1, 4, 3), [None, 2]"},
           .reference = adaptive_windows(2, largest),
           .errors =
               {{"x(2, 3), 2",
                 "ShapeError: adaptive_max_pool2d: input [2, 3] is not (N, C, ...) or (C, ...) with 2 spatial axes"}}},
    Record{.name = "adaptive_max_pool3d",
           .torch = {"nn.functional.adaptive_max_pool3d(input, output_size, return_indices=False)"},
           .call = adaptive_max(adaptive_max_pool3d),
           .samples = {"distinct(1, 2, 4, 5, 3), [3, 2, None], True", "distinct(2, 3, 4, 3), 2"},
           .reference = adaptive_windows(3, largest),
           .errors = {{"x(1, 0, 4, 4, 4), 2",
                       "ShapeError: adaptive_max_pool3d: input [1, 0, 4, 4, 4] is empty in more than its batch"}}},
    Record{
        .name = "lp_pool1d",
        .torch = {"nn.functional.lp_pool1d" WEFT_LP_POOL},
        .call = lp_pooling(lp_pool1d),
        .samples = {"positive(2, 3, 7), 2, 3", "positive(2, 8), 3, 3, 2, True"},
        .reference = lp_windows(1),
        .errors = {{"x(1, 1, 4), 0, 2", "ConfigError: lp_pool1d: norm_type is 0\n  help: choose a positive number"}}},
    Record{.name = "lp_pool2d",
           .torch = {"nn.functional.lp_pool2d" WEFT_LP_POOL},
           .call = lp_pooling(lp_pool2d),
           .samples = {"positive(2, 2, 5, 4), 2, [3, 2], 1", "positive(1, 2, 5, 4), 1.5, 2"},
           .reference = lp_windows(2),
           .errors = {{"x(1, 1, 4, 4), 0, 2",
                       "ConfigError: lp_pool2d: norm_type is 0\n  help: choose a positive number"}}},
    Record{.name = "lp_pool3d",
           .torch = {"nn.functional.lp_pool3d" WEFT_LP_POOL},
           .call = lp_pooling(lp_pool3d),
           .samples = {"positive(1, 2, 3, 4, 3), 2, 2, 1"},
           .reference = lp_windows(3),
           .errors = {{"x(1, 1, 4, 4, 4), 0, 2",
                       "ConfigError: lp_pool3d: norm_type is 0\n  help: choose a positive number"}}},
};

}  // namespace
}  // namespace weft::tests
