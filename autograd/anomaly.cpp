#include <weft/autograd/anomaly.h>

#include <cmath>
#include <cstdlib>
#include <unordered_map>
#include <vector>

#if __has_include(<execinfo.h>) && __has_include(<dlfcn.h>)
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#define WEFT_HAS_STACKS 1
#endif

#include <weft/autograd/grad.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

thread_local std::vector<std::string> open_scopes;

constexpr int deepest = 48;

/// Return addresses only: they are given names when a message is written.
using Stack = std::vector<void*>;

Stack stack_here() {
#ifdef WEFT_HAS_STACKS
  Stack s(deepest);
  s.resize(static_cast<std::size_t>(backtrace(s.data(), deepest)));
  return s;
#else
  return {};
#endif
}

#ifdef WEFT_HAS_STACKS
std::string frame_name(void* address) {
  Dl_info info{};
  if (!dladdr(address, &info)) return {};
  if (info.dli_sname) {
    int status = 0;
    char* plain = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
    std::string name = status == 0 ? plain : info.dli_sname;
    std::free(plain);
    return name;
  }
  const auto offset = static_cast<std::size_t>(static_cast<char*>(address) - static_cast<char*>(info.dli_fbase));
  char digits[32];
  std::snprintf(digits, sizeof digits, "+0x%zx", offset);
  const std::string file = info.dli_fname ? info.dli_fname : "";
  return file.substr(file.rfind('/') + 1) + digits;
}
#endif

/// The callers, weft's own functions left out, at most five.
std::string describe(const Stack& stack) {
  std::string line;
#ifdef WEFT_HAS_STACKS
  int shown = 0;
  for (void* address : stack) {
    const std::string name = frame_name(address);
    if (name.empty() || name.starts_with("weft::") || name.find(" weft::") != std::string::npos) continue;
    line += (shown ? " < " : "") + name.substr(0, 100);
    if (++shown == 5) break;
  }
#else
  (void)stack;
#endif
  return line;
}

std::string scope_path() {
  std::string path;
  for (const std::string& s : open_scopes) path += (path.empty() ? "" : " > ") + s;
  return path;
}

enum class Found { nothing, infinity, nan };

Found look(const Tensor& x, bool infinities) {
  if (!x.defined() || !is_floating(x.dtype()) || x.numel() == 0) return Found::nothing;
  const auto any = [](const Tensor& mask) {
    return kernels::reduce(kernels::Reduce::any, mask, {}, false).item() != 0;
  };
  if (any(kernels::unary(kernels::Unary::isnan, x))) return Found::nan;
  return infinities && any(kernels::unary(kernels::Unary::isinf, x)) ? Found::infinity : Found::nothing;
}

Found look(std::span<const Tensor> all, bool infinities) {
  Found most = Found::nothing;
  for (const Tensor& x : all) most = std::max(most, look(x, infinities));
  return most;
}

std::string summary(const Tensor& x) {
  if (!x.defined()) return "none";
  if (x.numel() == 0 || !is_floating(x.dtype())) return text(x.dtype(), ' ', x.shape());
  const Tensor plain = detach(x);
  return text(x.dtype(), ' ', x.shape(), " from ", kernels::reduce(kernels::Reduce::min, plain, {}, false).item(),
              " to ", kernels::reduce(kernels::Reduce::max, plain, {}, false).item());
}

const char* word(Found found) { return found == Found::nan ? "NaN" : "infinity"; }

}  // namespace

class DetectAnomaly::Watcher final : public detail::Tracer {
 public:
  explicit Watcher(const Options& options)
      : options_(options), outer_(std::exchange(detail::autograd_state.tracer, this)) {}
  ~Watcher() { detail::autograd_state.tracer = outer_; }
  Watcher(const Watcher&) = delete;

  void begin(const Call& call) override {
    if (outer_) outer_->begin(call);
  }
  void operation(const Call& call, const Inputs& inputs, std::span<const Tensor> outputs,
                 const detail::Computation& computation) override {
    if (outer_) outer_->operation(call, inputs, outputs, computation);
    ++calls_;
    for (const Tensor& y : outputs)
      if (const Node* node = y.defined() ? detail::node_of(y) : nullptr)
        origins_[node] = {calls_, scope_path(), stack_here()};
    if (inside_rule_) return;  // the rule as a whole is judged
    const detail::GradOff off;
    const Found made = look(outputs, options_.infinities);
    if (made == Found::nothing) return;
    std::string operands;
    bool before = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      before |= look(inputs[i], options_.infinities) >= made;
      operands += text("\n  input ", i, ": ", summary(inputs[i]));
    }
    if (before && seen_) return;  // it only went on
    seen_ = true;
    const Origin here{calls_, scope_path(), stack_here()};
    throw GradError(text(call.name, before ? ": its input already holds " : ": made the first ", word(made),
                         ", in call ", calls_, operands, where(here)));
  }

  void rule(Node& node, const Tensor* dy, Tensor* dx) override {
    {
      struct Inside {
        int& depth;
        explicit Inside(int& d) : depth(++d) {}
        ~Inside() { --depth; }
      } inside(inside_rule_);
      outer_ ? outer_->rule(node, dy, dx) : node.run(node, dy, dx);
    }
    const std::span<const Tensor> dys(dy, node.outputs), dxs(dx, node.inputs);
    const detail::GradOff off;
    const Found made = look(dxs, options_.infinities);
    if (made == Found::nothing || look(dys, options_.infinities) >= made) return;
    std::string operands;
    for (std::size_t k = 0; k < dys.size(); ++k) operands += text("\n  gradient of output ", k, ": ", summary(dys[k]));
    for (std::size_t i = 0; i < dxs.size(); ++i) operands += text("\n  gradient of input ", i, ": ", summary(dxs[i]));
    const auto origin = origins_.find(&node);
    throw GradError(text(node.name, ": its gradient made the first ", word(made), operands,
                         origin == origins_.end() ? "" : where(origin->second)));
  }

 private:
  struct Origin {
    std::int64_t call = 0;
    std::string scope;
    Stack stack;
  };

  static std::string where(const Origin& o) {
    std::string lines;
    if (!o.scope.empty()) lines += "\n  scope: " + o.scope;
    const std::string callers = describe(o.stack);
    if (!callers.empty()) lines += "\n  called from: " + callers;
    return lines;
  }

  Options options_;
  detail::Tracer* outer_;
  std::int64_t calls_ = 0;
  int inside_rule_ = 0;
  bool seen_ = false;
  std::unordered_map<const Node*, Origin> origins_;  // of nodes still alive, and of some that are not
};

DetectAnomaly::DetectAnomaly() : DetectAnomaly(Options{}) {}
DetectAnomaly::DetectAnomaly(const Options& options) : watcher_(std::make_unique<Watcher>(options)) {}
DetectAnomaly::~DetectAnomaly() = default;

Scope::Scope(std::string name) { open_scopes.push_back(std::move(name)); }
Scope::~Scope() { open_scopes.pop_back(); }

const std::vector<std::string>& detail::scopes() noexcept { return open_scopes; }

}  // namespace weft
