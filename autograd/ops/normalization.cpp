#include <weft/autograd/ops/normalization.h>

#include <algorithm>
#include <limits>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/sampling.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

/// Throws unless x ends in the normalised shape and the parameters have it.
void check_normalized(const char* op, const Tensor& x, const Shape& shape,
                      std::initializer_list<const Tensor*> parameters) {
  const int n = shape.size();
  bool fits = n > 0 && n <= x.dim();
  for (int i = 0; fits && i < n; ++i) fits = x.shape()[x.dim() - n + i] == shape[i];
  if (!fits) throw ShapeError(text(op, ": x ", x.shape(), " does not end in the normalised shape ", shape));
  for (const Tensor* p : parameters)
    if (p->defined() && !(p->shape() == shape))
      throw ShapeError(text(op, ": a parameter is ", p->shape(), ", the normalised shape ", shape));
}

std::vector<int> last_axes(int n) {
  std::vector<int> axes;
  for (int i = 1; i <= n; ++i) axes.push_back(-i);
  return axes;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias, double eps) {
  const int n = shape.size();
  check_normalized("layer_norm", x, shape, {&weight, &bias});
  return record(
      {"layer_norm", {{"shape", shape}, {"eps", eps}}, saves::inputs}, {x, weight, bias},
      [=](const Inputs& in, Keep& keep) {
        Tensor mean, rstd;
        Tensor y = kernels::layer_norm(in[0], n, in[1], in[2], eps, mean, rstd);
        keep(mean, rstd);
        return y;
      },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), &w = s.input(1);
        Tensor dx, dw, db;
        if (!grad_enabled()) {
          kernels::layer_norm_grad(dy, v, n, s.kept(0), s.kept(1), w, s.needs(0) ? &dx : nullptr,
                                   s.needs(1) ? &dw : nullptr, s.needs(2) ? &db : nullptr);
          return gradients(dx, dw, db);
        }
        const std::vector<int> axes = last_axes(n);
        const Tensor centred = v - mean(v, axes, true), scale = rsqrt(mean(square(centred), axes, true) + eps);
        const Tensor unit = centred * scale, g = w.defined() ? dy * w : dy;
        if (s.needs(0)) dx = scale * (g - mean(g, axes, true) - unit * mean(g * unit, axes, true));
        if (s.needs(1)) dw = sum_to(dy * unit, w.shape());
        if (s.needs(2)) db = sum_to(dy, shape);
        return gradients(dx, dw, db);
      });
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps) {
  if (x.dim() == 1 && x.numel() == 0) return copy(x);  // no channels, nothing to do
  if (x.dim() < 2)
    throw ShapeError(text("batch_norm: x ", x.shape(), " has no channels\n  help: pass (B, C) or (B, C, ...)"));
  const std::int64_t channels = x.shape()[1];
  for (const Tensor* p : {&running_mean, &running_var, &weight, &bias})
    if (p->defined() && (p->dim() != 1 || p->shape()[0] != channels))
      throw ShapeError(
          text("batch_norm: a parameter is ", p->shape(), ", x ", x.shape(), " has ", channels, " channels"));
  const std::int64_t n = channels ? x.numel() / channels : 0;
  if (training && n < 2)
    throw ShapeError(text("batch_norm: training needs two or more values per channel, x ", x.shape(), " has ", n,
                          "\n  help: use a larger batch, drop the last incomplete one, or eval(model)"));
  const bool own = training || !running_mean.defined() || !running_var.defined();
  return record(
      {"batch_norm", {{"training", training}, {"momentum", momentum}, {"eps", eps}}, saves::input(0) | saves::input(3)},
      {x, running_mean, running_var, weight, bias},
      [=](const Inputs& in, Keep& keep) {
        Tensor mean, variance;
        if (own) {
          kernels::channel_moments(in[0], mean, variance);
        } else {
          mean = kernels::cast(copy(in[1]), DType::float64);
          variance = kernels::cast(in[2], DType::float64);
        }
        const auto move = [&](const Tensor& running, const Tensor& now, double scale) {
          if (training && running.defined())
            kernels::copy_into(running, running * (1 - momentum) + now * (momentum * scale));
        };
        move(in[1], mean, 1);
        move(in[2], variance, static_cast<double>(n) / static_cast<double>(n - 1));
        const Tensor scale = rsqrt(variance + eps);
        keep(mean, scale);
        return kernels::batch_norm(in[0], mean, scale, in[3], in[4]);
      },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), &w = s.input(3);
        Tensor dx, dw, db;
        if (!grad_enabled()) {
          kernels::batch_norm_grad(dy, v, s.kept(0), s.kept(1), w, own, s.needs(0) ? &dx : nullptr,
                                   s.needs(3) ? &dw : nullptr, s.needs(4) ? &db : nullptr);
          return gradients(dx, Tensor(), Tensor(), dw, db);
        }
        std::vector<int> others{0};
        for (int a = 2; a < v.dim(); ++a) others.push_back(a);
        Shape wide = Shape::filled(v.dim(), 1);
        wide[1] = channels;
        const auto kept = [&](int place) { return to(reshape(s.kept(place), wide), v.dtype()); };
        const Tensor centred = v - (own ? mean(v, others, true) : kept(0));
        const Tensor scale = own ? rsqrt(mean(square(centred), others, true) + eps) : kept(1), unit = centred * scale;
        const Tensor g = w.defined() ? dy * reshape(w, wide) : dy;
        if (s.needs(0))
          dx = own ? scale * (g - mean(g, others, true) - unit * mean(g * unit, others, true)) : g * scale;
        if (s.needs(3)) dw = sum(dy * unit, others);
        if (s.needs(4)) db = sum(dy, others);
        return gradients(dx, Tensor(), Tensor(), dw, db);
      });
}

Tensor rms_norm(const Tensor& x, const Shape& shape, const Tensor& weight, std::optional<double> given) {
  check_normalized("rms_norm", x, shape, {&weight});
  const int n = shape.size();
  const double precision = x.dtype() == DType::float64    ? std::numeric_limits<double>::epsilon()
                           : x.dtype() == DType::bfloat16 ? 0x1p-7
                                                          : std::numeric_limits<float>::epsilon();
  const double eps = given.value_or(precision);
  return record(
      {"rms_norm", {{"shape", shape}, {"eps", eps}}, saves::inputs}, {x, weight},
      [=](const Inputs& in, Keep& keep) {
        Tensor rstd;
        Tensor y = kernels::rms_norm(in[0], n, in[1], eps, rstd);
        keep(rstd);
        return y;
      },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), &w = s.input(1);
        Tensor dx, dw;
        if (!grad_enabled()) {
          kernels::rms_norm_grad(dy, v, n, s.kept(0), w, s.needs(0) ? &dx : nullptr, s.needs(1) ? &dw : nullptr);
          return gradients(dx, dw);
        }
        const std::vector<int> axes = last_axes(n);
        const Tensor scale = rsqrt(mean(square(v), axes, true) + eps), unit = v * scale;
        const Tensor g = w.defined() ? dy * w : dy;
        if (s.needs(0)) dx = scale * (g - unit * mean(g * unit, axes, true));
        if (s.needs(1)) dw = sum_to(dy * unit, w.shape());
        return gradients(dx, dw);
      });
}

namespace {

/// Throws unless x has channels and the parameters are one number each.
void check_channels(const char* op, const Tensor& x, std::initializer_list<const Tensor*> parameters) {
  if (x.dim() < 2) throw ShapeError(text(op, ": x ", x.shape(), " has no channels\n  help: pass (B, C, ...)"));
  for (const Tensor* p : parameters)
    if (p->defined() && !(p->shape() == Shape{x.shape()[1]}))
      throw ShapeError(
          text(op, ": a parameter is ", p->shape(), ", x ", x.shape(), " has ", x.shape()[1], " channels"));
}

}  // namespace

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  check_channels("group_norm", x, {&weight, &bias});
  const std::int64_t channels = x.shape()[1];
  if (groups < 1) throw ConfigError(text("group_norm: ", groups, " groups\n  help: choose at least 1"));
  if (channels % groups != 0)
    throw ShapeError(text("group_norm: x ", x.shape(), " has ", channels, " channels for ", groups,
                          " groups\n  help: choose a number that divides them"));
  return record(
      {"group_norm", {{"num_groups", groups}, {"eps", eps}}, saves::inputs}, {x, weight, bias},
      [=](const Inputs& in, Keep& keep) {
        Tensor mean, rstd;
        Tensor y = kernels::group_norm(in[0], groups, in[1], in[2], eps, mean, rstd);
        keep(mean, rstd);
        return y;
      },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), &w = s.input(1);
        Tensor dx, dw, db;
        if (!grad_enabled()) {
          kernels::group_norm_grad(dy, v, groups, s.kept(0), s.kept(1), w, s.needs(0) ? &dx : nullptr,
                                   s.needs(1) ? &dw : nullptr, s.needs(2) ? &db : nullptr);
          return gradients(dx, dw, db);
        }
        std::vector<int> others{0};
        for (int a = 2; a < v.dim(); ++a) others.push_back(a);
        if (s.needs(2)) db = sum(dy, others);
        if (v.numel() == 0) return gradients(dy, s.needs(1) ? sum(dy, others) : dw, db);
        const Shape rows{v.shape()[0], groups, v.numel() / (v.shape()[0] * groups)};
        const Tensor x_rows = reshape(v, rows), centred = x_rows - mean(x_rows, 2, true);
        const Tensor scale = rsqrt(mean(square(centred), 2, true) + eps), unit = centred * scale;
        Shape wide = Shape::filled(v.dim(), 1);
        wide[1] = channels;
        const Tensor g = reshape(w.defined() ? dy * reshape(w, wide) : dy, rows);
        if (s.needs(0)) dx = reshape(scale * (g - mean(g, 2, true) - unit * mean(g * unit, 2, true)), v.shape());
        if (s.needs(1)) dw = sum(dy * reshape(unit, v.shape()), others);
        return gradients(dx, dw, db);
      });
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                     const Tensor& bias, const InstanceNormOptions& options) {
  check_channels("instance_norm", x, {&running_mean, &running_var, &weight, &bias});
  if (!options.use_input_stats) {
    if (!running_mean.defined() || !running_var.defined())
      throw ConfigError(
          "instance_norm: without the input's statistics it needs running ones\n  help: pass running_mean and "
          "running_var");
    return batch_norm(x, running_mean, running_var, weight, bias, false, options.momentum, options.eps);
  }
  std::int64_t count = 1;
  for (int a = 2; a < x.dim(); ++a) count *= x.shape()[a];
  if (count < 2 && x.numel() > 0)
    throw ShapeError(text("instance_norm: x ", x.shape(), " has one value per channel\n  help: use group_norm"));
  if ((running_mean.defined() || running_var.defined()) && x.numel() > 0) {
    const NoGrad off;
    const Tensor rows = reshape(detach(x), {x.shape()[0], x.shape()[1], count});
    const auto move = [&](const Tensor& running, const Tensor& now) {
      if (!running.defined()) return;
      kernels::copy_into(running, running * (1 - options.momentum) + mean(now, 0) * options.momentum);
    };
    move(running_mean, mean(rows, 2));
    move(running_var, var(rows, 2));
  }
  return x.shape()[1] == 0 ? copy(x) : group_norm(x, x.shape()[1], weight, bias, options.eps);
}

Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha, double beta, double k) {
  if (x.dim() < 3)
    throw ShapeError(text("local_response_norm: x ", x.shape(), " is not (B, C, ...) with spatial axes"));
  if (size < 1) throw ConfigError(text("local_response_norm: size is ", size, "\n  help: choose at least 1"));
  detail::require_floating("local_response_norm", x);
  const std::int64_t channels = x.shape()[1];
  kernels::AxisMap around{1, channels};
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t first = std::max<std::int64_t>(c - size / 2, 0),
                       last = std::min(c + (size - 1) / 2, channels - 1);
    for (std::int64_t i = first; i <= last; ++i) around.add(i, alpha / static_cast<double>(size));
    around.end_output();
  }
  return x / pow(detail::linear_maps({"channel_window"}, square(x), {around}) + k, beta);
}

}  // namespace weft
