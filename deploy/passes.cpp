#include <weft/deploy/passes.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/elementary.h>
#include <weft/autograd/ops/shape.h>
#include <weft/deploy/uses.h>
#include <weft/tensor/create.h>

namespace weft::deploy {
void drop_dead(Graph& g) {
  std::vector<bool> used(g.values.size()), gone(g.steps.size());
  for (const int v : g.outputs)
    if (v >= 0) used[static_cast<std::size_t>(v)] = true;
  for (std::size_t i = g.steps.size(); i-- > 0;) {
    const Step& s = g.steps[i];
    gone[i] =
        std::none_of(s.outputs.begin(), s.outputs.end(), [&](int v) { return used[static_cast<std::size_t>(v)]; });
    if (gone[i]) continue;
    for (const int v : s.inputs)
      if (v >= 0) used[static_cast<std::size_t>(v)] = true;
  }
  remove(g, gone);
}

// ---- batch norm

void fold_batch_norm(Graph& g, Arranged& arranged) {
  const Uses uses(g);
  std::vector<bool> gone(g.steps.size());
  for (std::size_t i = 0; i < g.steps.size(); ++i) {
    Step& convolution = g.steps[i];
    if (!is_convolution(convolution) || convolution.integer("relu") || !g.is_constant(convolution.inputs[1]) ||
        !g.is_constant(convolution.inputs[2]))
      continue;
    const auto next = uses.only(convolution.outputs[0]);
    if (!next || g.steps[*next].name != "batch_norm" || g.steps[*next].inputs[0] != convolution.outputs[0]) continue;
    const Step& norm = g.steps[*next];
    const auto given = [&](int place) { return norm.inputs[static_cast<std::size_t>(place)]; };
    if (norm.integer("training") || given(1) < 0 || given(2) < 0) continue;
    if (!std::all_of(norm.inputs.begin() + 1, norm.inputs.end(), [&](int v) { return g.is_constant(v); })) continue;

    // norm(W x + b) = (scale W) x + (b - mean) scale + bias; scale in float64.
    const int weight = convolution.inputs[1], bias = convolution.inputs[2];
    const auto constant = [&](int v, double otherwise) {
      return v < 0 ? full(g[given(1)].shape, otherwise, DType::float64) : to(g[v].constant, DType::float64);
    };
    std::vector<int> from(norm.inputs.begin() + 1, norm.inputs.end());
    from.insert(from.end(), {weight, bias});
    const bool lasting = std::all_of(from.begin(), from.end(), [&](int v) { return v < 0 || g[v].lasting; });
    const auto folded = arranged.of<std::pair<Tensor, Tensor>>("batch_norm", g, from, {}, [&] {
      const Tensor scale = constant(given(3), 1) * rsqrt(constant(given(2), 1) + norm.real("eps"));
      Shape wide = Shape::filled(g[weight].shape.size(), 1);
      wide[0] = scale.numel();
      const Tensor shift = (constant(bias, 0) - constant(given(1), 0)) * scale + constant(given(4), 0);
      const DType type = g[weight].dtype;
      return std::pair(g[weight].constant * to(reshape(scale, wide), type), to(shift, type));
    });
    convolution.inputs[1] = g.add_constant(folded.first, g[weight].name, lasting);
    convolution.inputs[2] = g.add_constant(folded.second, {}, lasting);
    convolution.outputs = norm.outputs;
    convolution.parts = {convolution.name, norm.name};
    gone[*next] = true;
  }
  remove(g, gone);
}

}  // namespace weft::deploy
