#include <weft/fusion/attribution.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/at.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

using data::detail::at;

/// (B, M) bool -> what broadcasts with (B, ...).
Tensor present_rows(const Tensor& present, std::size_t m, int rank) {
  const auto k = static_cast<std::int64_t>(m);
  Shape shape = {present.size(0)};
  for (int i = 1; i < rank; ++i) shape.push_back(1);
  return reshape(contiguous(slice(present, 1, k, k + 1)), shape);
}

/// The baseline of one modality in the shape of all rows.
Tensor baseline_of(const data::Modalities& x, const GradientOptions& o, std::size_t m) {
  const Tensor& like = x.features[m];
  if (o.baseline.empty()) return zeros_like(like);
  const Tensor& given = o.baseline[m];
  const Shape row(std::span<const std::int64_t>(like.shape().begin() + 1, like.shape().end()));
  if (given.shape() == like.shape()) return to(given, like.dtype());
  if (given.shape() != row)
    throw ShapeError(text("integrated_gradients: the baseline of \"", x.names[m], "\" is ", given.shape(),
                          ", its features are ", like.shape()));
  return expand(unsqueeze(to(given, like.dtype()), 0), like.shape());
}

void check(const data::Modalities& x, const GradientOptions& o) {
  x.check();
  for (std::size_t m = 0; m < x.features.size(); ++m)
    if (!is_floating(x.features[m].dtype()))
      throw DtypeError(text("integrated_gradients: \"", x.names[m], "\" is ", x.features[m].dtype(),
                            ", which has no gradient\n  help: explain what it is embedded as"));
  if (o.steps < 1) throw ConfigError(text("integrated_gradients: steps is ", o.steps, "\n  help: choose 1 or more"));
  if (!o.baseline.empty() && o.baseline.size() != x.features.size())
    throw ShapeError(
        text("integrated_gradients: baselines of ", o.baseline.size(), " modalities for ", x.features.size()));
}

/// From where to where, without fillers.
struct Path {
  data::Modalities from, to;
  std::vector<std::int64_t> classes;

  Path rows(std::span<const std::int64_t> index) const {
    Path own{from.rows(index), to.rows(index), {}};
    for (const std::int64_t i : index) own.classes.push_back(classes[at(i)]);
    return own;
  }
};

Tensor value(const Predictor& f, const data::Modalities& x, const std::vector<std::int64_t>& classes, Scale scale) {
  const Tensor p = gather(f(x), 1, unsqueeze(from(classes), 1));
  return in_scale(squeeze(to(p, DType::float64), 1), scale);  // (B,)
}

/// (x - b) times the mean gradient at the midpoints of `steps` parts.
std::vector<Tensor> integrate(const Predictor& f, const Path& path, std::int64_t steps, Scale scale) {
  const std::size_t count = path.to.features.size();
  std::vector<Tensor> way(count), total(count);
  for (std::size_t m = 0; m < count; ++m) way[m] = path.to.features[m] - path.from.features[m];
  for (std::int64_t k = 0; k < steps; ++k) {
    const double t = (static_cast<double>(k) + 0.5) / static_cast<double>(steps);
    data::Modalities x = path.to;
    {
      const NoGrad off;
      for (std::size_t m = 0; m < count; ++m) x.features[m] = (path.from.features[m] + way[m] * t).set_requires_grad();
    }
    const EnableGrad on;
    const std::vector<Tensor> slope = grad({sum(value(f, x, path.classes, scale))}, x.features, {.allow_unused = true});
    const NoGrad off;
    for (std::size_t m = 0; m < count; ++m) {
      if (!slope[m].defined()) continue;  // nobody has it
      const Tensor own = to(slope[m], DType::float64);
      total[m] = total[m].defined() ? total[m] + own : own;
    }
  }
  const NoGrad off;
  for (std::size_t m = 0; m < count; ++m)
    total[m] = total[m].defined() ? to(way[m], DType::float64) * total[m] / static_cast<double>(steps)
                                  : zeros_like(to(way[m], DType::float64));
  return total;
}

Tensor row_sums(const std::vector<Tensor>& features) {
  Tensor all;
  for (const Tensor& x : features) {
    const Tensor own = sum(reshape(x, {x.size(0), -1}), 1);
    all = all.defined() ? all + own : own;
  }
  return all;
}

}  // namespace

Attributions integrated_gradients(const Predictor& f, const data::Modalities& x, const GradientOptions& options) {
  check(x, options);
  const NoGrad off;
  Path path{x, x, asked_classes("integrated_gradients", f(x), options.classes)};
  for (std::size_t m = 0; m < x.features.size(); ++m) {
    const Tensor start = baseline_of(x, options, m), who = present_rows(x.present, m, x.features[m].dim());
    path.from.features[m] = where(who, start, zeros_like(start));
    path.to.features[m] = where(who, x.features[m], zeros_like(start));
  }
  const Tensor change =
      value(f, path.to, path.classes, options.scale) - value(f, path.from, path.classes, options.scale);
  Attributions out{integrate(f, path, options.steps, options.scale), {}, path.classes};
  out.residual = row_sums(out.features) - change;
  for (std::int64_t steps = options.steps * 2; steps <= options.most_steps; steps *= 2) {
    const std::vector<double> residual = to_vector<double>(out.residual);
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < std::ssize(residual); ++i)
      if (std::abs(residual[at(i)]) > options.tolerance) rows.push_back(i);
    if (rows.empty()) break;
    const std::vector<Tensor> better = integrate(f, path.rows(rows), steps, options.scale);
    for (std::size_t m = 0; m < better.size(); ++m)
      out.features[m] = index_copy(out.features[m], 0, from(rows), better[m]);
    out.residual = row_sums(out.features) - change;
  }
  return out;
}

}  // namespace weft::fusion
