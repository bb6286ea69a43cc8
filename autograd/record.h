#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/autograd/node.h>

/// How an operation is written: one call that holds its name and attributes, its forward
/// computation and its gradient rule.
///
///   Tensor softmax(const Tensor& x, int axis) {
///     const int k = normalize_axis("softmax", axis, x.dim());
///     return record({"softmax", {{"axis", k}}, saves::output}, {x},
///         [k](const Inputs& in) { return kernels::softmax(in[0], k); },
///         [k](const Saved& s, const Tensor& dy) { return s.output() * (dy - sum(dy * s.output(), k, true)); });
///   }
///
/// - Forward may return a Tensor, or a std::array / std::vector of them; it runs unrecorded.
/// - The rule gets the gradient of the output (std::span<const Tensor> for several; undefined where
///   none arrived) and returns that of the only input, or gradients(d0, d1, ...) in the inputs' order;
///   an undefined Tensor means zero. Ask `s.needs(i)` before computing what is dear.
/// - A rule written with weft's operations is differentiable again. One that calls kernels directly
///   must do so only where grad_enabled() is false.
/// - Never let the rule capture an output: say saves::output and use s.output().
/// - Forward captures by value, and takes its tensors from `in`: a captured graph runs it again on others.
/// - An operation without a gradient (a comparison, the place of a maximum) leaves the rule out.
namespace weft {

/// Which tensors the rule wants back. Everything it does not name is free to go.
struct Saves {
  std::uint32_t inputs = 0;
  bool outputs = false;
  friend constexpr Saves operator|(Saves a, Saves b) { return {a.inputs | b.inputs, a.outputs || b.outputs}; }
};
namespace saves {
inline constexpr Saves nothing{};
inline constexpr Saves inputs{~0U, false};
inline constexpr Saves output{0, true};
/// One input by its place (0 to 30).
constexpr Saves input(int place) { return {1U << place, false}; }
}  // namespace saves

/// A named parameter of a call, referring to values on the caller's stack.
struct Attribute {
  enum class Kind : std::uint8_t { integer, real, string, list };
  const char* name;
  Kind kind;
  union {
    std::int64_t integer;
    double real;
    const char* string;
    const Dims* list;
  };
  Attribute(const char* n, std::int64_t v) noexcept : name(n), kind(Kind::integer), integer(v) {}
  Attribute(const char* n, int v) noexcept : name(n), kind(Kind::integer), integer(v) {}
  Attribute(const char* n, bool v) noexcept : name(n), kind(Kind::integer), integer(v) {}
  Attribute(const char* n, double v) noexcept : name(n), kind(Kind::real), real(v) {}
  Attribute(const char* n, const char* v) noexcept : name(n), kind(Kind::string), string(v) {}
  Attribute(const char* n, const Dims& v) noexcept : name(n), kind(Kind::list), list(&v) {}
};

/// The description of a call: a literal on the stack.
struct Call {
  const char* name;
  std::initializer_list<Attribute> attributes{};
  Saves saves{};
};

/// The inputs of a call, by reference. An undefined tensor stands for an argument left out.
class Inputs {
 public:
  struct Reference {
    const Tensor* tensor;
    Reference(const Tensor& x) noexcept : tensor(&x) {}
  };
  Inputs(std::initializer_list<Reference> list) noexcept : size_(list.size()) { references_ = list.begin(); }
  Inputs(std::span<const Tensor> tensors) noexcept : tensors_(tensors.data()), size_(tensors.size()) {}
  Inputs(const std::vector<Tensor>& tensors) noexcept : Inputs(std::span<const Tensor>(tensors)) {}
  Inputs(std::span<const Reference> references) noexcept : references_(references.data()), size_(references.size()) {}
  const Tensor& operator[](std::size_t i) const noexcept { return tensors_ ? tensors_[i] : *references_[i].tensor; }
  std::size_t size() const noexcept { return size_; }
  std::vector<Tensor> list() const {
    std::vector<Tensor> all;
    all.reserve(size_);
    for (std::size_t i = 0; i < size_; ++i) all.push_back((*this)[i]);
    return all;
  }

 private:
  const Reference* references_ = nullptr;
  const Tensor* tensors_ = nullptr;
  std::size_t size_;
};

/// Extras that forward hands to the rule (a mean, a mask): `keep(mean, rstd)`, later s.kept(0), s.kept(1).
class Keep {
 public:
  template <class... T>
  void operator()(const T&... tensors) {
    static_assert(sizeof...(T) <= most);
    ((kept_[count_++] = tensors), ...);
  }
  static constexpr std::size_t most = 4;
  std::span<const Tensor> kept() const noexcept { return {kept_, count_}; }

 private:
  Tensor kept_[most];
  std::size_t count_ = 0;
};

/// What a rule sees of its call.
class Saved {
 public:
  explicit Saved(const Node& node) noexcept : node_(node) {}
  Saved(const Saved&) = delete;
  /// A saved input. Throws GradError when it was changed in place since.
  const Tensor& input(int place) const;
  /// A saved output, connected to this very call when gradients are recorded.
  const Tensor& output(int place = 0) const;
  /// An extra that forward kept. It carries no gradient.
  const Tensor& kept(int place) const;
  /// Whether the gradient of an input is wanted.
  bool needs(int place) const noexcept { return node_.edges[place].node != nullptr; }

 private:
  const Tensor& checked(std::size_t at, const char* what, int place) const;
  const Node& node_;
  mutable std::array<Tensor, 3> connected_;  // outputs handed out with their history
};

/// The gradients of several inputs, in order.
template <class... T>
std::array<Tensor, sizeof...(T)> gradients(T&&... each) {
  return {Tensor(std::forward<T>(each))...};
}

/// Whether this thread records.
inline bool grad_enabled() noexcept { return detail::autograd_state.grad_enabled; }

/// A call's forward computation on other inputs, for as long as one likes and from several threads at once.
using Replay = std::function<void(const Inputs& inputs, std::span<Tensor> outputs)>;

namespace detail {

/// A call's forward computation while the call lasts.
struct Computation {
  const void* forward;
  Replay (*copy)(const void* forward);
  Replay keep() const { return copy(forward); }
};

/// Sees every call of a thread (graph capture, profiling, the search for NaN).
class Tracer {
 public:
  /// Before an operation computes.
  virtual void begin(const Call& /*call*/) {}
  virtual void operation(const Call& call, const Inputs& inputs, std::span<const Tensor> outputs,
                         const Computation& computation) = 0;
  /// A backward run calls a node's rule through this.
  virtual void rule(Node& node, const Tensor* dys, Tensor* dxs) { node.run(node, dys, dxs); }

 protected:
  ~Tracer() = default;
};

class GradOff {
 public:
  GradOff() noexcept : before_(autograd_state.grad_enabled), tracer_(autograd_state.tracer) {
    autograd_state.grad_enabled = false;
    autograd_state.tracer = nullptr;
  }
  ~GradOff() {
    autograd_state.grad_enabled = before_;
    autograd_state.tracer = tracer_;
  }
  GradOff(const GradOff&) = delete;

 private:
  bool before_;
  Tracer* tracer_;
};

inline bool wants_gradient(const Inputs& inputs) noexcept {
  if (!autograd_state.grad_enabled) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].requires_grad()) return true;
  return false;
}

Node* make_node(const Call& call, const Inputs& inputs, std::span<Tensor> outputs, std::span<const Tensor> kept,
                std::size_t rule_bytes, Node::Run run, void (*destroy_rule)(void*));

inline std::span<Tensor> as_span(Tensor& x) { return {&x, 1}; }
template <std::size_t N>
std::span<Tensor> as_span(std::array<Tensor, N>& x) {
  return x;
}
inline std::span<Tensor> as_span(std::vector<Tensor>& x) { return x; }

/// forward(inputs), with room for what it keeps where it keeps something.
template <class Forward>
auto compute(const Forward& forward, const Inputs& inputs, [[maybe_unused]] Keep* keep) {
  if constexpr (std::is_invocable_v<const Forward&, const Inputs&, Keep&>)
    return forward(inputs, *keep);
  else
    return forward(inputs);
}

template <class Forward>
Replay copy_forward(const void* forward) {
  return [f = *static_cast<const Forward*>(forward)](const Inputs& inputs, std::span<Tensor> outputs) {
    const GradOff off;
    Keep keep;
    auto result = compute(f, inputs, &keep);
    std::size_t k = 0;
    for (Tensor& y : as_span(result)) outputs[k++] = std::move(y);
  };
}

template <class Rule, bool single_output>
void run_rule(Node& node, const Tensor* dys, Tensor* dxs) {
  const Saved saved(node);
  Rule& rule = *static_cast<Rule*>(node.rule);
  const auto call = [&]() -> decltype(auto) {
    if constexpr (single_output)
      return rule(saved, dys[0]);
    else
      return rule(saved, std::span<const Tensor>(dys, node.outputs));
  };
  if constexpr (std::is_convertible_v<decltype(call()), Tensor>) {
    dxs[0] = call();
  } else {
    auto all = call();
    std::size_t i = 0;
    for (Tensor& each : all) {
      if (i == node.inputs) break;
      dxs[i++] = std::move(each);
    }
  }
}

}  // namespace detail

/// Computes forward(inputs) and, where a gradient is wanted, remembers how to differentiate it.
template <class Forward, class Rule>
auto record(const Call& call, const Inputs& inputs, const Forward& forward, Rule&& rule) {
  constexpr bool keeps = std::is_invocable_v<const Forward&, const Inputs&, Keep&>;
  using Stored = std::decay_t<Rule>;
  std::conditional_t<keeps, Keep, std::nullptr_t> keep{};
  Keep* keep_pointer = nullptr;
  if constexpr (keeps) keep_pointer = &keep;

  const bool wanted = detail::wants_gradient(inputs);
  detail::Tracer* const tracer = detail::autograd_state.tracer;
  if (!wanted && !tracer) [[likely]] {
    const detail::GradOff off;
    return detail::compute(forward, inputs, keep_pointer);
  }
  if (tracer) tracer->begin(call);
  auto result = [&] {
    const detail::GradOff off;
    return detail::compute(forward, inputs, keep_pointer);
  }();
  using Result = decltype(result);
  if (wanted) {
    std::span<const Tensor> kept;
    if constexpr (keeps) kept = keep.kept();
    static_assert(alignof(Stored) <= 16);
    Node* node = detail::make_node(
        call, inputs, detail::as_span(result), kept, sizeof(Stored),
        &detail::run_rule<Stored, std::is_same_v<Result, Tensor>>,
        std::is_trivially_destructible_v<Stored> ? nullptr : +[](void* r) { static_cast<Stored*>(r)->~Stored(); });
    if (node) new (node->rule) Stored(std::forward<Rule>(rule));
  }
  if (tracer) tracer->operation(call, inputs, detail::as_span(result), {&forward, &detail::copy_forward<Forward>});
  return result;
}

/// Computes forward(inputs), which has no gradient.
template <class Forward>
auto record(const Call& call, const Inputs& inputs, const Forward& forward) {
  detail::Tracer* const tracer = detail::autograd_state.tracer;
  if (!tracer) [[likely]]
    return detail::compute(forward, inputs, nullptr);
  tracer->begin(call);
  auto result = [&] {
    const detail::GradOff off;
    return detail::compute(forward, inputs, nullptr);
  }();
  tracer->operation(call, inputs, detail::as_span(result), {&forward, &detail::copy_forward<Forward>});
  return result;
}

}  // namespace weft
