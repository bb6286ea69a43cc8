#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/tensor/tensor.h>

/// Signals at another rate. Time is the last axis; float32 or float64, computed in double precision. All throw
/// ShapeError for a tensor of rank 0 and DtypeError for other types.
namespace weft::data {

enum class ResampleBorder : std::uint8_t {
  zeros,  ///< nothing lies outside: a signal that is not near 0 at its ends is pulled towards it there
  edge,   ///< the first and the last number go on
};

struct ResampleOptions {
  double beta = 5;               ///< of Kaiser's window: larger stops more of what would alias, over a wider band
  std::int64_t half_width = 10;  ///< the filter reaches so many steps of the slower rate to either side
  ResampleBorder border = ResampleBorder::zeros;
};

/// The filter of resample_poly: h[n] = up * w[n] sinc((n - H) / m) / sum, n = 0 ... 2 H, with m = max(up, down),
/// H = half_width * m and Kaiser's window w[n] = I0(beta sqrt(1 - ((n - H) / H)^2)) / I0(beta). Low-pass at half the
/// slower rate. up and down are taken as they are; both at least 1. Throws ConfigError.
std::vector<double> resample_filter(std::int64_t up, std::int64_t down, const ResampleOptions& options = {});

/// The signal at up / down times its rate, anti-aliased: y[m] = sum_i h[m down + H - i up] x[i], up and down first
/// divided by their greatest common divisor. (..., T) -> (..., ceil(T up / down)); number m lies at time m down / up
/// of x's steps. With the defaults the figures are those of SciPy's function of this name. Throws ConfigError unless
/// up, down and half_width are 1 or more and beta is 0 or more. Crochiere and Rabiner (1983).
Tensor resample_poly(const Tensor& x, std::int64_t up, std::int64_t down, const ResampleOptions& options = {});

/// Values measured at any ascending times, read off the lines between them: (..., T) at `times` (T,) ->
/// (..., G) at `grid` (G,), in any order; outside of `times` the first or last value. It does not guard against
/// aliasing: use resample_poly() for a lower even rate. Throws ShapeError when x's last axis and times differ in length
/// or are empty, ConfigError when times do not ascend or a time is not finite.
Tensor resample_linear(const Tensor& x, std::span<const double> times, std::span<const double> grid);

}  // namespace weft::data
