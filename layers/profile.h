#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weft/layers/module.h>

/// Where the time goes: every operation of a thread while a Profile lives, by operation and by module.
///
///   Profile profile(net);
///   train_one_batch();
///   profile.stop();
///   std::puts(profile.table().c_str());
///   profile.write_trace("runs/trace.json");  // for chrome://tracing or ui.perfetto.dev
namespace weft {

enum class ProfilePhase : std::uint8_t { forward, backward, optimizer, section };
const char* name(ProfilePhase phase) noexcept;

struct ProfileOptions {
  bool trace = true;                      ///< keep each event for write_trace()
  std::size_t most_events = 1U << 20;     ///< later ones are counted in the tables alone (72 bytes each)
  std::int64_t memory_interval_us = 100;  ///< between two samples of the memory in use; negative: none
};

/// All calls of one kind together. Arithmetic by formula: 2 m n k (and m n for a bias) for `linear` and `matmul`, 2 per
/// tap, channel and output for convolutions (padding counted as numbers), 2 T S (E + V) for attention, 2 rows gates
/// (in + hidden) for recurrent layers, nothing for what only moves numbers, otherwise 1 per element of the larger of
/// inputs and outputs. Backward: that of each product that is wanted; attention computes its scores again, which makes
/// 2 T S (3 E + 2 V); other rules what the operations that they are made of count. Bytes: those of all operands
/// (backward: of the gradients and of what was saved), as if each were read from memory once and written once; a view
/// moves none.
struct ProfileEntry {
  std::string operation{};  ///< empty where a row is about a module
  std::string path{};       ///< of the module; empty where a row is about an operation
  ProfilePhase phase = ProfilePhase::forward;
  std::int64_t count = 0;
  double seconds = 0;       ///< with everything that was called from it
  double self_seconds = 0;  ///< without
  double share =
      0;  ///< of the profile's seconds: of operations and rules `seconds`, of what encloses them `self_seconds`
  double bytes_read = 0, bytes_written = 0, flops = 0;
  double gflops() const noexcept { return seconds > 0 ? flops / seconds * 1e-9 : 0; }  ///< 10^9 per second
  double gbps() const noexcept { return seconds > 0 ? (bytes_read + bytes_written) / seconds * 1e-9 : 0; }
};

/// Records this thread's operations until stop() or its end. An operation belongs to the module whose parameter it
/// reads (given the model); else to the innermost Scope (autograd/anomaly.h); else to where the operation before
/// belonged. A gradient rule belongs where its operation did, and what it computes counts as the rule's. Profiles nest:
/// each sees everything inside of it; the inner one ends first. Costs 0.15 to 0.3 microseconds per operation.
class [[nodiscard]] Profile {
 public:
  explicit Profile(const ProfileOptions& options = {});
  template <class M>
  requires(detail::Model<M> || detail::SelfVisiting<M>) explicit Profile(M& model, const ProfileOptions& options = {})
      : Profile(named_parameters(model), options) {}
  /// With paths by parameters' names ("encoder.0.weight" belongs to "encoder.0").
  Profile(const std::vector<std::pair<std::string, Tensor>>& parameters, const ProfileOptions& options);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Ends the recording, so that what follows (printing the table) is not part of it. On the thread that began it; has
  /// no effect the second time.
  void stop();
  /// From the start to stop(), or to now.
  double seconds() const;
  /// One entry per operation and phase, the longest first.
  std::vector<ProfileEntry> operations() const;
  /// One entry per module and phase, the longest first. Sections and the optimiser have no module.
  std::vector<ProfileEntry> modules() const;
  /// Both as text. Read it after stop(), when no other thread records.
  std::string table() const;
  /// A JSON object in the Trace Event Format: complete events with their module, arithmetic and bytes, a row per
  /// thread, and the memory in use as a counter. Throws FileError where the file cannot be written.
  void write_trace(const std::string& path) const;

 private:
  friend class ProfileThread;
  friend class ProfileSection;
  class Collector;
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

/// While it lives, what this thread computes is recorded by a Profile that another thread began (and must not stop
/// before). Each thread has its own record; entries add them up, so that seconds may exceed those that passed.
class [[nodiscard]] ProfileThread {
 public:
  explicit ProfileThread(Profile& profile);
  ~ProfileThread();
  ProfileThread(const ProfileThread&) = delete;
  ProfileThread& operator=(const ProfileThread&) = delete;

 private:
  Profile::Collector* collector_;
};

/// A stretch of work that is no operation ("reading images"), in the profile that this thread is in, if any. The name
/// must outlive the profile (a literal).
class [[nodiscard]] ProfileSection {
 public:
  explicit ProfileSection(const char* name, ProfilePhase phase = ProfilePhase::section);
  ~ProfileSection();
  ProfileSection(const ProfileSection&) = delete;
  ProfileSection& operator=(const ProfileSection&) = delete;
  bool watched() const noexcept { return collector_ != nullptr; }
  /// Says what was done in it.
  void add(double bytes_read, double bytes_written, double flops) noexcept;

 private:
  Profile::Collector* collector_;
  const char* name_;
  ProfilePhase phase_;
  std::size_t depth_ = 0;
  double bytes_read_ = 0, bytes_written_ = 0, flops_ = 0;
};

}  // namespace weft
