#include <weft/layers/signal.h>

#include <cmath>
#include <limits>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

/// `steps` is the axis of time in x.
void check_mask(const char* name, const Tensor& x, int steps, const Tensor& mask) {
  if (x.dim() != 3) throw ShapeError(text(name, ": x ", x.shape(), " is not ", steps == 2 ? "(B, C, T)" : "(B, T, D)"));
  if (!mask.defined()) return;
  if (mask.shape() != Shape{x.size(0), x.size(steps)})
    throw ShapeError(text(name, ": mask ", mask.shape(), " for x ", x.shape(), "\n  help: pass one of (B, T), here ",
                          Shape{x.size(0), x.size(steps)}));
  if (mask.dtype() != DType::boolean) throw DtypeError(text(name, ": the mask is ", mask.dtype(), ", not bool"));
}

/// x (B, C, T) with `otherwise` at the steps that were not measured.
Tensor kept(const Tensor& x, const Tensor& mask, double otherwise = 0) {
  return mask.defined() ? where(unsqueeze(mask, 1), x, scalar(otherwise, x.dtype())) : x;
}

/// Batch norm whose statistics are those of the measured steps.
Tensor normalized(const BatchNorm& norm, const Tensor& x, const Tensor& mask) {
  if (!mask.defined() || !norm.mode.training) return norm(x);
  const std::int64_t batch = x.size(0), channels = x.size(1), steps = x.size(2);
  const Tensor measured = nonzero(reshape(mask, {batch * steps}));  // (K,)
  // A single step has no variance.
  if (measured.numel() < 2)
    return batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, false, 0, norm.eps);
  const Tensor flat = reshape(permute(x, {0, 2, 1}), {batch * steps, channels});               // (B T, C)
  const Tensor y = norm(index_select(flat, 0, measured));                                      // (K, C)
  const Tensor back = index_add(zeros({batch * steps, channels}, x.dtype()), 0, measured, y);  // (B T, C)
  return permute(reshape(back, {batch, steps, channels}), {0, 2, 1});
}

Tensor every(const Tensor& mask, std::int64_t stride) {
  return mask.defined() && stride != 1 ? slice(mask, 1, 0, mask.size(1), stride) : mask;
}

/// A convolution without bias that keeps the number of steps but for its stride: result p looks around step p * stride,
/// so that the end of a signal lies where it would without padding.
Conv1d convolution(std::int64_t in, std::int64_t out, std::int64_t window, std::int64_t stride) {
  Conv1d c({.in_channels = in,
            .out_channels = out,
            .kernel_size = window,
            .stride = stride,
            .padding = window / 2,
            .bias = false});
  initialize::normal(c.weight, 0, std::sqrt(2 / static_cast<double>(out * window)));
  return c;
}

const SignalCnnOptions& checked(const SignalCnnOptions& o) {
  if (o.channels.empty()) throw ConfigError("SignalCnn: there are no channels\n  help: give one number per stage");
  for (const std::int64_t n : o.channels)
    if (n < 1) throw ConfigError(text("SignalCnn: a stage has ", n, " channels\n  help: choose 1 or more"));
  if (o.kernel_size < 1 || o.kernel_size % 2 == 0)
    throw ConfigError(text("SignalCnn: kernel_size ", o.kernel_size, " has no middle\n  help: choose an odd number"));
  if (o.in_channels < 1 || o.blocks < 1 || o.stride < 1 || o.squeeze < 0)
    throw ConfigError(text("SignalCnn: in_channels ", o.in_channels, ", blocks ", o.blocks, ", stride ", o.stride,
                           ", squeeze ", o.squeeze, "\n  help: choose 1 or more; squeeze 0 leaves it out"));
  return o;
}

const SignalRnnOptions& checked(const SignalRnnOptions& o) {
  if (o.in_channels < 1 || o.hidden_size < 1 || o.num_layers < 1)
    throw ConfigError(text("SignalRnn: in_channels ", o.in_channels, ", hidden_size ", o.hidden_size, ", num_layers ",
                           o.num_layers, "\n  help: choose 1 or more"));
  return o;
}

/// How many steps each signal has. Throws where one goes on after a gap.
Lengths lengths_of(const Tensor& mask) {
  Lengths lengths;
  if (!mask.defined()) return lengths;
  const Tensor dense = contiguous(mask);
  const bool* there = dense.data<bool>();
  for (std::int64_t b = 0; b < dense.size(0); ++b, there += dense.size(1)) {
    std::int64_t n = 0;
    for (std::int64_t t = 0; t < dense.size(1); ++t)
      if (there[t]) {
        if (t != n)
          throw ConfigError(text("SignalRnn: signal ", b, " goes on at step ", t, " after a gap from step ", n,
                                 "\n  help: fill gaps, or use a SignalCnn"));
        ++n;
      }
    lengths.push_back(n);
  }
  return lengths;
}

}  // namespace

Tensor length_mask(const Lengths& lengths, std::int64_t steps) {
  if (steps < 0) throw ConfigError(text("length_mask: steps is ", steps));
  const auto batch = static_cast<std::int64_t>(lengths.size());
  Tensor mask = zeros({batch, steps}, DType::boolean);
  bool* there = mask.mutable_data<bool>();
  for (const std::int64_t n : lengths) {
    if (n < 0 || n > steps) throw ConfigError(text("length_mask: length ", n, " is outside [0, ", steps, "]"));
    for (std::int64_t t = 0; t < n; ++t) there[t] = true;
    there += steps;
  }
  return mask;
}

Tensor global_avg_pool1d(const Tensor& x, const Tensor& mask) {
  check_mask("global_avg_pool1d", x, 2, mask);
  if (!mask.defined()) return mean(x, 2);
  const Tensor measured =
      clamp(sum(to(mask, x.dtype()), 1, true), 1, std::numeric_limits<double>::infinity());  // (B, 1)
  return sum(kept(x, mask), 2) / measured;
}

Tensor global_max_pool1d(const Tensor& x, const Tensor& mask) {
  check_mask("global_max_pool1d", x, 2, mask);
  if (!mask.defined()) return amax(x, 2);
  const Tensor largest = amax(kept(x, mask, -std::numeric_limits<double>::infinity()), 2);  // (B, C)
  return where(any(mask, 1, true), largest, scalar(0, x.dtype()));
}

AttentionPool::AttentionPool(std::int64_t features, std::int64_t between, DType dtype)
    : hidden([&] {
        if (features < 1 || between < 1)
          throw ConfigError(
              text("AttentionPool: ", features, " features, ", between, " hidden\n  help: choose 1 or more"));
        return Linear({.in_features = features, .out_features = between, .dtype = dtype});
      }()),
      score(empty({between}, dtype)) {
  const double bound = 1 / std::sqrt(static_cast<double>(between));
  initialize::uniform(score, -bound, bound);
  score.set_requires_grad();
}

Tensor AttentionPool::operator()(const Tensor& x, const Tensor& mask, Tensor* weights) const {
  check_mask("AttentionPool", x, 1, mask);
  const Tensor seen = mask.defined() ? where(unsqueeze(mask, 2), x, scalar(0, x.dtype())) : x;  // (B, T, D)
  const Tensor scores = sum(tanh(hidden(seen)) * score, 2);                                     // (B, T)
  const Tensor w = mask.defined() ? masked_softmax(scores, mask, 1) : softmax(scores, 1);
  if (weights) *weights = w;
  return squeeze(matmul(unsqueeze(w, 1), seen), 1);  // (B, 1, T) (B, T, D) -> (B, D)
}

SignalBlock::SignalBlock(std::int64_t in, std::int64_t out, std::int64_t kernel_size, std::int64_t step, double p,
                         std::int64_t squeeze)
    : conv1(convolution(in, out, kernel_size, step)),
      bn1(out),
      dropout(p),
      conv2(convolution(out, out, kernel_size, 1)),
      bn2(out),
      stride(step) {
  if (squeeze > 0) se.emplace(out, squeeze);
  if (step == 1 && in == out) return;
  downsample_conv = convolution(in, out, 1, step);
  downsample_bn.emplace(out);
}

Tensor SignalBlock::operator()(const Tensor& x, const Tensor& mask) const {
  check_mask("SignalBlock", x, 2, mask);
  const Tensor left = every(mask, stride);
  const Tensor seen = kept(x, mask);
  Tensor y = kept(dropout(relu(normalized(bn1, conv1(seen), left))), left);
  y = normalized(bn2, conv2(y), left);
  if (se) {
    const Tensor scale = sigmoid(se->fc2(relu(se->fc1(global_avg_pool1d(y, left)))));  // (B, out)
    y = y * unsqueeze(scale, 2);
  }
  return kept(relu(y + (downsample_conv ? normalized(*downsample_bn, (*downsample_conv)(seen), left) : seen)), left);
}

SignalCnn::SignalCnn(const SignalCnnOptions& unchecked)
    : conv1([](const SignalCnnOptions& o) {
        return convolution(o.in_channels, o.channels.front(), o.kernel_size, 1);
      }(checked(unchecked))),
      bn1(unchecked.channels.front()),
      pool(unchecked.pool) {
  const SignalCnnOptions& o = unchecked;
  std::int64_t in = o.channels.front();
  for (std::size_t stage = 0; stage < o.channels.size(); ++stage)
    for (std::int64_t i = 0; i < o.blocks; ++i) {
      blocks.emplace_back(in, o.channels[stage], o.kernel_size, stage > 0 && i == 0 ? o.stride : 1, o.dropout,
                          o.squeeze);
      in = o.channels[stage];
    }
  if (pool == SignalPool::attention) attention.emplace(in);
}

Tensor SignalCnn::operator()(const Tensor& x, const Tensor& mask) const {
  check_mask("SignalCnn", x, 2, mask);
  Tensor left = mask;
  Tensor y = relu(normalized(bn1, conv1(kept(x, mask)), mask));  // (B, channels, T)
  for (const SignalBlock& block : blocks) {
    y = block(y, left);
    left = every(left, block.stride);
  }
  switch (pool) {
    case SignalPool::mean: return global_avg_pool1d(y, left);
    case SignalPool::max: return global_max_pool1d(y, left);
    default: return (*attention)(permute(y, {0, 2, 1}), left);
  }
}

std::int64_t SignalCnn::width() const { return blocks.back().bn2.weight.numel(); }

SignalRnn::SignalRnn(const SignalRnnOptions& o)
    : pool((checked(o).bidirectional ? 2 : 1) * o.hidden_size, o.attention, o.dtype),
      features((o.bidirectional ? 2 : 1) * o.hidden_size) {
  if (o.cell == SignalCell::lstm)
    lstm.emplace(LSTMOptions{.input_size = o.in_channels,
                             .hidden_size = o.hidden_size,
                             .num_layers = o.num_layers,
                             .batch_first = true,
                             .dropout = o.dropout,
                             .bidirectional = o.bidirectional,
                             .dtype = o.dtype});
  else
    gru.emplace(GRUOptions{.input_size = o.in_channels,
                           .hidden_size = o.hidden_size,
                           .num_layers = o.num_layers,
                           .batch_first = true,
                           .dropout = o.dropout,
                           .bidirectional = o.bidirectional,
                           .dtype = o.dtype});
}

Tensor SignalRnn::operator()(const Tensor& x, const Tensor& mask, Tensor* weights) const {
  check_mask("SignalRnn", x, 2, mask);
  const Lengths lengths = lengths_of(mask);
  const Tensor steps = permute(kept(x, mask), {0, 2, 1});  // (B, T, C)
  const Tensor states = lstm ? (*lstm)(steps, {}, lengths).output : (*gru)(steps, Tensor(), lengths).output;
  return pool(states, mask, weights);  // (B, T, width) -> (B, width)
}

}  // namespace weft
