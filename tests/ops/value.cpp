#include "value.h"

#include <cctype>
#include <cmath>
#include <limits>

#include <weft/tensor/kernels.h>

namespace weft::tests {
namespace {

std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return h;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), seed_(hash(text)) {}

  /// softmax(input, dim): a parameter without a default reads as the word of its name.
  CallText call() {
    CallText c;
    c.name = name();
    if (peek() != '(') fail("a bracket is missing");
    ++at_;
    arguments(c, ')');
    ++at_;
    if (at_ != text_.size()) fail("something follows");
    return c;
  }
  CallText list() {
    CallText c;
    arguments(c, '\0');
    return c;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw ConfigError(weft::text("parse: ", what, " at character ", at_, " of: ", text_));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void space() {
    while (std::isspace(static_cast<unsigned char>(peek()))) ++at_;
  }
  std::string name() {
    space();
    const std::size_t begin = at_;
    const auto inside = [this] {
      const char c = peek();
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || ((c == '.' || c == '/' || c == '-') && at_ > 0);
    };
    if (std::isalpha(static_cast<unsigned char>(peek())) || peek() == '_')
      while (inside()) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void arguments(CallText& c, char close) {
    for (space(); peek() != close; space()) {
      if (at_ == text_.size()) fail("the call ends early");
      const std::size_t begin = at_;
      std::string key = name();
      space();
      if (!key.empty() && peek() == '=') {
        ++at_;
        c.keywords.emplace_back(std::move(key), value());
      } else {
        at_ = begin;
        c.positional.push_back(value());
      }
      space();
      if (peek() == ',')
        ++at_;
      else if (peek() != close)
        fail("a comma is missing");
    }
  }

  Value value() {
    space();
    const char c = peek();
    if (c == '[') {
      ++at_;
      CallText list;
      arguments(list, ']');
      ++at_;
      return {std::move(list.positional)};
    }
    if (c == '\'' || c == '"') {
      const std::size_t begin = ++at_, end = text_.find(c, begin);
      if (end == std::string_view::npos) fail("a quotation mark is missing");
      at_ = end + 1;
      return {std::string(text_.substr(begin, end - begin))};
    }
    if (c == '*') {  // a parameter that takes the rest, or the mark before keyword-only ones
      ++at_;
      return {std::string("*").append(name())};
    }
    if (text_.substr(at_, 3) == "...") {
      at_ += 3;
      return {Ellipsis{}};
    }
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '.') return number();
    const std::string word = name();
    if (word.empty()) fail("a value is missing");
    if (word == "None") return {};
    if (word == "True") return {true};
    if (word == "False") return {false};
    if (word == "nan") return {std::numeric_limits<double>::quiet_NaN()};
    if (word == "inf") return {std::numeric_limits<double>::infinity()};
    if (peek() != '(') return {word};
    ++at_;
    CallText maker;
    arguments(maker, ')');
    ++at_;
    if (word == "slice") return {slice(maker)};
    return {make(word, maker)};
  }

  Slice slice(const CallText& bounds) const {
    const auto bound = [&](std::size_t i) -> std::optional<std::int64_t> {
      if (i >= bounds.positional.size() || bounds.positional[i].holds<std::monostate>()) return {};
      return bounds.positional[i].as<std::int64_t>();
    };
    return {bound(0), bound(1), bound(2)};
  }

  Value number() {
    if (text_.substr(at_, 4) == "-inf") {
      at_ += 4;
      return {-std::numeric_limits<double>::infinity()};
    }
    const std::size_t begin = at_;
    bool real = false;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      const bool exponent = (c == '-' || c == '+') && (text_[at_ - 1] == 'e');
      if (c == '.' || c == 'e') real = true;
      if (!std::isdigit(static_cast<unsigned char>(c)) && c != '.' && c != 'e' && !exponent) break;
    }
    const std::string digits(text_.substr(begin, at_ - begin));
    if (real || digits == "-") return {std::stod(digits)};
    return {static_cast<std::int64_t>(std::stoll(digits))};
  }

  Tensor make(const std::string& kind, const CallText& maker) {
    if (kind == "tensor") return literal(maker);
    Shape shape;
    for (const Value& size : maker.positional) shape.push_back(size.as<std::int64_t>());
    Generator g{seed_ + ++made_, 0};
    const auto keyword = [&](std::string_view name, std::int64_t fallback) {
      for (const auto& [key, v] : maker.keywords)
        if (key == name) return v.as<std::int64_t>();
      return fallback;
    };
    const std::int64_t n = shape.product();
    if (kind == "index") {
      std::vector<std::int64_t> values(static_cast<std::size_t>(n));
      const std::int64_t low = keyword("from", 0), below = keyword("below", 2);
      for (auto& v : values) v = low + g.below(below - low);
      return from(values, shape);
    }
    std::vector<double> values(static_cast<std::size_t>(n));
    if (kind == "distinct") {
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.25 * static_cast<double>(i) - 1.1;
      for (std::size_t i = values.size(); i > 1; --i)
        std::swap(values[i - 1], values[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(i)))]);
    } else {
      for (double& v : values) {
        if (kind == "x")
          v = g.normal();
        else if (kind == "apart")
          v = (g.uniform() < 0.5 ? -1 : 1) * (0.3 + 2 * g.uniform());
        else if (kind == "positive")
          v = 0.5 + 1.5 * g.uniform();
        else if (kind == "unit")
          v = 1.8 * g.uniform() - 0.9;
        else if (kind == "probability")
          v = 0.1 + 0.8 * g.uniform();
        else if (kind == "mask")
          v = g.uniform() < 0.6;
        else
          fail("no such maker of tensors");
      }
    }
    const Tensor x = from(values, shape);
    return kind == "mask" ? kernels::cast(x, DType::boolean) : x;
  }

  void collect(const Value& v, int depth, Shape& shape, std::vector<double>& out) {
    if (const auto* list = std::get_if<Value::List>(&v.is)) {
      if (shape.size() == depth) shape.push_back(static_cast<std::int64_t>(list->size()));
      for (const Value& each : *list) collect(each, depth + 1, shape, out);
    } else if (const auto* whole = std::get_if<std::int64_t>(&v.is)) {
      out.push_back(static_cast<double>(*whole));
    } else if (const auto* flag = std::get_if<bool>(&v.is)) {
      out.push_back(*flag);
    } else {
      out.push_back(v.as<double>());
    }
  }

  Tensor literal(const CallText& maker) {
    Shape shape;
    std::vector<double> values;
    collect(maker.positional.at(0), 0, shape, values);
    Tensor x = from(values, shape);
    if (maker.positional.size() > 1) {
      const std::string& wanted = maker.positional[1].as<std::string>();
      for (int i = 0; i < dtype_count; ++i)
        if (wanted == weft::name(static_cast<DType>(i))) return kernels::cast(x, static_cast<DType>(i));
      fail("no such type");
    }
    return x;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t seed_, made_ = 0;
};

[[noreturn]] void wrong(const std::string& op, std::string_view name, const char* wanted) {
  throw ConfigError(text(op, ": argument ", name, " is not ", wanted));
}

}  // namespace

CallText parse_arguments(std::string_view text) { return Parser(text).list(); }

Signature parse_signature(std::string_view text) {
  const CallText call = Parser(text).call();
  Signature s;
  s.name = call.name;
  for (const Value& p : call.positional) {
    const std::string& word = p.as<std::string>();
    if (word == "*") continue;
    if (word[0] == '*')
      s.parameters.push_back({word.substr(1), Value{Value::List{}}, true});
    else
      s.parameters.push_back({word, std::nullopt, false});
  }
  for (const auto& [name, value] : call.keywords) s.parameters.push_back({name, value, false});
  return s;
}

Args::Args(const Signature& signature, const CallText& call) : op_(signature.name) {
  std::size_t next = 0;
  for (const Signature::Parameter& p : signature.parameters) {
    std::optional<Value> v;
    if (p.rest) {
      // "permute(x, 1, 0)" and "permute(x, [1, 0])" are the same call.
      Value::List rest(call.positional.begin() + static_cast<std::ptrdiff_t>(std::min(next, call.positional.size())),
                       call.positional.end());
      next = call.positional.size();
      if (rest.size() == 1 && rest[0].holds<Value::List>())
        v = rest[0];
      else if (!rest.empty())
        v = Value{std::move(rest)};
    } else if (next < call.positional.size()) {
      v = call.positional[next++];
    }
    for (const auto& [name, value] : call.keywords) {
      if (name != p.name) continue;
      if (v) throw ConfigError(text(op_, ": argument ", p.name, " is given twice"));
      v = value;
    }
    if (!v) v = p.fallback;
    if (!v) throw ConfigError(text(op_, ": argument ", p.name, " is missing"));
    values_.emplace_back(p.name, std::move(*v));
  }
  if (next < call.positional.size())
    throw ConfigError(text(op_, ": ", call.positional.size(), " arguments, at most ", next, " are known"));
  for (const auto& [name, value] : call.keywords) {
    bool known = false;
    for (const Signature::Parameter& p : signature.parameters) known |= p.name == name;
    if (!known) throw ConfigError(text(op_, ": argument ", name, " is unknown"));
  }
}

const Value& Args::value(std::string_view name) const {
  for (const auto& [key, value] : values_)
    if (key == name) return value;
  static const Value none;
  return none;
}

bool Args::has(std::string_view name) const { return !value(name).holds<std::monostate>(); }
bool Args::is_tensor(std::string_view name) const { return value(name).holds<Tensor>(); }
bool Args::is_list(std::string_view name) const { return value(name).holds<Value::List>(); }

Tensor Args::tensor(std::string_view name) const {
  const Value& v = value(name);
  if (v.holds<std::monostate>()) return {};
  if (const auto* x = std::get_if<Tensor>(&v.is)) return *x;
  wrong(op_, name, "a tensor");
}

std::vector<Tensor> Args::tensors(std::string_view name) const {
  if (is_tensor(name)) return {tensor(name)};
  if (!is_list(name)) wrong(op_, name, "a list of tensors");
  std::vector<Tensor> all;
  for (const Value& each : value(name).as<Value::List>()) {
    if (!each.holds<Tensor>()) wrong(op_, name, "a list of tensors");
    all.push_back(each.as<Tensor>());
  }
  return all;
}

Scalar Args::number(std::string_view name) const {
  const Value& v = value(name);
  if (const auto* x = std::get_if<std::int64_t>(&v.is)) return *x;
  if (const auto* x = std::get_if<double>(&v.is)) return *x;
  if (const auto* x = std::get_if<bool>(&v.is)) return *x;
  if (const auto* x = std::get_if<Tensor>(&v.is)) {
    if (is_floating(x->dtype())) return x->item();
    return static_cast<std::int64_t>(x->item());
  }
  wrong(op_, name, "a number");
}

double Args::real(std::string_view name) const { return number(name).real(); }
std::int64_t Args::integer(std::string_view name) const {
  const Scalar n = number(name);
  if (n.kind() == DType::float64) wrong(op_, name, "a whole number");
  return n.integer();
}
bool Args::flag(std::string_view name) const {
  const auto* b = std::get_if<bool>(&value(name).is);
  if (!b) wrong(op_, name, "True or False");
  return *b;
}
const std::string& Args::word(std::string_view name) const {
  const auto* s = std::get_if<std::string>(&value(name).is);
  if (!s) wrong(op_, name, "a string");
  return *s;
}

std::vector<std::int64_t> Args::integers(std::string_view name) const {
  if (!has(name)) return {};
  if (!is_list(name)) return {integer(name)};
  std::vector<std::int64_t> all;
  for (const Value& each : value(name).as<Value::List>()) {
    if (!each.holds<std::int64_t>()) wrong(op_, name, "a list of whole numbers");
    all.push_back(each.as<std::int64_t>());
  }
  return all;
}
std::vector<int> Args::axes(std::string_view name) const {
  std::vector<int> all;
  for (const std::int64_t axis : integers(name)) all.push_back(static_cast<int>(axis));
  return all;
}
Shape Args::shape(std::string_view name) const {
  const std::vector<std::int64_t> sizes = integers(name);
  return Shape(std::span<const std::int64_t>(sizes));
}

}  // namespace weft::tests
