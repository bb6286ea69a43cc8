#pragma once
#include <cstdint>
#include <span>
#include <string>

#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Signals x (B, C, T): B signals of C channels over T evenly spaced steps, float32 or float64. What is done to them
/// before and during training. Functions that take a generator draw from it alone, give a new tensor, and treat all
/// channels of a signal alike where nothing else is said. All throw ShapeError where x is not (B, C, T), DtypeError for
/// other types, ConfigError for options out of range.
namespace weft::data {

/// Throws ConfigError naming the first number of x that is NaN or infinite, by sample, channel and step for
/// (B, C, T), by sample and column for (B, F), and how many there are. `what` begins the message. Integers are finite.
void check_finite(const std::string& what, const Tensor& x);

/// Each channel less its median: what breathing and electrodes add to a window that is short beside them.
Tensor remove_baseline(const Tensor& x);

/// The typical signal of each signal's group: at every channel and step the median over the signals b with one
/// groups[b], such as a patient's recording. (B, C, T) -> (B, C, T). What departs from it is what is odd for this
/// patient; no label is used. Throws ShapeError unless there are B groups.
Tensor group_median(const Tensor& x, std::span<const std::int64_t> groups);

/// Each signal moved by a whole number of steps, evenly from [-most, most]; the edge is repeated. 0 <= most < T.
Tensor shift_signals(const Tensor& x, std::int64_t most, Generator& g);
/// Each signal times exp(deviation * z), z standard normal: as if the amplifier were set otherwise.
Tensor scale_signals(const Tensor& x, double deviation, Generator& g);
/// Normal noise of that deviation added to each number.
Tensor add_noise(const Tensor& x, double deviation, Generator& g);
/// Each channel plus a * sin(2 pi (f t / T + phase)): a evenly from [0, amplitude], phase from [0, 1), f from
/// [0, cycles] within the window. Breathing moves the baseline of an ECG so.
Tensor add_baseline_wander(const Tensor& x, double amplitude, double cycles, Generator& g);
/// Each signal played faster or slower about its middle, by a factor evenly from [1 - most, 1 + most], with linear
/// interpolation; the edge is repeated. 0 <= most < 1.
Tensor stretch_signals(const Tensor& x, double most, Generator& g);
/// In each signal one stretch of `steps` steps, anywhere, becomes 0. 0 <= steps <= T. DeVries and Taylor (2017).
Tensor erase_signals(const Tensor& x, std::int64_t steps, Generator& g);

struct SignalAugmentation {
  std::int64_t shift = 0;
  double stretch = 0, scale = 0, wander = 0, cycles = 1, noise = 0;
  std::int64_t erase = 0;
};
/// All of them, in the order stretch, shift, scale, wander, noise, erase; what is 0 is left out.
Tensor augment_signals(const Tensor& x, const SignalAugmentation& options, Generator& g);

}  // namespace weft::data
