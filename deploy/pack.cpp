#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <string_view>
#include <utility>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/elementary.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/shape.h>
#include <weft/deploy/passes.h>
#include <weft/deploy/uses.h>
#include <weft/tensor/convolution.h>
#include <weft/tensor/create.h>
#include <weft/tensor/packed.h>
#include <weft/tensor/recurrent.h>

namespace weft::deploy {
namespace {

using kernels::Activation;

std::optional<Activation> activation(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Activation>, 6> all{{{"relu", Activation::relu},
                                                                               {"gelu", Activation::gelu},
                                                                               {"gelu_tanh", Activation::gelu_tanh},
                                                                               {"silu", Activation::silu},
                                                                               {"tanh", Activation::tanh},
                                                                               {"sigmoid", Activation::sigmoid}}};
  for (const auto& [key, value] : all)
    if (key == name) return value;
  return std::nullopt;
}

/// A product with constant weights and what follows it.
struct Product {
  std::size_t last;   ///< the step whose result is the whole's
  int norm = -1;      ///< a step: batch norm with fixed statistics
  int bias = -1;      ///< a constant
  int residual = -1;  ///< any value, of the result's shape
  std::optional<Activation> activation{};
  bool reshaped = false;  ///< the result has another shape than the product's
  std::vector<std::size_t> merged{};
};

/// Whether a value is a bias for rows of `features` numbers.
bool is_bias(const Graph& g, int value, std::int64_t features) {
  return g.is_constant(value) && is_float(g, value) && g[value].shape == Shape{features};
}

/// Whether a step is a batch norm that only scales and shifts the channels of `y`.
bool is_fixed_norm(const Graph& g, const Step& s, int y) {
  if (s.name != "batch_norm" || s.inputs[0] != y || s.integer("training") || s.inputs[1] < 0 || s.inputs[2] < 0)
    return false;
  return std::all_of(s.inputs.begin() + 1, s.inputs.end(), [&](int v) { return g.is_constant(v); });
}

/// The weight and shift of a product with a fixed batch norm behind it: norm(W x + b) = (scale W) x + (b - mean) scale
/// + bias, scale in float64.
std::pair<Tensor, Tensor> folded(const Graph& g, const Tensor& weight, const Tensor& bias, const Step& norm) {
  const auto constant = [&](std::size_t place, double otherwise) {
    const int v = norm.inputs[place];
    return v < 0 ? full({weight.shape()[0]}, otherwise, DType::float64) : to(g[v].constant, DType::float64);
  };
  const Tensor scale = constant(3, 1) * rsqrt(constant(2, 1) + norm.real("eps"));
  Shape wide = Shape::filled(weight.dim(), 1);
  wide[0] = scale.numel();
  const Tensor from = bias.defined() ? to(bias, DType::float64) - constant(1, 0) : -constant(1, 0);
  return {weight * to(reshape(scale, wide), weight.dtype()), to(from * scale + constant(4, 0), weight.dtype())};
}

/// Follows the only use of the result of step `i` as long as it fits.
Product follow(const Graph& g, const Uses& uses, std::size_t i, const std::vector<bool>& gone, bool may_reshape,
               std::int64_t features, int bias) {
  Product p{.last = i, .bias = bias};
  int y = g.steps[i].outputs[0];
  while (const auto next = uses.only(y)) {
    const Step& s = g.steps[*next];
    if (gone[*next]) break;
    const bool first = p.residual < 0 && !p.activation;
    if (p.norm < 0 && first && !p.reshaped && g[y].shape.size() > 1 && is_fixed_norm(g, s, y)) {
      p.norm = static_cast<int>(*next);
    } else if (s.name == "reshape" && may_reshape && !p.reshaped && g[s.outputs[0]].shape.size() > 0 &&
               g[s.outputs[0]].shape.back() == features) {
      p.reshaped = true;
    } else if (s.name == "add" && s.inputs.size() == 2 && !p.activation) {
      const int other = s.inputs[0] == y ? s.inputs[1] : s.inputs[0];
      if (p.bias < 0 && p.norm < 0 && p.residual < 0 && features > 0 && is_bias(g, other, features) &&
          g[s.outputs[0]].shape == g[y].shape)
        p.bias = other;
      else if (p.residual < 0 && other != y && is_float(g, other) && g[other].shape == g[y].shape)
        p.residual = other;
      else
        break;
    } else if (const auto f = activation(s.name); f && !p.activation) {
      p.activation = f;
    } else {
      break;
    }
    p.merged.push_back(*next);
    p.last = *next;
    y = s.outputs[0];
  }
  return p;
}

/// The step that computes a product and what follows, in the place of the last of them.
Step merged(const Graph& g, std::size_t i, const Product& p, Replay run) {
  const Step& first = g.steps[i];
  Step step{.name = first.name, .attributes = first.attributes, .run = std::move(run), .parts = first.parts};
  if (step.parts.empty()) step.parts.push_back(first.name);
  step.flops = first.flops;
  for (const std::size_t k : p.merged) {
    if (g.steps[k].name != "reshape") step.parts.push_back(g.steps[k].name);
    if (static_cast<int>(k) != p.norm) step.flops += g.steps[k].flops;
  }
  step.inputs.push_back(first.inputs[0]);
  if (p.residual >= 0) step.inputs.push_back(p.residual);
  step.outputs = g.steps[p.last].outputs;
  return step;
}

Tensor shaped(const Tensor& x, const Shape& shape) { return x.shape() == shape ? x : reshape(x, shape); }

}  // namespace

void pack_weights(Graph& g, Arranged& arranged) {
  const Uses uses(g);
  std::vector<bool> gone(g.steps.size()), done(g.steps.size());
  for (std::size_t i = 0; i < g.steps.size(); ++i) {
    if (gone[i] || done[i]) continue;
    const Step& s = g.steps[i];
    const bool linear = s.name == "linear", product = s.name == "matmul", convolution = is_convolution(s);
    if (!(linear || product || convolution) || !g.is_constant(s.inputs[1]) || g.is_constant(s.inputs[0])) continue;
    if (!is_float(g, s.inputs[0]) || !is_float(g, s.inputs[1])) continue;
    const Tensor weight = g[s.inputs[1]].constant;
    if (product && weight.dim() != 2) continue;
    const int bias = product ? -1 : s.inputs[2];
    if (bias >= 0 && (!g.is_constant(bias) || !is_float(g, bias))) continue;
    const std::int64_t features = convolution ? 0 : weight.shape()[product ? 1 : 0];
    Product p = convolution && s.integer("relu") ? Product{.last = i, .bias = bias, .activation = Activation::relu}
                                                 : follow(g, uses, i, gone, !convolution, features, bias);
    // What the arranged weights are made of, and how.
    std::vector<int> from{s.inputs[1], p.bias};
    std::vector<std::int64_t> numbers{product};
    if (p.norm >= 0) {
      const Step& norm = g.steps[static_cast<std::size_t>(p.norm)];
      from.insert(from.end(), norm.inputs.begin() + 1, norm.inputs.end());
      numbers.push_back(std::bit_cast<std::int64_t>(norm.real("eps")));
    }
    const auto weights = [&]() -> std::pair<Tensor, Tensor> {
      const std::pair plain(product ? t(weight) : weight, p.bias >= 0 ? g[p.bias].constant : Tensor());
      return p.norm < 0 ? plain : folded(g, plain.first, plain.second, g.steps[static_cast<std::size_t>(p.norm)]);
    };
    const Shape shape = g[g.steps[p.last].outputs[0]].shape;
    const Activation f = p.activation.value_or(Activation::none);
    Step step;
    if (convolution) {
      kernels::Convolution c{
          {},   {}, s.dims("output_size"), s.dims("stride"), s.dims("padding"), s.dims("dilation"), s.integer("groups"),
          false};
      for (int a = 2; a < weight.dim(); ++a) {
        c.input.push_back(g[s.inputs[0]].shape[a]);
        c.kernel.push_back(weight.shape()[a]);
      }
      numbers.push_back(c.groups);
      for (const Dims& each : {c.stride, c.before, c.dilation}) numbers.insert(numbers.end(), each.begin(), each.end());
      const auto packed = arranged
                              .of<kernels::PackedConvolution>("convolution", g, from, numbers,
                                                              [&] {
                                                                const auto [filter, shift] = weights();
                                                                return kernels::PackedConvolution(filter, shift, c);
                                                              })
                              .resized(c.input, c.output);
      packed.prepare(g[s.inputs[0]].shape[0]);
      step = merged(g, i, p, [packed, f](const Inputs& in, std::span<Tensor> out) {
        out[0] = packed(in[0], {f, in.size() > 1 ? &in[1] : nullptr});
      });
      step.packed = packed.bytes();
    } else {
      const auto packed = arranged.of<kernels::PackedLinear>("linear", g, from, numbers, [&] {
        const auto [matrix, shift] = weights();
        return kernels::PackedLinear(matrix, shift);
      });
      step = merged(g, i, p, [packed, f, shape](const Inputs& in, std::span<Tensor> out) {
        if (in.size() == 1) {
          out[0] = shaped(packed(in[0], {f, nullptr}), shape);
          return;
        }
        Shape rows = in[0].shape();
        rows.back() = packed.outputs();
        const Tensor residual = shaped(in[1], rows);
        out[0] = shaped(packed(in[0], {f, &residual}), shape);
      });
      step.packed = packed.bytes();
    }
    step.name = s.name;
    if (const std::string& name = g[s.inputs[1]].name; !name.empty()) step.attributes.emplace_back("weight", name);
    for (const std::size_t k : p.merged) gone[k] = true;
    gone[i] = true;
    gone[p.last] = false;
    done[p.last] = true;
    g.steps[p.last] = std::move(step);
  }
  remove(g, gone);
}

namespace {

/// The weights of a recurrent layer arranged once; its steps follow from the shapes where all sequences are as long.
void pack_recurrent(Graph& g, Step& s, Arranged& arranged) {
  enum Place { x, weight_ih, weight_hh, bias_ih, bias_hh, first_h, first_c };
  const auto at = [&](int place) { return s.inputs[static_cast<std::size_t>(place)]; };
  if (!s.integer("equal_lengths") || !is_float(g, at(x)) || !is_float(g, at(first_h))) return;
  for (const int place : {weight_ih, weight_hh, bias_ih, bias_hh})
    if (!g.is_constant(at(place))) return;
  const auto constant = [&](int place) { return at(place) < 0 ? Tensor() : g[at(place)].constant; };
  const std::int64_t batch = g[at(first_h)].shape[0], rows = g[at(x)].shape[0];
  if (batch == 0) return;
  kernels::Steps steps{.cell = static_cast<kernels::Cell>(s.integer("cell")),
                       .sizes = std::vector<std::int64_t>(static_cast<std::size_t>(rows / batch), batch),
                       .reverse = s.integer("reverse") != 0,
                       .batch_first = s.integer("batch_first") != 0};
  const auto packed = arranged.of<kernels::PackedRecurrent>(
      "recurrent", g, {at(weight_ih), at(weight_hh), at(bias_ih), at(bias_hh)}, {s.integer("cell")}, [&] {
        return kernels::PackedRecurrent(steps.cell, constant(weight_ih), constant(weight_hh), constant(bias_ih),
                                        constant(bias_hh));
      });
  if (const std::string& name = g[at(weight_ih)].name; !name.empty()) s.attributes.emplace_back("weight", name);
  s.parts = {s.name};
  s.packed = packed.bytes();
  s.inputs = {at(x), at(first_h), at(first_c)};
  s.run = [packed, steps](const Inputs& in, std::span<Tensor> out) {
    std::vector<Tensor> all = packed(in[0], in[1], in[2], steps);
    for (std::size_t k = 0; k < out.size(); ++k) out[k] = std::move(all[k]);
  };
}

}  // namespace

void pack_recurrent(Graph& g, Arranged& arranged) {
  for (Step& s : g.steps)
    if (s.name == "recurrent") pack_recurrent(g, s, arranged);
}

}  // namespace weft::deploy
