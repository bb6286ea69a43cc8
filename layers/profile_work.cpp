#include <weft/layers/profile_work.h>

#include <algorithm>
#include <string_view>

namespace weft::detail {
namespace {

double elements(const Tensor& x) { return x.defined() ? static_cast<double>(x.numel()) : 0; }
double bytes(const Tensor& x) { return x.defined() ? elements(x) * static_cast<double>(size_of(x.dtype())) : 0; }

/// The size of an axis from the end: 1 is the last.
double size(const Tensor& x, int from_end) {
  return x.dim() < from_end ? 1 : static_cast<double>(x.shape()[x.dim() - from_end]);
}
/// Elements per entry of the first axis.
double per_first(const Tensor& x) { return x.numel() == 0 ? 0 : elements(x) / static_cast<double>(x.shape()[0]); }

bool shares(const Tensor& y, const Inputs& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined() && inputs[i].body().storage == y.body().storage) return true;
  return false;
}

}  // namespace

WorkKind work_kind(const char* operation) {
  const std::string_view name = operation;
  if (name == "linear" || name == "matmul") return WorkKind::product;
  if (name == "recurrent") return WorkKind::recurrent;
  if (name == "scaled_dot_product_attention") return WorkKind::attention;
  if (name == "convolution_weight") return WorkKind::convolution_weight;
  if (name == "convolution_input" || name.starts_with("conv_transpose")) return WorkKind::convolution_input;
  if (name == "convolution" || name == "conv1d" || name == "conv2d" || name == "conv3d") return WorkKind::convolution;
  for (const std::string_view moving :
       {"cat",     "diagonal", "embedding", "expand",  "flip",   "gather",     "index_select", "pad",
        "permute", "reshape",  "roll",      "scatter", "slice",  "slice_grad", "split",        "squeeze",
        "stack",   "to",       "transpose", "unbind",  "unfold", "unsqueeze"})
    if (name == moving) return WorkKind::moving;
  return WorkKind::elementwise;
}

Work forward_work(WorkKind kind, const Inputs& inputs, std::span<const Tensor> outputs, BackwardWork& backward) {
  Work w;
  double results = 0, largest = 0, read = 0;
  bool view = !outputs.empty();
  for (const Tensor& y : outputs) {
    if (!y.defined() || shares(y, inputs)) continue;
    view = false;
    results += elements(y);
    w.written += bytes(y);
  }
  if (view) return {};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    largest = std::max(largest, elements(inputs[i]));
    // Of a table only the rows that are asked for are read.
    read += kind == WorkKind::moving ? std::min(bytes(inputs[i]), w.written) : bytes(inputs[i]);
  }
  w.read = read;
  const auto with_bias = [&](double products) {
    backward.per_product = products;
    return products + (inputs.size() > 2 && inputs[2].defined() ? results : 0);
  };
  switch (kind) {
    case WorkKind::product: w.flops = with_bias(2 * results * size(inputs[0], 1)); break;
    case WorkKind::convolution: w.flops = with_bias(2 * results * per_first(inputs[1])); break;
    case WorkKind::convolution_input: w.flops = with_bias(2 * elements(inputs[0]) * per_first(inputs[1])); break;
    case WorkKind::convolution_weight: w.flops = with_bias(2 * elements(inputs[0]) * per_first(outputs[0])); break;
    case WorkKind::attention: {
      const double e = size(inputs[0], 1), v = size(inputs[2], 1), pairs = results / v * size(inputs[1], 2);
      w.flops = 2 * pairs * (e + v);
      backward.fixed = 2 * pairs * (3 * e + 2 * v);
      break;
    }
    case WorkKind::recurrent:
      w.flops = 2 * size(inputs[0], 2) * (elements(inputs[1]) + elements(inputs[2]));
      backward.fixed = 2 * w.flops;
      break;
    case WorkKind::moving: break;
    case WorkKind::elementwise: w.flops = std::max(largest, results); break;
  }
  return w;
}

Work rule_work(const Node& node, const Tensor* dys, const Tensor* dxs, const BackwardWork& backward,
               const Work& nested) {
  Work w;
  double results = 0;
  const auto given = [&](const Tensor& dx) {
    return std::any_of(dys, dys + node.outputs,
                       [&](const Tensor& dy) { return dy.defined() && dy.body().storage == dx.body().storage; });
  };
  for (std::size_t i = 0; i < node.inputs; ++i)
    if (dxs[i].defined() && !given(dxs[i])) {
      results += elements(dxs[i]);
      w.written += bytes(dxs[i]);
    }
  if (results > 0) {
    for (std::size_t k = 0; k < node.outputs; ++k) w.read += bytes(dys[k]);
    for (std::size_t k = 0; k < node.saved_count; ++k) w.read += bytes(node.saved[k].value);
  }
  if (!backward.known()) {
    w.flops = nested.read + nested.written > 0 ? nested.flops : results;
    return w;
  }
  w.flops = backward.fixed;
  for (std::size_t i = 0; i < std::min<std::size_t>(2, node.inputs); ++i)
    if (dxs[i].defined()) w.flops += backward.per_product;
  // The gradient of a bias: its sum over all rows.
  if (backward.per_product > 0 && node.inputs > 2 && dxs[2].defined() && dys[0].defined()) w.flops += elements(dys[0]);
  return w;
}

}  // namespace weft::detail
