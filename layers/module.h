#pragma once
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/tensor/tensor.h>

/// A model is a plain struct that lists its members once:
///
///   struct Classifier {
///     Linear hidden{784, 128};
///     Linear out{128, 10};
///     Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
///     void fields(auto&& f) { f("hidden", hidden, "out", out); }
///   };
///
/// All members go through one call of `f`, in the order of their declaration, plain numbers too; a
/// forgotten one does not compile. Members may be tensors (parameters), buffers, other such structs,
/// vectors, arrays, optionals and pairs of these. Names of nested members are joined by dots, elements of
/// vectors are named by their index: "blocks.0.weight".
namespace weft {

/// A tensor that belongs to a model but is not trained: running statistics, tables.
class Buffer : public Tensor {
 public:
  Buffer() = default;
  Buffer(Tensor x) noexcept : Tensor(std::move(x)) {}  // NOLINT: a tensor may simply be stored
};

/// Whether a layer that cares (dropout, batch norm) is being trained; set by train(model) and eval(model).
struct Mode {
  bool training = true;
};

/// What a walk over a model meets. Names are full paths.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void parameter(const std::string& name, Tensor& x) = 0;
  virtual void buffer(const std::string& name, Buffer& x) = 0;
  virtual void mode(Mode& mode) = 0;
};

namespace detail {

template <class T>
concept Model = requires(T& model, void (*ignore)(...)) {
  model.fields([](auto&&...) {});
};
/// A member whose type is known only at run time walks itself (Sequential, any Fusion).
template <class T>
concept SelfVisiting = requires(T& member, const std::string& name, Visitor& v) {
  member.visit(name, v);
};

/// Types that hold nothing to train: they must be listed but are passed over.
template <class T>
struct IsPlain : std::bool_constant<std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string> ||
                                    std::is_same_v<T, Shape>> {};
template <class T>
struct IsPlain<std::vector<T>> : IsPlain<T> {};
template <class T, std::size_t N>
struct IsPlain<std::array<T, N>> : IsPlain<T> {};
template <class T>
struct IsPlain<std::optional<T>> : IsPlain<T> {};
template <class R, class... A>
struct IsPlain<std::function<R(A...)>> : std::true_type {};
template <class R, class... A>
struct IsPlain<R (*)(A...)> : std::true_type {};

constexpr std::size_t align_up(std::size_t at, std::size_t to) { return (at + to - 1) / to * to; }

/// The size of a struct whose members are these, in this order.
template <class... Members>
constexpr std::size_t laid_out() {
  std::size_t at = 0, alignment = 1;
  ((at = align_up(at, alignof(Members)) + sizeof(Members),
    alignment = alignof(Members) > alignment ? alignof(Members) : alignment),
   ...);
  return at == 0 ? 1 : align_up(at, alignment);
}

template <class T>
void visit_member(const std::string& name, T& member, Visitor& v);

/// Receives the arguments of f(...): name, member, name, member ...
template <class Owner>
class Fields {
 public:
  Fields(std::string prefix, Visitor& v) : prefix_(std::move(prefix)), visitor_(v) {}

  template <class... Arguments>
  void operator()(Arguments&&... arguments) {
    check(std::forward_as_tuple(arguments...), std::make_index_sequence<sizeof...(Arguments) / 2>());
  }

 private:
  template <class Tuple, std::size_t... I>
  void check(Tuple&& all, std::index_sequence<I...>) {
    static_assert(std::tuple_size_v<std::remove_cvref_t<Tuple>> == 2 * sizeof...(I),
                  "fields: give a name before each member");
    static_assert(
        std::is_polymorphic_v<Owner> ||
            laid_out<std::remove_reference_t<std::tuple_element_t<2 * I + 1, std::remove_cvref_t<Tuple>>>...>() ==
                sizeof(Owner),
        "fields: the members listed do not fill the struct; list every member, in the order of declaration");
    (visit_member(prefix_ + std::get<2 * I>(all), std::get<2 * I + 1>(all), visitor_), ...);
  }
  std::string prefix_;
  Visitor& visitor_;
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T, std::size_t N>
struct IsVector<std::array<T, N>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};

template <class T>
void visit_member(const std::string& name, T& member, Visitor& v) {
  if constexpr (std::is_same_v<T, Tensor>) {
    if (member.defined()) v.parameter(name, member);
  } else if constexpr (std::is_same_v<T, Buffer>) {
    if (member.defined()) v.buffer(name, member);
  } else if constexpr (std::is_same_v<T, Mode>) {
    v.mode(member);
  } else if constexpr (SelfVisiting<T>) {
    member.visit(name, v);
  } else if constexpr (Model<T>) {
    member.fields(Fields<T>(name.empty() ? name : name + ".", v));
  } else if constexpr (IsPlain<T>::value) {
  } else if constexpr (IsVector<T>::value) {
    std::size_t i = 0;
    for (auto& each : member) visit_member((name.empty() ? name : name + ".") + std::to_string(i++), each, v);
  } else if constexpr (IsOptional<T>::value) {
    if (member) visit_member(name, *member, v);
  } else if constexpr (IsPair<T>::value) {
    visit_member((name.empty() ? name : name + ".") + "0", member.first, v);
    visit_member((name.empty() ? name : name + ".") + "1", member.second, v);
  } else {
    static_assert(IsPlain<T>::value, "fields: this member's type has no fields() and is not a plain value");
  }
}

}  // namespace detail

/// Shows a visitor everything in a model (or a tensor, or a vector of models), in the order of declaration.
template <class M>
void walk(M& model, Visitor& visitor) {
  detail::visit_member(std::string(), model, visitor);
}

namespace detail {
/// Stands for any model in functions that are not templates.
using Walk = std::function<void(Visitor&)>;
template <class M>
Walk walk_of(M& model) {
  return [&model](Visitor& v) { walk(model, v); };
}
std::vector<std::pair<std::string, Tensor>> collect(const Walk& walk, bool parameters, bool buffers);
void set_mode(const Walk& walk, bool training);
void deepen(const Walk& walk);
}  // namespace detail

/// Every parameter once (a tied one at its first place), in the order of declaration.
template <class M>
std::vector<Tensor> parameters(M& model) {
  std::vector<Tensor> all;
  for (auto& each : detail::collect(detail::walk_of(model), true, false)) all.push_back(std::move(each.second));
  return all;
}
/// The same with names.
template <class M>
std::vector<std::pair<std::string, Tensor>> named_parameters(M& model) {
  return detail::collect(detail::walk_of(model), true, false);
}
/// Parameters and buffers by name: what save() writes.
template <class M>
std::vector<std::pair<std::string, Tensor>> state(M& model) {
  return detail::collect(detail::walk_of(model), true, true);
}
/// How many numbers are trained.
template <class M>
std::int64_t parameter_count(M& model) {
  std::int64_t n = 0;
  for (const Tensor& p : parameters(model)) n += p.numel();
  return n;
}
/// Pairs of names that share one tensor, e.g. by copying a layer: such weights are tied.
std::vector<std::pair<std::string, std::string>> ties(const detail::Walk& walk);
template <class M>
std::vector<std::pair<std::string, std::string>> ties(M& model) {
  return ties(detail::walk_of(model));
}

/// Tells every layer that cares that it is being trained.
template <class M>
void train(M& model) {
  detail::set_mode(detail::walk_of(model), true);
}
/// Tells every layer that cares that it is being used.
template <class M>
void eval(M& model) {
  detail::set_mode(detail::walk_of(model), false);
}

/// A deep copy: no tensor is shared with the original, ties within the model stay ties. (A plain copy of a
/// model shares its tensors, as copies of tensors do.)
template <class M>
M clone(const M& model) {
  M copy = model;
  detail::deepen(detail::walk_of(copy));
  return copy;
}

/// n models, each made anew: repeat(2, [] { return Block(64); }). (std::vector(2, Block(64)) would tie their weights.)
template <class Make>
auto repeat(std::size_t n, Make&& make) {
  std::vector<std::decay_t<decltype(make())>> all;
  all.reserve(n);
  for (std::size_t i = 0; i < n; ++i) all.push_back(make());
  return all;
}

}  // namespace weft
