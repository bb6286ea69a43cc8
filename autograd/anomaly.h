#pragma once
#include <memory>
#include <string>
#include <vector>

namespace weft {

/// Looks for the first NaN of this thread. While it lives, an operation that makes a NaN, and a gradient rule that
/// does, throw GradError, which names the operation, its inputs' shapes and ranges, the scopes around it and the
/// functions that it was called from (for a rule: where its forward was called). Each result is read once more and a
/// call stack is kept per recorded operation: for debugging only.
///
///   DetectAnomaly look;
///   loss = model(x); loss.backward();
///
/// Function names need a program linked with -rdynamic; otherwise addresses are given for addr2line.
class [[nodiscard]] DetectAnomaly {
 public:
  struct Options {
    bool infinities = false;  ///< an infinity that was not in the inputs counts too
  };
  DetectAnomaly();
  explicit DetectAnomaly(const Options& options);
  ~DetectAnomaly();
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;

 private:
  class Watcher;
  std::unique_ptr<Watcher> watcher_;
};

/// A name for what happens while it lives ("encoder", "epoch 3"), for the messages of DetectAnomaly and
/// the tables of a Profile. Scopes nest.
class [[nodiscard]] Scope {
 public:
  explicit Scope(std::string name);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

namespace detail {
/// The names of this thread's scopes, the innermost last.
const std::vector<std::string>& scopes() noexcept;
}  // namespace detail

}  // namespace weft
