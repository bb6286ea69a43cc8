#include <weft/autograd/ops/convolution.h>

#include <algorithm>

#include <weft/autograd/autocast.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using kernels::Convolution;

Tensor input_pass(const char* name, const Tensor& dy, const Tensor& weight, const Tensor& bias, const Convolution& c);
Tensor weight_pass(const Tensor& dy, const Tensor& x, const Convolution& c);

/// The gradient of a bias: dy summed over all but the channels.
Tensor bias_gradient(const Tensor& dy) {
  std::vector<int> axes{0};
  for (int a = 2; a < dy.dim(); ++a) axes.push_back(a);
  return sum(dy, axes);
}

// The value <y, convolution(x, w)> is linear in x, y and w. Its derivatives by each are the three passes, and the
// derivatives of a pass are the other two.

/// The map without what is done to its results.
Convolution linear(Convolution c) {
  c.relu = false;
  return c;
}

Tensor forward_pass(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, const Convolution& c) {
  const kernels::Precision precision = detail::autocast_precision;
  return record(
      {name,
       {{"stride", c.stride},
        {"padding", c.before},
        {"dilation", c.dilation},
        {"groups", c.groups},
        {"output_size", c.output},
        {"relu", std::int64_t{c.relu}}},
       saves::input(0) | saves::input(1) | (c.relu ? saves::output : saves::nothing)},
      {x, weight, bias},
      [c, precision](const Inputs& in) {
        const kernels::ProductPrecision in_use(precision);
        return kernels::convolution(in[0], in[1], in[2], c);
      },
      [c = linear(c), relu = c.relu, precision](const Saved& s, const Tensor& result_gradient) {
        const detail::CastAs as_forward(precision);
        const Tensor dy = relu ? detail::relu_gradient(result_gradient, s.output()) : result_gradient;
        return gradients(s.needs(0) ? input_pass("convolution_input", dy, s.input(1), Tensor(), c) : Tensor(),
                         s.needs(1) ? weight_pass(dy, s.input(0), c) : Tensor(),
                         s.needs(2) ? bias_gradient(dy) : Tensor());
      });
}

Tensor input_pass(const char* name, const Tensor& dy, const Tensor& weight, const Tensor& bias, const Convolution& c) {
  const kernels::Precision precision = detail::autocast_precision;
  return record(
      {name,
       {{"stride", c.stride},
        {"padding", c.before},
        {"dilation", c.dilation},
        {"groups", c.groups},
        {"output_size", c.input}},
       saves::input(0) | saves::input(1)},
      {dy, weight, bias},
      [c, precision](const Inputs& in) {
        const kernels::ProductPrecision in_use(precision);
        Tensor y = kernels::convolution_input_grad(in[0], in[1], c);
        if (!in[2].defined()) return y;
        Shape wide = Shape::filled(y.dim(), 1);
        wide[1] = in[2].numel();
        return kernels::binary(kernels::Binary::add, y, reshape(in[2], wide));
      },
      [c, precision](const Saved& s, const Tensor& v) {
        const detail::CastAs as_forward(precision);
        return gradients(s.needs(0) ? forward_pass("convolution", v, s.input(1), Tensor(), c) : Tensor(),
                         s.needs(1) ? weight_pass(s.input(0), v, c) : Tensor(),
                         s.needs(2) ? bias_gradient(v) : Tensor());
      });
}

Tensor weight_pass(const Tensor& dy, const Tensor& x, const Convolution& c) {
  const kernels::Precision precision = detail::autocast_precision;
  return record(
      {"convolution_weight",
       {{"stride", c.stride},
        {"padding", c.before},
        {"dilation", c.dilation},
        {"groups", c.groups},
        {"kernel_size", c.kernel}},
       saves::inputs},
      {dy, x},
      [c, precision](const Inputs& in) {
        const kernels::ProductPrecision in_use(precision);
        return kernels::convolution_weight_grad(in[0], in[1], c);
      },
      [c, precision](const Saved& s, const Tensor& v) {
        const detail::CastAs as_forward(precision);
        return gradients(s.needs(0) ? forward_pass("convolution", s.input(1), v, Tensor(), c) : Tensor(),
                         s.needs(1) ? input_pass("convolution_input", s.input(0), v, Tensor(), c) : Tensor());
      });
}

/// The operands with a batch axis, in one type; everything checked that does not depend on the options.
struct Operands {
  Tensor x, weight, bias;
  bool single;  ///< the batch axis was added
  Dims input, kernel;
  std::int64_t results;
};

Operands operands(const char* op, int axes, const Tensor& input, const Tensor& weight, const Tensor& bias,
                  std::int64_t groups, bool transpose) {
  if (input.dim() != axes + 1 && input.dim() != axes + 2)
    throw ShapeError(text(op, ": input ", input.shape(), " is not (N, C, ...) or (C, ...) with ", axes, " spatial ",
                          axes == 1 ? "axis" : "axes"));
  if (weight.dim() != axes + 2)
    throw ShapeError(text(op, ": weight ", weight.shape(), " does not have ", axes + 2, " axes"));
  constexpr std::int64_t most_groups = std::int64_t{1} << 30;
  if (groups < 1 || groups > most_groups)
    throw ConfigError(text(op, ": ", groups, " groups\n  help: choose at least 1",
                           groups > most_groups ? " and no more than there are channels" : ""));
  const bool single = input.dim() == axes + 1;
  DType type = promote(input.dtype(), weight.dtype());
  if (bias.defined()) type = promote(type, bias.dtype());
  if (!is_floating(type))
    throw DtypeError(text(op, ": input is ", input.dtype(), ", weight ", weight.dtype(),
                          "\n  help: convert them with to(x, DType::float32)"));
  Operands o{to(single ? unsqueeze(input, 0) : input, type),
             to(weight, type),
             bias.defined() ? to(bias, type) : bias,
             single,
             {},
             {},
             0};
  const std::int64_t channels = o.x.shape()[1], first = weight.shape()[0], second = weight.shape()[1];
  const std::int64_t takes = transpose ? first : second * groups;
  if (channels != takes)
    throw ShapeError(text(op, ": input ", input.shape(), " has ", channels, " channels, weight ", weight.shape(),
                          " with ", groups, groups == 1 ? " group takes " : " groups takes ", takes));
  if (first % groups != 0)
    throw ShapeError(text(op, ": weight ", weight.shape(), " has ", first, transpose ? " inputs" : " outputs", " for ",
                          groups, " groups\n  help: choose a number that ", groups, " divides"));
  o.results = transpose ? second * groups : first;
  if (bias.defined() && !(bias.shape() == Shape{o.results}))
    throw ShapeError(text(op, ": bias ", bias.shape(), " does not fit ", o.results, " outputs"));
  for (int a = 0; a < axes; ++a) {
    o.input.push_back(o.x.shape()[2 + a]);
    o.kernel.push_back(weight.shape()[2 + a]);
    if (o.kernel[a] < 1 || o.input[a] < 1)
      throw ShapeError(text(op, ": input ", input.shape(), " and weight ", weight.shape(),
                            " must not have a spatial axis of size 0"));
  }
  return o;
}

Tensor without_batch(const Tensor& y, bool single) { return single ? squeeze(y, 0) : y; }

Tensor convolve(const char* op, int axes, const Tensor& input, const Tensor& weight, const Tensor& bias,
                const ConvOptions& options) {
  const Operands o = operands(op, axes, input, weight, bias, options.groups, false);
  Convolution c{o.input,
                o.kernel,
                Dims::filled(axes, 0),
                options.stride.on(op, "stride", axes, 1),
                Dims::filled(axes, 0),
                options.dilation.on(op, "dilation", axes, 1),
                options.groups,
                options.relu};
  Dims after = c.before;
  const std::string& word = options.padding.word();
  if (!word.empty() && word != "same" && word != "valid")
    throw ConfigError(text(op, ": padding \"", word, "\" is unknown\n  help: choose \"same\", \"valid\" or numbers"));
  if (word.empty()) c.before = after = options.padding.each().on(op, "padding", axes, 0);
  for (int a = 0; a < axes; ++a) {
    const std::int64_t reach = (c.kernel[a] - 1) * c.dilation[a];
    if (word == "same") {
      if (c.stride[a] != 1)
        throw ConfigError(text(op, ": padding \"same\" with stride ", c.stride[a], "\n  help: choose stride 1"));
      c.before[a] = reach / 2;
      after[a] = reach - c.before[a];
    }
    const std::int64_t room = c.input[a] + c.before[a] + after[a] - reach - 1;
    if (room < 0)
      throw ShapeError(text(op, ": along axis ", a, " of ", axes, " the window reaches over ", reach + 1,
                            " elements, the padded input has ", c.input[a] + c.before[a] + after[a]));
    c.output[a] = room / c.stride[a] + 1;
  }
  return without_batch(forward_pass(op, o.x, o.weight, o.bias, c), o.single);
}

Tensor convolve_transpose(const char* op, int axes, const Tensor& input, const Tensor& weight, const Tensor& bias,
                          const ConvTransposeOptions& options) {
  const Operands o = operands(op, axes, input, weight, bias, options.groups, true);
  // As the transpose of a convolution: that one's output is the input here.
  Convolution c{Dims::filled(axes, 0),
                o.kernel,
                o.input,
                options.stride.on(op, "stride", axes, 1),
                options.padding.on(op, "padding", axes, 0),
                options.dilation.on(op, "dilation", axes, 1),
                options.groups};
  const Dims more = options.output_padding.on(op, "output_padding", axes, 0);
  for (int a = 0; a < axes; ++a) {
    if (more[a] >= std::max(c.stride[a], c.dilation[a]))
      throw ConfigError(text(op, ": output_padding ", more[a], " with stride ", c.stride[a], " and dilation ",
                             c.dilation[a], "\n  help: choose less than the larger of the two"));
    c.input[a] = (o.input[a] - 1) * c.stride[a] - 2 * c.before[a] + c.dilation[a] * (c.kernel[a] - 1) + more[a] + 1;
    if (c.input[a] < 1)
      throw ShapeError(text(op, ": along axis ", a, " of ", axes, " the result has size ", c.input[a],
                            "\n  help: choose less padding"));
  }
  return without_batch(input_pass(op, o.x, o.weight, o.bias, c), o.single);
}

}  // namespace

Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  return convolve("conv1d", 1, input, weight, bias, options);
}
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  return convolve("conv2d", 2, input, weight, bias, options);
}
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  return convolve("conv3d", 3, input, weight, bias, options);
}

Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return convolve_transpose("conv_transpose1d", 1, input, weight, bias, options);
}
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return convolve_transpose("conv_transpose2d", 2, input, weight, bias, options);
}
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return convolve_transpose("conv_transpose3d", 3, input, weight, bias, options);
}

}  // namespace weft
