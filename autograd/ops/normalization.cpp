#include <weft/autograd/ops/normalization.h>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

Tensor layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias, double eps) {
  const int n = shape.size();
  bool fits = n > 0 && n <= x.dim();
  for (int i = 0; fits && i < n; ++i) fits = x.shape()[x.dim() - n + i] == shape[i];
  if (!fits) throw ShapeError(text("layer_norm: x ", x.shape(), " does not end in the normalised shape ", shape));
  for (const Tensor* p : {&weight, &bias})
    if (p->defined() && !(p->shape() == shape))
      throw ShapeError(text("layer_norm: a parameter is ", p->shape(), ", the normalised shape ", shape));
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
        std::vector<int> axes;
        for (int i = 1; i <= n; ++i) axes.push_back(-i);
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
  Shape wide = Shape::filled(x.dim(), 1);
  wide[1] = channels;
  std::vector<int> axes{0};
  for (int i = 2; i < x.dim(); ++i) axes.push_back(i);
  const auto per_channel = [&](const Tensor& p) { return reshape(p, wide); };

  Tensor centre, spread;
  if (training || !running_mean.defined() || !running_var.defined()) {
    const std::int64_t n = channels ? x.numel() / channels : 0;
    if (training && n < 2)
      throw ShapeError(text("batch_norm: training needs two or more values per channel, x ", x.shape(), " has ", n,
                            "\n  help: use a larger batch, drop the last incomplete one, or eval(model)"));
    centre = mean(x, axes, true);
    spread = mean(square(x - centre), axes, true);
    if (training) {
      const NoGrad off;
      const auto move = [&](const Tensor& running, const Tensor& now, double scale) {
        if (!running.defined()) return;
        const Tensor moved = running * (1 - momentum) + reshape(detach(now), {channels}) * (momentum * scale);
        kernels::copy_into(running, moved);
        ++running.body().storage->version;
      };
      move(running_mean, centre, 1);
      move(running_var, spread, static_cast<double>(n) / static_cast<double>(n - 1));
    }
  } else {
    centre = per_channel(running_mean);
    spread = per_channel(running_var);
  }
  Tensor y = (x - centre) * rsqrt(spread + eps);
  if (weight.defined()) y = y * per_channel(weight);
  if (bias.defined()) y = y + per_channel(bias);
  return y;
}

}  // namespace weft
