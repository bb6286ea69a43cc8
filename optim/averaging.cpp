#include <weft/optim/averaging.h>

#include <algorithm>

#include <weft/tensor/kernels.h>

namespace weft::optim {

void average_state(const State& average, const State& now, double decay, std::int64_t step, Averaging how) {
  if (!(decay >= 0 && decay < 1))
    throw ConfigError(text("average: the decay is ", decay, "\n  help: choose 0 or more, below 1"));
  if (average.size() != now.size())
    throw ShapeError(text("average: ", average.size(), " tensors against ", now.size()));
  if (step < 1) throw ConfigError(text("average: the step is ", step, "\n  help: count from 1"));
  const double t = static_cast<double>(step);
  const double d = how == Averaging::warm    ? std::min(decay, (1 + t) / (10 + t))
                   : how == Averaging::equal ? 1 - 1 / t
                   : step == 1               ? 0
                                             : decay;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Tensor &a = average[i].second, &x = now[i].second;
    if (!(a.shape() == x.shape()))
      throw ShapeError(text("average: \"", now[i].first, "\" is ", x.shape(), ", its average ", a.shape()));
    if (is_floating(x.dtype()) && d > 0) {
      kernels::accumulate(a, kernels::binary(kernels::Binary::sub, x, a), 1 - d);
    } else {
      kernels::copy_into(a, x);
    }
    ++a.body().storage->version;
  }
}

}  // namespace weft::optim
