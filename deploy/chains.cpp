#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

#include <weft/deploy/passes.h>
#include <weft/deploy/uses.h>
#include <weft/tensor/packed.h>

namespace weft::deploy {
namespace {

using kernels::Binary;
using kernels::Unary;

std::optional<Unary> unary(std::string_view name) {
  static const std::unordered_map<std::string_view, Unary> all{{"neg", Unary::neg},
                                                               {"abs", Unary::abs},
                                                               {"sign", Unary::sign},
                                                               {"square", Unary::square},
                                                               {"relu", Unary::relu},
                                                               {"floor", Unary::floor},
                                                               {"ceil", Unary::ceil},
                                                               {"trunc", Unary::trunc},
                                                               {"exp", Unary::exp},
                                                               {"exp2", Unary::exp2},
                                                               {"expm1", Unary::expm1},
                                                               {"log", Unary::log},
                                                               {"log2", Unary::log2},
                                                               {"log10", Unary::log10},
                                                               {"log1p", Unary::log1p},
                                                               {"sqrt", Unary::sqrt},
                                                               {"rsqrt", Unary::rsqrt},
                                                               {"reciprocal", Unary::reciprocal},
                                                               {"sin", Unary::sin},
                                                               {"cos", Unary::cos},
                                                               {"tanh", Unary::tanh},
                                                               {"sigmoid", Unary::sigmoid},
                                                               {"log_sigmoid", Unary::log_sigmoid},
                                                               {"softplus", Unary::softplus},
                                                               {"silu", Unary::silu},
                                                               {"gelu", Unary::gelu},
                                                               {"gelu_tanh", Unary::gelu_tanh},
                                                               {"erf", Unary::erf},
                                                               {"mish", Unary::mish},
                                                               {"hardswish", Unary::hardswish}};
  const auto found = all.find(name);
  return found == all.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Binary> binary(std::string_view name) {
  static const std::unordered_map<std::string_view, Binary> all{
      {"add", Binary::add}, {"sub", Binary::sub},         {"mul", Binary::mul},
      {"div", Binary::div}, {"rsub", Binary::sub},        {"rdiv", Binary::div},
      {"pow", Binary::pow}, {"maximum", Binary::maximum}, {"minimum", Binary::minimum}};
  const auto found = all.find(name);
  return found == all.end() ? std::nullopt : std::optional(found->second);
}

/// Whether a step can be one of a chain: float32 in and out, and its operation is known.
bool chainable(const Graph& g, const Step& s) {
  if (s.outputs.size() != 1 || s.packed || !s.parts.empty() || !is_float(g, s.outputs[0])) return false;
  for (const int v : s.inputs)
    if (!is_float(g, v)) return false;
  if (s.name == "clamp") return s.inputs.size() == 1;
  return (s.inputs.size() == 1 && unary(s.name)) ||
         (binary(s.name) && (s.inputs.size() == 2 || s.attribute("other") || s.attribute("exponent")));
}

/// Builds the chain of the steps of a group, the last of which is `i`.
struct ChainBuilder {
  using Operand = kernels::ElementwiseChain::Operand;
  const Graph& g;
  const Uses& uses;
  const std::vector<int>& group;  ///< per step, the last step of its group
  std::size_t last;
  std::vector<int> inputs{};
  std::vector<std::string> parts{};
  double flops = 0;

  /// The inputs of the group, each once, in the order of their first use.
  void collect(std::size_t i) {
    for (const int v : g.steps[i].inputs) {
      const int maker = uses.maker[static_cast<std::size_t>(v)];
      if (maker >= 0 && group[static_cast<std::size_t>(maker)] == static_cast<int>(last))
        collect(static_cast<std::size_t>(maker));
      else if (std::find(inputs.begin(), inputs.end(), v) == inputs.end())
        inputs.push_back(v);
    }
  }
  Operand operand(kernels::ElementwiseChain& chain, int v) {
    const int maker = uses.maker[static_cast<std::size_t>(v)];
    if (maker >= 0 && group[static_cast<std::size_t>(maker)] == static_cast<int>(last))
      return add(chain, static_cast<std::size_t>(maker));
    return chain.input(static_cast<int>(std::find(inputs.begin(), inputs.end(), v) - inputs.begin()));
  }
  Operand add(kernels::ElementwiseChain& chain, std::size_t i) {
    const Step& s = g.steps[i];
    const Operand a = operand(chain, s.inputs[0]);
    const Operand result = [&] {
      if (s.name == "clamp") return chain.clamp(a, s.real("min"), s.real("max"));
      if (const auto op = unary(s.name); op && s.inputs.size() == 1) return chain.step(*op, a);
      const Binary op = *binary(s.name);
      if (s.inputs.size() == 2) return chain.step(op, a, operand(chain, s.inputs[1]));
      const Operand number = chain.number(s.real(s.attribute("other") ? "other" : "exponent"));
      return s.name[0] == 'r' ? chain.step(op, number, a) : chain.step(op, a, number);
    }();
    parts.push_back(s.name);
    flops += s.flops;
    return result;
  }
};

}  // namespace

void fuse_elementwise(Graph& g) {
  const Uses uses(g);
  // From the end on: a step joins the group of its only user when both make the same shape.
  std::vector<int> group(g.steps.size(), -1);
  std::vector<int> size(g.steps.size());
  for (std::size_t i = g.steps.size(); i-- > 0;) {
    if (!chainable(g, g.steps[i])) continue;
    group[i] = static_cast<int>(i);
    if (const auto next = uses.only(g.steps[i].outputs[0]);
        next && group[*next] >= 0 && g[g.steps[*next].outputs[0]].shape == g[g.steps[i].outputs[0]].shape)
      group[i] = group[*next];
    ++size[static_cast<std::size_t>(group[i])];
  }
  std::vector<bool> gone(g.steps.size());
  std::vector<std::pair<std::size_t, Step>> made;
  for (std::size_t i = 0; i < g.steps.size(); ++i) {
    if (group[i] != static_cast<int>(i) || size[i] < 2) continue;
    ChainBuilder builder{g, uses, group, i};
    builder.collect(i);
    kernels::ElementwiseChain chain(static_cast<int>(builder.inputs.size()));
    builder.add(chain, i);
    Step step{.name = "elementwise", .inputs = builder.inputs, .outputs = g.steps[i].outputs, .parts = builder.parts};
    step.flops = builder.flops;
    step.run = [chain](const Inputs& in, std::span<Tensor> out) { out[0] = chain(in.list()); };
    made.emplace_back(i, std::move(step));
  }
  for (std::size_t i = 0; i < g.steps.size(); ++i) gone[i] = group[i] >= 0 && group[i] != static_cast<int>(i);
  for (auto& [i, step] : made) g.steps[i] = std::move(step);
  remove(g, gone);
}

}  // namespace weft::deploy
