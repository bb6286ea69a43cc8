#include "record.h"

namespace weft::tests {
namespace {

PerAxis per_axis(const Args& a, std::string_view name) { return PerAxis(Dims(a.integers(name))); }

ConvOptions conv_options(const Args& a) {
  ConvOptions o{.stride = per_axis(a, "stride"), .dilation = per_axis(a, "dilation"), .groups = a.integer("groups")};
  if (a.value("padding").holds<std::string>())
    o.padding = std::string_view(a.word("padding"));
  else
    o.padding = per_axis(a, "padding");
  return o;
}
ConvTransposeOptions transpose_options(const Args& a) {
  return {.stride = per_axis(a, "stride"),
          .padding = per_axis(a, "padding"),
          .output_padding = per_axis(a, "output_padding"),
          .dilation = per_axis(a, "dilation"),
          .groups = a.integer("groups")};
}

template <class Options>
using Convolve = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Options&);
Call convolve(Convolve<ConvOptions> f) {
  return [f](const Args& a) { return f(a.tensor("input"), a.tensor("weight"), a.tensor("bias"), conv_options(a)); };
}
/// With relu in the same call.
Call convolve_relu(Convolve<ConvOptions> f) {
  return [f](const Args& a) {
    ConvOptions o = conv_options(a);
    o.relu = true;
    return f(a.tensor("input"), a.tensor("weight"), a.tensor("bias"), o);
  };
}
Call convolve(Convolve<ConvTransposeOptions> f) {
  return
      [f](const Args& a) { return f(a.tensor("input"), a.tensor("weight"), a.tensor("bias"), transpose_options(a)); };
}

/// Places in row-major order, one after the other.
bool next(Dims& at, const Dims& sizes) {
  for (int a = sizes.size() - 1; a >= 0; --a) {
    if (++at[a] < sizes[a]) return true;
    at[a] = 0;
  }
  return false;
}
std::size_t flat(std::int64_t lead, const Dims& at, const Dims& sizes) {
  for (int a = 0; a < sizes.size(); ++a) lead = lead * sizes[a] + at[a];
  return static_cast<std::size_t>(lead);
}
Dims spatial(const Shape& shape, int first) {
  Dims s;
  for (int a = first; a < shape.size(); ++a) s.push_back(shape[a]);
  return s;
}

/// Every product of the definition by itself; transposed, each is added where the result lies.
Tensor by_definition(const Args& a, int axes, bool transpose) {
  Tensor x = a.tensor("input");
  const Tensor w = a.tensor("weight");
  const bool single = x.dim() == axes + 1;
  if (single) x = unsqueeze(x, 0);
  const std::int64_t groups = a.integer("groups"), batch = x.shape()[0], channels = x.shape()[1];
  const std::int64_t results = transpose ? w.shape()[1] * groups : w.shape()[0];
  const Dims in = spatial(x.shape(), 2), kernel = spatial(w.shape(), 2);
  const auto each = [&](const char* name) {
    const auto given = a.integers(name);
    Dims all = Dims::filled(axes, 0);
    for (int i = 0; i < axes; ++i) all[i] = given[given.size() == 1 ? 0 : static_cast<std::size_t>(i)];
    return all;
  };
  const Dims stride = each("stride"), dilation = each("dilation");
  Dims before = Dims::filled(axes, 0), after = before, out = before;
  const bool words = a.value("padding").holds<std::string>();
  if (!words) before = after = each("padding");
  for (int i = 0; i < axes; ++i) {
    const std::int64_t reach = dilation[i] * (kernel[i] - 1);
    if (words && a.word("padding") == "same") before[i] = reach / 2, after[i] = reach - reach / 2;
    out[i] = transpose ? (in[i] - 1) * stride[i] - 2 * before[i] + reach + each("output_padding")[i] + 1
                       : (in[i] + before[i] + after[i] - reach - 1) / stride[i] + 1;
  }
  const std::vector<double> from = to_vector<double>(x), weight = to_vector<double>(w);
  std::vector<double> y(static_cast<std::size_t>(batch * results * out.product()));
  if (a.has("bias")) {
    const std::vector<double> bias = to_vector<double>(a.tensor("bias"));
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = bias[i / static_cast<std::size_t>(out.product()) % static_cast<std::size_t>(results)];
  }
  const std::int64_t ins = channels / groups, outs = results / groups;
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t g = 0; g < groups; ++g)
      for (std::int64_t c = 0; c < ins; ++c)
        for (std::int64_t o = 0; o < outs; ++o) {
          const std::int64_t row = transpose ? (g * ins + c) * outs + o : (g * outs + o) * ins + c;
          // The smaller side's place p and the tap t give the larger side's place p * stride - before + t * dilation.
          const Dims& small = transpose ? in : out;
          const Dims& large = transpose ? out : in;
          Dims p = Dims::filled(axes, 0);
          do {
            Dims t = Dims::filled(axes, 0);
            do {
              Dims q = p;
              bool inside = true;
              for (int i = 0; i < axes; ++i) {
                q[i] = p[i] * stride[i] - before[i] + t[i] * dilation[i];
                inside &= q[i] >= 0 && q[i] < large[i];
              }
              if (!inside) continue;
              const std::size_t at_x = flat(n * channels + g * ins + c, transpose ? p : q, in);
              const std::size_t at_y = flat(n * results + g * outs + o, transpose ? q : p, out);
              y[at_y] += from[at_x] * weight[flat(row, t, kernel)];
            } while (next(t, kernel));
          } while (next(p, small));
        }
  Shape shape{batch, results};
  for (const std::int64_t size : out) shape.push_back(size);
  const Tensor result = weft::from(y, shape);
  return single ? squeeze(result, 0) : result;
}

Reference definition(int axes, bool transpose) {
  return [=](const Args& a) { return Outputs(by_definition(a, axes, transpose)); };
}
Outputs positive_part(const Args& a, int axes) {
  const Tensor y = by_definition(a, axes, false);
  std::vector<double> values = to_vector<double>(y);
  for (double& v : values) v = v > 0 ? v : 0;
  return Outputs(weft::from(values, y.shape()));
}

#define WEFT_CONV "(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)"
#define WEFT_CONV_TRANSPOSE "(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)"

const Family convolutions{
    Record{
        .name = "conv1d",
        .torch = {"nn.functional.conv1d" WEFT_CONV},
        .call = convolve(conv1d),
        .samples = {"x(2, 3, 7), x(4, 3, 3)", "x(2, 3, 7), x(4, 3, 3), x(4), 2, 1", "x(3, 6), x(2, 3, 2), x(2)",
                    "x(1, 4, 8), x(6, 2, 3), x(6), 3, 2, 2, 2", "x(2, 2, 6), x(2, 1, 4), None, 1, 'same', 1, 2",
                    "x(0, 2, 5), x(3, 2, 3), x(3)", "x(2, 3, 5), x(2, 3, 1)", "x(1, 2, 5), x(0, 1, 2), groups=2",
                    "x(1, 2, 5), x(2, 2, 2), x(2), 1000000000", "x(2, 1, 9), x(3, 1, 4), padding='valid'"},
        .reference = definition(1, false),
        .types = {DType::bfloat16},
        .errors =
            {{"x(3), x(2, 3, 2)", "ShapeError: conv1d: input [3] is not (N, C, ...) or (C, ...) with 1 spatial axis"},
             {"x(1, 3, 4), x(2, 3)", "ShapeError: conv1d: weight [2, 3] does not have 3 axes"},
             {"x(1, 3, 4), x(2, 2, 2)",
              "ShapeError: conv1d: input [1, 3, 4] has 3 channels, weight [2, 2, 2] with 1 group takes 2"},
             {"x(1, 4, 4), x(3, 2, 2), groups=2",
              "ShapeError: conv1d: weight [3, 2, 2] has 3 outputs for 2 groups\n  help: choose a number that 2 "
              "divides"},
             {"x(1, 3, 4), x(2, 3, 2), x(3)", "ShapeError: conv1d: bias [3] does not fit 2 outputs"},
             {"x(1, 3, 4), x(2, 3, 5)",
              "ShapeError: conv1d: along axis 0 of 1 the window reaches over 5 elements, the "
              "padded input has 4"},
             {"x(1, 3, 0), x(2, 3, 1)",
              "ShapeError: conv1d: input [1, 3, 0] and weight [2, 3, 1] must not have a spatial axis of size 0"},
             {"x(1, 3, 4), x(2, 3, 2), stride=0", "ConfigError: conv1d: stride is 0\n  help: choose at least 1"},
             {"x(1, 3, 4), x(2, 3, 2), stride=[1, 2]", "ConfigError: conv1d: stride has 2 numbers for 1 spatial axes"},
             {"x(1, 3, 4), x(2, 3, 2), groups=0", "ConfigError: conv1d: 0 groups\n  help: choose at least 1"},
             {"x(1, 3, 4), x(2, 3, 2), padding='some'",
              "ConfigError: conv1d: padding \"some\" is unknown\n  help: choose \"same\", \"valid\" or numbers"},
             {"x(1, 3, 4), x(2, 3, 2), None, 2, 'same'",
              "ConfigError: conv1d: padding \"same\" with stride 2\n  help: choose stride 1"},
             {"tensor([[[1, 2]]], 'int64'), tensor([[[1]]], 'int64')",
              "DtypeError: conv1d: input is int64, weight int64\n  help: convert them with to(x, DType::float32)"}}},
    Record{
        .name = "conv2d",
        .torch = {"nn.functional.conv2d" WEFT_CONV},
        .call = convolve(conv2d),
        .samples = {"x(2, 3, 5, 4), x(4, 3, 3, 3), x(4), 1, 1",
                    "x(1, 4, 6, 5), x(4, 2, 3, 2), x(4), [2, 1], [1, 2], 1, 2",
                    "x(2, 4, 5, 5), x(4, 1, 3, 3), x(4), 2, 1, 1, 4",
                    "x(1, 2, 5, 5), x(6, 1, 2, 3), None, 1, 0, [2, 1], 2", "x(4, 3, 4), x(3, 4, 1, 1), x(3)",
                    "x(1, 2, 4, 5), x(2, 2, 2, 3), x(2), 1, 'same', [2, 1]", "x(0, 3, 4, 4), x(2, 3, 3, 3), x(2), 2, 1",
                    "x(1, 1, 6, 6), x(2, 1, 3, 3), None, 3, 2"},
        .reference = definition(2, false),
        .types = {DType::bfloat16},
        .errors = {{"x(1, 1, 3, 4), x(2, 1, 2, 7), padding=1",
                    "ShapeError: conv2d: along axis 1 of 2 the window reaches over 7 elements, the padded input has 6"},
                   {"x(1, 1, 3, 4), x(2, 1, 2, 2), padding=-1",
                    "ConfigError: conv2d: padding is -1\n  help: choose at least 0"}}},
    Record{
        .name = "conv2d_relu",
        .weft = "conv2d_relu" WEFT_CONV,
        .call = convolve_relu(conv2d),
        .samples = {"x(2, 3, 5, 4), x(4, 3, 3, 3), x(4), 1, 1", "x(1, 4, 6, 5), x(4, 2, 3, 2), None, [2, 1], 1, 1, 2",
                    "x(2, 4, 5, 5), x(4, 1, 3, 3), x(4), 1, 1, 1, 4", "x(4, 3, 4), x(3, 4, 1, 1), x(3)",
                    "x(1, 8, 16, 16), x(16, 8, 3, 3), x(16), 1, 1", "x(0, 3, 4, 4), x(2, 3, 3, 3), x(2), 2, 1"},
        .reference = [](const Args& a) { return positive_part(a, 2); },
        .types = {DType::bfloat16}},
    Record{.name = "conv3d",
           .torch = {"nn.functional.conv3d" WEFT_CONV},
           .call = convolve(conv3d),
           .samples = {"x(1, 2, 3, 4, 3), x(2, 2, 2, 2, 3), x(2), 1, [1, 0, 1]",
                       "x(2, 4, 3, 3, 4), x(2, 2, 2, 1, 2), x(2), [1, 2, 1], 0, [1, 1, 2], 2",
                       "x(2, 3, 3, 3), x(1, 2, 2, 3, 3)", "x(1, 2, 2, 3, 3), x(2, 1, 2, 2, 2), None, 1, 'same', 1, 2"},
           .reference = definition(3, false),
           .errors = {{"x(1, 2, 3), x(2, 2, 1, 1, 1)",
                       "ShapeError: conv3d: input [1, 2, 3] is not (N, C, ...) or (C, ...) with 3 spatial axes"}}},
    Record{.name = "conv_transpose1d",
           .torch = {"nn.functional.conv_transpose1d" WEFT_CONV_TRANSPOSE},
           .call = convolve(conv_transpose1d),
           .samples = {"x(2, 3, 4), x(3, 4, 3), x(4)", "x(1, 4, 4), x(4, 2, 3), x(4), 3, 1, 2, 2",
                       "x(2, 3, 4), x(3, 2, 2), None, 2, 0, 1, 1, 2", "x(3, 4), x(3, 2, 3), x(2), 2, 2",
                       "x(1, 2, 3), x(2, 1, 3), None, 2, 1, 2, 1, 3", "x(0, 3, 4), x(3, 2, 2), x(2)",
                       "x(1, 2, 4), x(2, 3, 2), None, 3, 0, 0, 2"},
           .reference = definition(1, true),
           .types = {DType::bfloat16},
           .errors =
               {{"x(1, 3, 4), x(2, 3, 2)",
                 "ShapeError: conv_transpose1d: input [1, 3, 4] has 3 channels, weight [2, 3, 2] with 1 group takes 2"},
                {"x(1, 3, 4), x(3, 2, 2), x(3)", "ShapeError: conv_transpose1d: bias [3] does not fit 2 outputs"},
                {"x(1, 3, 4), x(3, 2, 2), groups=2",
                 "ShapeError: conv_transpose1d: weight [3, 2, 2] has 3 inputs for 2 groups\n"
                 "  help: choose a number that 2 divides"},
                {"x(1, 3, 4), x(3, 2, 2), output_padding=1",
                 "ConfigError: conv_transpose1d: output_padding 1 with stride 1 and dilation 1\n"
                 "  help: choose less than the larger of the two"},
                {"x(1, 3, 2), x(3, 2, 1), padding=1",
                 "ShapeError: conv_transpose1d: along axis 0 of 1 the result has "
                 "size 0\n  help: choose less padding"}}},
    Record{
        .name = "conv_transpose2d",
        .torch = {"nn.functional.conv_transpose2d" WEFT_CONV_TRANSPOSE},
        .call = convolve(conv_transpose2d),
        .samples = {"x(2, 3, 4, 3), x(3, 2, 3, 2), x(2), 2, 1, 1", "x(1, 4, 3, 3), x(4, 1, 3, 3), x(4), 2, 1, 0, 4",
                    "x(1, 2, 3, 3), x(2, 2, 2, 3), x(4), [3, 2], [1, 2], [2, 1], 2, [4, 1]",
                    "x(2, 3, 2), x(2, 3, 2, 2)", "x(1, 4, 3, 2), x(4, 3, 1, 1), x(3)"},
        .reference = definition(2, true),
        .types = {DType::bfloat16},
        .errors = {{"x(1, 3, 4), x(2, 3, 2)", "ShapeError: conv_transpose2d: weight [2, 3, 2] does not have 4 axes"}}},
    Record{.name = "conv_transpose3d",
           .torch = {"nn.functional.conv_transpose3d" WEFT_CONV_TRANSPOSE},
           .call = convolve(conv_transpose3d),
           .samples = {"x(1, 2, 2, 3, 2), x(2, 2, 2, 2, 3), x(2), [1, 2, 2], 1, [0, 1, 1]",
                       "x(1, 2, 2, 2, 3), x(2, 1, 2, 1, 2), x(2), 2, 0, 0, 2, [1, 1, 2]"},
           .reference = definition(3, true),
           .errors = {{"x(1, 2, 2, 2, 2), x(2, 2, 1, 1, 1), padding=[0, 1]",
                       "ConfigError: conv_transpose3d: padding has 2 numbers for 3 spatial axes"}}},
};

}  // namespace
}  // namespace weft::tests
