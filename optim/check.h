#pragma once
#include <cmath>
#include <limits>

#include <weft/tensor/error.h>

/// Shared by the files of this folder: options against the ranges that they accept.
namespace weft::optim {

/// Throws ConfigError "adam: eps is -1\n  help: choose 0 or more" at the first option that does not fit.
class Check {
 public:
  explicit Check(const char* thing) : thing_(thing) {}

  const Check& at_least(const char* option, double value, double low) const {
    return require(std::isfinite(value) && value >= low, option, value, text(low, " or more"));
  }
  const Check& above(const char* option, double value, double low) const {
    return require(std::isfinite(value) && value > low, option, value, text("a number above ", low));
  }
  /// Decays and shares: [0, 1).
  const Check& below_one(const char* option, double value) const {
    return require(value >= 0 && value < 1, option, value, "0 or more, below 1");
  }
  const Check& within(const char* option, double value, double low, double high) const {
    return require(value >= low && value <= high, option, value, text("a number from ", low, " to ", high));
  }
  const Check& require(bool good, const char* option, double value, const std::string& accepted) const {
    if (!good) throw ConfigError(text(thing_, ": ", option, " is ", value, "\n  help: choose ", accepted));
    return *this;
  }

 private:
  const char* thing_;
};

}  // namespace weft::optim
