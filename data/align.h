#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <weft/tensor/tensor.h>

/// Record entries that were written down now and then (laboratory values, doses, vital signs charted by hand), brought
/// onto the even steps of a signal. Times are numbers in a unit of the caller's choice, seconds say, the same for
/// entries and grid; what is called `since` below comes in it too.
namespace weft::data {

/// What was measured of one variable of one sample: values[i] at times[i], in any order.
/// A value of NaN was not measured and is passed over. Of entries with one time the last in the list counts, as a
/// correction does.
struct Entries {
  std::vector<double> times, values;
};

enum class AlignMethod : std::uint8_t {
  carry_forward,  ///< the last value at or before each step: nothing of the future is used
  linear,  ///< the line between the entries around each step: looks ahead, so not for prediction while it happens
};

struct AlignOptions {
  AlignMethod method = AlignMethod::carry_forward;
  /// A step whose last entry is older than this counts as not measured; 0 or more, in the unit of the times.
  double max_age = std::numeric_limits<double>::infinity();
};

/// Values on the grid, V variables of B samples at T steps, float32. A step before a variable's first entry is not
/// measured; behind the last one, its value is held.
struct Aligned {
  Tensor values;  ///< (B, V, T); 0 where not measured
  Tensor mask;    ///< (B, V, T) bool: measured
  Tensor since;   ///< (B, V, T): time since the last entry at or before the step, 0 or more; before the first entry the
                  ///< time since the grid began. Che et al. (2018).

  /// What an encoder takes beside the channels of a signal: values, mask (0 or 1), since -> (B, 3 V, T).
  Tensor channels() const;
};

/// Aligns the entries of B samples, each with the same V variables, to a grid of T times. Throws ShapeError when
/// samples differ in the number of variables, or an entry's times and values in length; ConfigError when the grid is
/// empty, not finite or not ascending, when a time is NaN or infinite, a value infinite, or max_age negative. The
/// message names sample, variable and entry.
Aligned align(std::span<const std::vector<Entries>> samples, std::span<const double> grid,
              const AlignOptions& options = {});

/// `steps` times begin, begin + 1 / rate, ...: the grid of a signal of that rate (steps per unit of time).
/// Throws ConfigError unless steps and rate are above 0.
std::vector<double> time_grid(double begin, double rate, std::int64_t steps);

}  // namespace weft::data
