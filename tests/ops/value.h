#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

/// Arguments whose types are known only when the test runs: what a sample, a signature's default or a case of the
/// conformance program says, and how a record reads them by name.
namespace weft::tests {

struct Ellipsis {};
struct Slice {
  std::optional<std::int64_t> start, stop, step;
};

/// None, a flag, a number, a word, a tensor, a list of these, or an index expression.
struct Value {
  using List = std::vector<Value>;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Tensor, List, Slice, Ellipsis> is;

  template <class T>
  bool holds() const {
    return std::holds_alternative<T>(is);
  }
  template <class T>
  const T& as() const {
    return std::get<T>(is);
  }
};

/// A call as it is written: softmax(x, dim=1). `name` is empty for a bare list of arguments.
struct CallText {
  std::string name;
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

/// Reads the arguments of a call: "2.5, [1, -1], 'mean', None, dim=1". In place of a tensor stands a maker, which gives
/// float64 numbers that depend on the text alone:
///   x(3, 4)         normal                          positive(3, 4)  in [0.5, 2]
///   apart(3, 4)     at least 0.3 from 0             distinct(3, 4)  all different, 0.25 apart
///   unit(3, 4)      in [-0.9, 0.9]                  probability(3)  in [0.1, 0.9]
///   index(7, below=3)  int64 in [0, 3)              mask(3, 4)      bool
///   tensor([[1, nan], [inf, -2]], 'float32')        these numbers (float64 when no type is named)
/// Entries of an index are written slice(start, stop, step), with None where a bound is left out, and ... for the rest.
CallText parse_arguments(std::string_view text);

/// "softmax(input, dim, dtype=None)": the names, in order, and what stands in for those left out.
struct Signature {
  std::string name;
  struct Parameter {
    std::string name;
    std::optional<Value> fallback;
    bool rest = false;  ///< *name: takes all that is left, as a list
  };
  std::vector<Parameter> parameters;
};
Signature parse_signature(std::string_view text);

/// The arguments of a call, by name. Reading one as something it is not throws ConfigError.
class Args {
 public:
  /// Throws ConfigError for an argument too many, one that is lacking, or an unknown keyword.
  Args(const Signature& signature, const CallText& call);

  /// Whether it was given and is not None.
  bool has(std::string_view name) const;
  bool is_tensor(std::string_view name) const;
  bool is_list(std::string_view name) const;
  const Value& value(std::string_view name) const;
  Tensor tensor(std::string_view name) const;                ///< undefined for None
  std::vector<Tensor> tensors(std::string_view name) const;  ///< of a list, or one
  Scalar number(std::string_view name) const;                ///< also of a tensor with one element
  double real(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  int axis(std::string_view name) const { return static_cast<int>(integer(name)); }
  bool flag(std::string_view name) const;
  const std::string& word(std::string_view name) const;
  std::vector<std::int64_t> integers(std::string_view name) const;  ///< of a list, or one; empty for None
  std::vector<int> axes(std::string_view name) const;
  Shape shape(std::string_view name) const;

  /// Every tensor in here, lists included, in order; `visit` may replace it.
  template <class Visit>
  void each_tensor(Visit&& visit) {
    for (auto& [name, value] : values_) walk(name, value, visit);
  }

 private:
  template <class Visit>
  static void walk(const std::string& name, Value& value, Visit& visit) {
    if (auto* x = std::get_if<Tensor>(&value.is)) visit(name, *x);
    if (auto* list = std::get_if<Value::List>(&value.is))
      for (Value& each : *list) walk(name, each, visit);
  }
  std::string op_;
  std::vector<std::pair<std::string, Value>> values_;
};

}  // namespace weft::tests
