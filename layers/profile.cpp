#include <weft/layers/profile.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include <weft/autograd/anomaly.h>
#include <weft/autograd/record.h>
#include <weft/layers/profile_work.h>
#include <weft/tensor/allocator.h>

namespace weft {
namespace {

using Clock = std::chrono::steady_clock;
using detail::Work;

std::int64_t now() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

/// What happened once.
struct Event {
  const char* name;
  std::int64_t start, length;  // nanoseconds
  Work work;
  std::int32_t path;
  ProfilePhase phase;
};

struct Sample {
  std::int64_t at;
  std::size_t live;
};

/// What happened often.
struct Sum {
  std::int64_t count = 0, total = 0, self = 0;
  Work work;
  void add(std::int64_t length, std::int64_t own, const Work& w) {
    ++count;
    total += length;
    self += own;
    work += w;
  }
};

struct Key {
  const char* name;
  std::int32_t path;
  ProfilePhase phase;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& k) const noexcept {
    return std::hash<const void*>()(k.name) * 31 + static_cast<std::size_t>(k.path) * 4 +
           static_cast<std::size_t>(k.phase);
  }
};

std::string module_of(const std::string& parameter) {
  const std::size_t dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

}  // namespace

const char* name(ProfilePhase phase) noexcept {
  constexpr const char* names[] = {"forward", "backward", "optimizer", "section"};
  return names[static_cast<std::size_t>(phase)];
}

struct Profile::Shared {
  ProfileOptions options;
  std::int64_t start = 0, end = 0;
  std::vector<std::string> paths{""};                      // of modules; collectors add those of scopes to theirs
  std::unordered_map<const Storage*, std::int32_t> owner;  // of each parameter
  std::vector<Tensor> parameters;                          // so that no other storage gets its address
  std::mutex mutex;
  std::vector<std::unique_ptr<Collector>> collectors;  // one per thread (a thread may come again)
  Collector* attach();
};

/// One thread's record.
class Profile::Collector final : public detail::Tracer {
 public:
  explicit Collector(const Shared& shared)
      : shared_(shared),
        paths_(shared.paths),
        outer_(std::exchange(detail::autograd_state.tracer, this)),
        enclosing_(std::exchange(current, this)) {}
  Collector(const Collector&) = delete;
  ~Collector() = default;

  void detach() noexcept {
    if (detached_) return;
    detached_ = true;
    detail::autograd_state.tracer = outer_;
    current = enclosing_;
  }

  void begin(const Call& call) override {
    if (outer_) outer_->begin(call);
    drop_unfinished();
    frames_.push_back({Kind::operation, now()});
  }

  void operation(const Call& call, const Inputs& inputs, std::span<const Tensor> outputs,
                 const detail::Computation& computation) override {
    const std::int64_t end = now();
    if (outer_) outer_->operation(call, inputs, outputs, computation);
    if (frames_.empty() || frames_.back().kind != Kind::operation) return;  // it began before this profile
    const Frame frame = frames_.back();
    frames_.pop_back();
    detail::BackwardWork backward;
    const Work work = detail::forward_work(kind_of(call.name), inputs, outputs, backward);
    const std::int32_t path = rules_ > 0 ? rule_path_ : path_of(inputs);
    for (const Tensor& y : outputs)
      if (const Node* node = y.defined() ? detail::node_of(y) : nullptr) {
        origins_.insert_or_assign(node, Origin{path, backward});
        break;  // the others have the same
      }
    finish(frame, end, call.name, rules_ > 0 ? ProfilePhase::backward : ProfilePhase::forward, path, work);
  }

  void rule(Node& node, const Tensor* dys, Tensor* dxs) override {
    drop_unfinished();
    const auto found = origins_.find(&node);
    const Origin origin = found == origins_.end() ? Origin{} : found->second;
    struct Inside {
      Collector& all;
      std::size_t depth;
      std::int32_t path_before;
      Inside(Collector& c, std::int32_t path)
          : all(c), depth(c.frames_.size()), path_before(std::exchange(c.rule_path_, c.rules_ ? c.rule_path_ : path)) {
        ++all.rules_;
        all.frames_.push_back({Kind::rule, now()});
      }
      ~Inside() {  // after an exception, too
        all.frames_.resize(depth);
        --all.rules_;
        all.rule_path_ = path_before;
      }
    };
    Frame frame;
    std::int64_t end = 0;
    {
      const Inside inside(*this, origin.path);
      outer_ ? outer_->rule(node, dys, dxs) : node.run(node, dys, dxs);
      end = now();
      frame = frames_[inside.depth];
    }
    finish(frame, end, node.name, ProfilePhase::backward, origin.path,
           detail::rule_work(node, dys, dxs, origin.work, frame.nested));
  }

  std::size_t open_section() {
    if (enclosing_) enclosing_->open_section();
    drop_unfinished();
    frames_.push_back({Kind::section, now()});
    return frames_.size() - 1;
  }
  void close_section(std::size_t depth, const char* what, ProfilePhase phase, const Work& work) {
    const std::int64_t end = now();
    if (depth >= frames_.size()) return;  // an exception has passed
    const Frame frame = frames_[depth];
    frames_.resize(depth);
    finish(frame, end, what, phase, 0, work);
    if (enclosing_ && !enclosing_->frames_.empty())
      enclosing_->close_section(enclosing_->innermost_section(), what, phase, work);
  }

  const std::string& path(std::int32_t id) const { return paths_[static_cast<std::size_t>(id)]; }
  const std::unordered_map<Key, Sum, KeyHash>& sums() const { return sums_; }
  const std::deque<Event>& events() const { return events_; }
  const std::deque<Sample>& samples() const { return samples_; }
  std::size_t left_out() const { return left_out_; }

  static thread_local Collector* current;

 private:
  enum class Kind : std::uint8_t { operation, rule, section };
  struct Frame {
    Kind kind = Kind::operation;
    std::int64_t start = 0, children = 0;
    Work nested{};
  };
  /// Where an operation was, for the rule of its node.
  struct Origin {
    std::int32_t path = 0;
    detail::BackwardWork work{};
  };

  /// Nothing is called from inside an operation: one that has not ended has thrown.
  void drop_unfinished() {
    while (!frames_.empty() && frames_.back().kind == Kind::operation) frames_.pop_back();
  }
  std::size_t innermost_section() const {
    std::size_t i = frames_.size();
    while (i > 0 && frames_[i - 1].kind != Kind::section) --i;
    return i == 0 ? frames_.size() : i - 1;
  }

  detail::WorkKind kind_of(const char* operation) {
    const auto [at, fresh] = kinds_.try_emplace(operation);
    if (fresh) at->second = detail::work_kind(operation);
    return at->second;
  }

  std::int32_t path_of(const Inputs& inputs) {
    if (!shared_.owner.empty())
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) continue;
        const auto found = shared_.owner.find(inputs[i].body().storage);
        if (found != shared_.owner.end()) return last_path_ = found->second;
      }
    const std::vector<std::string>& scopes = detail::scopes();
    if (scopes.empty()) return last_path_;
    const auto [at, fresh] = scope_paths_.try_emplace(scopes.back(), static_cast<std::int32_t>(paths_.size()));
    if (fresh) paths_.push_back(scopes.back());
    return last_path_ = at->second;
  }

  void finish(const Frame& frame, std::int64_t end, const char* what, ProfilePhase phase, std::int32_t path,
              const Work& work) {
    const std::int64_t length = end - frame.start;
    if (!frames_.empty()) {
      frames_.back().children += length;
      if (rules_ > 0) frames_.back().nested += work;
    }
    if (rules_ == 0) sums_[{what, path, phase}].add(length, length - frame.children, work);
    if (!shared_.options.trace) return;
    if (events_.size() < shared_.options.most_events)
      events_.push_back({what, frame.start, length, work, path, phase});
    else
      ++left_out_;
    const std::int64_t interval = shared_.options.memory_interval_us;
    if (interval >= 0 && end >= next_sample_ && samples_.size() < shared_.options.most_events) {
      samples_.push_back({end, memory_statistics().live});
      next_sample_ = end + interval * 1000;
    }
  }

  const Shared& shared_;
  std::vector<std::string> paths_;
  detail::Tracer* outer_;
  Collector* enclosing_;
  bool detached_ = false;
  std::vector<Frame> frames_;
  int rules_ = 0;               // how many of the frames are rules
  std::int32_t rule_path_ = 0;  // of the outermost rule
  std::int32_t last_path_ = 0;
  std::unordered_map<const char*, detail::WorkKind> kinds_;
  std::unordered_map<std::string, std::int32_t> scope_paths_;
  std::unordered_map<const Node*, Origin> origins_;  // of nodes still alive, and of some that are not
  std::unordered_map<Key, Sum, KeyHash> sums_;
  std::deque<Event> events_;
  std::deque<Sample> samples_;
  std::int64_t next_sample_ = 0;
  std::size_t left_out_ = 0;
};

thread_local Profile::Collector* Profile::Collector::current = nullptr;

Profile::Collector* Profile::Shared::attach() {
  auto collector = std::make_unique<Collector>(*this);
  const std::lock_guard lock(mutex);
  collectors.push_back(std::move(collector));
  return collectors.back().get();
}

// ---- Profile

Profile::Profile(const ProfileOptions& options) : Profile(std::vector<std::pair<std::string, Tensor>>(), options) {}

Profile::Profile(const std::vector<std::pair<std::string, Tensor>>& parameters, const ProfileOptions& options)
    : shared_(std::make_unique<Shared>()) {
  shared_->options = options;
  std::unordered_map<std::string, std::int32_t> ids{{"", 0}};
  for (const auto& [parameter, x] : parameters) {
    const auto [at, fresh] = ids.try_emplace(module_of(parameter), static_cast<std::int32_t>(shared_->paths.size()));
    if (fresh) shared_->paths.push_back(at->first);
    shared_->owner.emplace(x.body().storage, at->second);
    shared_->parameters.push_back(x);
  }
  shared_->start = now();
  shared_->attach();
}

Profile::~Profile() { stop(); }

void Profile::stop() {
  if (shared_->end != 0) return;
  shared_->collectors.front()->detach();
  shared_->end = now();
}

double Profile::seconds() const {
  return static_cast<double>((shared_->end ? shared_->end : now()) - shared_->start) * 1e-9;
}

namespace {

/// Sums as entries, the longest first.
template <class Sums>
std::vector<ProfileEntry> entries(const Sums& sums, double seconds, bool by_module) {
  std::vector<ProfileEntry> all;
  for (const auto& [key, sum] : sums) {
    ProfileEntry e;
    (by_module ? e.path : e.operation) = key.first;
    e.phase = key.second;
    e.count = sum.count;
    e.seconds = static_cast<double>(sum.total) * 1e-9;
    e.self_seconds = static_cast<double>(sum.self) * 1e-9;
    const bool encloses = e.phase == ProfilePhase::section || e.phase == ProfilePhase::optimizer;
    e.share = seconds > 0 ? (encloses ? e.self_seconds : e.seconds) / seconds : 0;
    e.bytes_read = sum.work.read;
    e.bytes_written = sum.work.written;
    e.flops = sum.work.flops;
    all.push_back(std::move(e));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const ProfileEntry& a, const ProfileEntry& b) { return a.seconds > b.seconds; });
  return all;
}

using Named = std::map<std::pair<std::string, ProfilePhase>, Sum>;

void merge(Named& all, const std::string& by, ProfilePhase phase, const Sum& sum) {
  Sum& to = all[{by, phase}];
  to.count += sum.count;
  to.total += sum.total;
  to.self += sum.self;
  to.work += sum.work;
}

}  // namespace

std::vector<ProfileEntry> Profile::operations() const {
  const std::lock_guard lock(shared_->mutex);
  Named all;
  for (const auto& each : shared_->collectors)
    for (const auto& [key, sum] : each->sums()) merge(all, key.name, key.phase, sum);
  return entries(all, seconds(), false);
}

std::vector<ProfileEntry> Profile::modules() const {
  const std::lock_guard lock(shared_->mutex);
  Named all;
  for (const auto& each : shared_->collectors)
    for (const auto& [key, sum] : each->sums())
      if (key.phase == ProfilePhase::forward || key.phase == ProfilePhase::backward)
        merge(all, each->path(key.path), key.phase, sum);
  return entries(all, seconds(), true);
}

void Profile::write_trace(const std::string& path) const {
  using Json = nlohmann::ordered_json;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  const auto us = [&](std::int64_t at) { return static_cast<double>(at - shared_->start) * 1e-3; };
  bool first = true;
  const auto put = [&](const Json& event) {
    out << (first ? "" : ",\n") << event.dump(-1, ' ', false, Json::error_handler_t::replace);
    first = false;
  };
  const std::lock_guard lock(shared_->mutex);
  std::size_t left_out = 0;
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  put({{"ph", "M"}, {"pid", 1}, {"name", "process_name"}, {"args", {{"name", "weft"}}}});
  for (std::size_t t = 0; t < shared_->collectors.size(); ++t) {
    const Collector& c = *shared_->collectors[t];
    left_out += c.left_out();
    put({{"ph", "M"},
         {"pid", 1},
         {"tid", t + 1},
         {"name", "thread_name"},
         {"args", {{"name", text("thread ", t + 1)}}}});
    for (const Event& e : c.events())
      put({{"ph", "X"},
           {"pid", 1},
           {"tid", t + 1},
           {"name", e.name},
           {"cat", name(e.phase)},
           {"ts", us(e.start)},
           {"dur", static_cast<double>(e.length) * 1e-3},
           {"args",
            {{"module", c.path(e.path)},
             {"flops", e.work.flops},
             {"bytes read", e.work.read},
             {"bytes written", e.work.written}}}});
    for (const Sample& s : c.samples())
      put({{"ph", "C"}, {"pid", 1}, {"name", "memory"}, {"ts", us(s.at)}, {"args", {{"live bytes", s.live}}}});
  }
  out << "\n],\"otherData\":{\"events left out\":" << left_out << "}}\n";
  out.close();
  if (!out) throw FileError(text("write_trace: ", path, ": ", std::strerror(errno)));
}

// ---- ProfileThread

ProfileThread::ProfileThread(Profile& profile) : collector_(profile.shared_->attach()) {}
ProfileThread::~ProfileThread() { collector_->detach(); }

// ---- ProfileSection

ProfileSection::ProfileSection(const char* name, ProfilePhase phase)
    : collector_(Profile::Collector::current), name_(name), phase_(phase) {
  if (collector_) depth_ = collector_->open_section();
}
ProfileSection::~ProfileSection() {
  if (collector_) collector_->close_section(depth_, name_, phase_, {bytes_read_, bytes_written_, flops_});
}
void ProfileSection::add(double bytes_read, double bytes_written, double flops) noexcept {
  bytes_read_ += bytes_read;
  bytes_written_ += bytes_written;
  flops_ += flops;
}

}  // namespace weft
