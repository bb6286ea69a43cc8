#include <cmath>
#include <cstring>
#include <limits>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/tensor/kernels.h>

#include <weft/tests/ops/record.h>
#include "fuzz.h"

namespace weft::tests {
namespace {

/// Decisions, read from bytes; zeros when they have run out.
class Source {
 public:
  Source(const std::uint8_t* bytes, std::size_t count) : bytes_(bytes), count_(count) {}
  std::int64_t below(std::int64_t n) {
    std::int64_t v = byte();
    if (n > 256) v = v * 256 + byte();
    return v % n;
  }
  bool chance(int in) { return below(in) == 0; }
  /// A seed for numbers that need not be decided one by one.
  std::uint64_t seed() { return static_cast<std::uint64_t>(below(65536)); }

 private:
  std::uint8_t byte() { return at_ < count_ ? bytes_[at_++] : 0; }
  const std::uint8_t* bytes_;
  std::size_t count_, at_ = 0;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers cannot be given a limit of memory (see main.cpp): here gigabytes would really be taken.
constexpr std::int64_t large = std::int64_t{1} << 45;
#else
constexpr std::int64_t large = std::int64_t{1} << 31;
#endif
constexpr std::int64_t extremes[] = {std::numeric_limits<std::int64_t>::max(),
                                     std::numeric_limits<std::int64_t>::min(),
                                     std::int64_t{1} << 62,
                                     std::int64_t{1} << 40,
                                     large,
                                     large - 1,
                                     -(std::int64_t{1} << 31),
                                     200};  // along three axes at once it still takes little time
std::int64_t extreme(Source& s) { return extremes[s.below(8)]; }

Tensor random_tensor(Source& s, const Shape& shape, DType type, bool nasty) {
  Generator g{s.seed()};
  std::vector<double> values(static_cast<std::size_t>(shape.product()));
  const double special[] = {0, -0.0, 1, -1, HUGE_VAL, -HUGE_VAL, std::nan("")};
  for (double& v : values) {
    if (is_floating(type))
      v = nasty && g.below(4) == 0 ? special[g.below(7)] : g.normal();
    else
      v = static_cast<double>(nasty && g.below(8) == 0 ? g.below(100) - 50
                                                       : g.below(5) - (type == DType::uint8 ? 0 : 1));
    if (type == DType::boolean) v = g.below(2) == 1;
  }
  return kernels::cast(from(values, shape), type);
}

/// The same, but for one entry far out of any range.
Tensor with_extreme_entry(Source& s, const Tensor& x) {
  std::vector<std::int64_t> values = to_vector<std::int64_t>(x);
  if (values.empty()) return x;
  values[static_cast<std::size_t>(s.below(65536)) % values.size()] = extreme(s);
  return kernels::cast(from(values, x.shape()), x.dtype());
}

/// The same numbers again and again along new leading axes: they go on to mean something (indices, probabilities).
Tensor with_leading_axes(Source& s, const Tensor& x) {
  Shape shape = x.shape();
  for (std::int64_t more = 1 + s.below(3); more > 0 && shape.size() < 6; --more) shape.insert(0, 1 + s.below(3));
  return expand(x, shape);
}

Tensor mutated(Source& s, const Tensor& x) {
  if (!x.defined()) return x;
  Shape shape = x.shape();
  const bool floating = is_floating(x.dtype());
  switch (s.below(10)) {
    case 0:  // an axis more
      if (shape.size() < 5) shape.push_back(1 + s.below(3));
      break;
    case 1:  // an axis less
      if (shape.size() > 0) {
        Shape shorter;
        for (int i = 1; i < shape.size(); ++i) shorter.push_back(shape[i]);
        shape = shorter;
      }
      break;
    case 2:  // another size
    case 3:
      if (shape.size() > 0) shape[static_cast<int>(s.below(shape.size()))] = s.below(5);
      break;
    case 4: {  // anything
      shape = Shape();
      for (std::int64_t rank = s.below(5); rank > 0; --rank) shape.push_back(s.below(4));
      break;
    }
    case 5:  // nothing at all along an axis
      if (shape.size() > 0) shape[static_cast<int>(s.below(shape.size()))] = 0;
      break;
    default: break;
  }
  DType type = x.dtype() == DType::float64 && s.chance(2) ? DType::float32 : x.dtype();
  if (s.chance(6)) type = static_cast<DType>(s.below(dtype_count));
  if (x.dtype() == DType::int64 && s.chance(4)) type = DType::int32;
  // The numbers of the sample mean something (indices, probabilities): keep them where the shape stays.
  Tensor y = shape == x.shape() && !s.chance(4) && (floating || !is_floating(type))
                 ? kernels::cast(x, type)
                 : random_tensor(s, shape, type, s.chance(4));
  if (!is_floating(type) && s.chance(8)) y = with_extreme_entry(s, y);
  if (s.chance(8)) y = with_leading_axes(s, y);
  switch (s.below(6)) {
    case 0: return testing::with_layout(y, testing::Layout::transposed);
    case 1: return testing::with_layout(y, testing::Layout::gaps);
    case 2: return testing::with_layout(y, testing::Layout::repeated);
    default: return y;
  }
}

void mutate(Source& s, Value& v, int depth = 0) {
  if (auto* x = std::get_if<Tensor>(&v.is)) {
    if (s.chance(20))
      v = Value{};
    else
      *x = mutated(s, *x);
  } else if (auto* n = std::get_if<std::int64_t>(&v.is)) {
    const std::int64_t choice = s.below(8);
    if (choice < 3) *n = s.below(9) - 4;
    if (choice == 3) *n = extreme(s);
    if (depth == 0 && s.chance(32)) v = Value{0.5};  // in a list the records do not look for it
  } else if (auto* real = std::get_if<double>(&v.is)) {
    const double values[] = {0, 1, -1, 0.5, 2, -2.5, 1e-300, 1e300, 0x1p40, HUGE_VAL, -HUGE_VAL, std::nan("")};
    if (s.chance(3)) *real = values[s.below(12)];
  } else if (auto* flag = std::get_if<bool>(&v.is)) {
    if (s.chance(2)) *flag = !*flag;
  } else if (auto* word = std::get_if<std::string>(&v.is)) {
    const char* words[] = {"sum",   "mean",    "none",     "max",   "same",
                           "valid", "float32", "bfloat16", "int64", "no such word"};
    if (s.chance(4)) *word = words[s.below(10)];
  } else if (auto* list = std::get_if<Value::List>(&v.is)) {
    if (s.chance(6) && !list->empty()) list->pop_back();
    if (s.chance(6) && !list->empty() && list->size() < 6) list->push_back(list->back());
    if (depth < 3)
      for (Value& each : *list) mutate(s, each, depth + 1);
  } else if (auto* slice = std::get_if<Slice>(&v.is)) {
    if (s.chance(3)) slice->start = s.below(9) - 4;
    if (s.chance(3)) slice->stop = s.below(9) - 4;
    if (s.chance(3)) slice->step = s.below(5) - 1;
    if (s.chance(12)) (s.chance(2) ? slice->start : slice->stop) = extreme(s);
    if (s.chance(12)) slice->step = extreme(s);
  } else if (v.holds<std::monostate>()) {
    if (s.chance(8)) v = Value{s.below(9) - 4};
  }
}

std::string describe(const Value& v) {
  if (const auto* x = std::get_if<Tensor>(&v.is)) {
    if (!x->defined()) return "None";
    std::string line = text(name(x->dtype()), x->shape(), " strides ");
    for (int i = 0; i < x->dim(); ++i) line += text(i ? "," : "", x->strides()[i]);
    if (x->numel() <= 12) {
      line += " (";
      for (const double each : to_vector<double>(*x)) line += text(each, ' ');
      line += ")";
    }
    return line;
  }
  if (const auto* n = std::get_if<std::int64_t>(&v.is)) return text(*n);
  if (const auto* real = std::get_if<double>(&v.is)) return text(*real, "(real)");
  if (const auto* flag = std::get_if<bool>(&v.is)) return *flag ? "True" : "False";
  if (const auto* word = std::get_if<std::string>(&v.is)) return "'" + *word + "'";
  if (const auto* list = std::get_if<Value::List>(&v.is)) {
    std::string line = "[";
    for (const Value& each : *list) line += describe(each) + "; ";
    return line + "]";
  }
  if (v.holds<Slice>()) return "slice";
  return v.holds<Ellipsis>() ? "..." : "None";
}

std::string describe(const char* name, const CallText& call) {
  std::string line = text(name, "(");
  for (const Value& v : call.positional) line += describe(v) + ", ";
  for (const auto& [key, v] : call.keywords) line += key + "=" + describe(v) + ", ";
  return line + ")";
}

/// What a call came to: an error, or outputs and gradients.
struct Trial {
  std::string error, backward_error;
  std::vector<Tensor> outputs, gradients;
  double precision = 1e-9;  ///< of the narrowest floating type that it has to do with
  double largest = 1;       ///< finite number among inputs and outputs
};

/// A view can show a number more often than any memory holds; its entries are not compared.
constexpr std::int64_t most_compared = 1 << 22;

double precision_of(const Tensor& x) {
  return x.dtype() == DType::bfloat16 ? 2e-2 : x.dtype() == DType::float32 ? 2e-5 : 1e-9;
}

double largest_of(const Tensor& x) {
  double largest = 0;
  if (is_floating(x.dtype()) && x.numel() <= most_compared)
    for (const double v : to_vector<double>(detach(x)))
      if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  return largest;
}

void note(Trial& r, const Tensor& x) {
  // A result may be labelled with a wider type than that of the numbers it was computed from.
  r.precision = std::max(r.precision, precision_of(x));
  r.largest = std::max(r.largest, largest_of(x));
}

Trial run(const Record& record, const Signature& signature, const CallText& call) {
  Trial r;
  std::vector<Tensor> leaves;
  manual_seed(1);
  try {
    Args args(signature, call);
    args.each_tensor([&](const std::string&, Tensor& x) {
      if (!x.defined()) return;
      const bool leaf = is_floating(x.dtype());
      note(r, x);
      x = detach(x);
      if (leaf) leaves.push_back(x.set_requires_grad());
    });
    r.outputs = record.call(args);
  } catch (const Error& e) {
    r.error = e.what();
    return r;
  }
  std::vector<Tensor> from, cotangents;
  for (Tensor& y : r.outputs) {
    if (!y.defined()) continue;
    note(r, y);
    if (y.numel() > most_compared)
      y = expand(scalar(0, y.dtype()), y.shape());  // the form is all that is compared
    else if (y.requires_grad()) {
      from.push_back(y);
      cotangents.push_back(ones(y.shape(), y.dtype()));
    }
  }
  if (from.empty()) return r;
  try {
    backward(from, cotangents);
    for (const Tensor& x : leaves) r.gradients.push_back(x.grad());
  } catch (const Error& e) {
    r.backward_error = e.what();
  }
  return r;
}

/// Empty when b agrees with a, up to `tolerance` of the largest entry.
std::string difference(const char* what, const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance) {
  if (a.size() != b.size()) return text(what, ": ", a.size(), " and ", b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].defined() != b[k].defined()) return text(what, ' ', k, ": only one is defined");
    if (!a[k].defined()) continue;
    const bool same_form = a[k].shape() == b[k].shape() && a[k].dtype() == b[k].dtype();
    if (same_form && a[k].numel() > most_compared) continue;
    const double largest = std::max(1.0, largest_of(a[k]));
    const testing::Report report = testing::allclose(
        detach(b[k]), detach(a[k]), {.atol = tolerance * largest, .rtol = tolerance, .equal_nan = true});
    if (!report) return text(what, ' ', k, ": ", report.message);
  }
  return {};
}

/// Near a place where there is no derivative (equal singular values, a matrix without an inverse) a gradient is the
/// quotient of two roundings, and every order of summation has its own. Such gradients stand out by their size.
/// Those of qr and svd may cancel again, so that for these the factors tell: columns that hang together leave a 0 on
/// the diagonal of R, or among the singular values, or two of these are equal.
bool is_ill_conditioned(const Trial& r, const std::string& name) {
  if ((name == "qr" || name == "svd") && r.outputs.size() > 1) {
    const Tensor factor = detach(r.outputs[1]);
    double before = HUGE_VAL;
    for (const double v : to_vector<double>(name == "qr" ? diagonal(factor, 0, -2, -1) : factor)) {
      if (std::abs(v) < 1e-6 * r.largest || (name == "svd" && std::abs(before - v) < 1e-6 * r.largest)) return true;
      before = v;
    }
  }
  for (const Tensor& dx : r.gradients)
    if (dx.defined() && largest_of(dx) > 1e6 * r.largest) return true;
  return false;
}

/// A sum of numbers that overflow is infinite or, where it comes to inf - inf, NaN: that hangs on the order of its
/// terms, so that a power by repeated squaring only has to be beyond all numbers in the same entries.
std::vector<Tensor> with_overflow_as_nan(const std::vector<Tensor>& all) {
  std::vector<Tensor> each;
  for (const Tensor& x : all) {
    each.push_back(x);
    if (!x.defined() || !is_floating(x.dtype()) || x.numel() > most_compared) continue;
    std::vector<double> values = to_vector<double>(detach(x));
    for (double& v : values)
      if (!std::isfinite(v)) v = std::nan("");
    each.back() = kernels::cast(from(values, x.shape()), x.dtype());
  }
  return each;
}

std::string compare(Trial a, Trial b, const std::string& name, double looseness) {
  if (name == "matrix_power")
    for (Trial* r : {&a, &b}) {
      r->outputs = with_overflow_as_nan(r->outputs);
      r->gradients = with_overflow_as_nan(r->gradients);
    }
  for (const Trial* r : {&a, &b})
    for (const std::string* error : {&r->error, &r->backward_error})
      if (error->rfind("allocate: ", 0) == 0) return {};  // memory that one finds may be in use when the other asks
  if (a.error != b.error) return text("one says \"", a.error, "\", the other \"", b.error, "\"");
  if (a.backward_error != b.backward_error)
    return text("backward: one says \"", a.backward_error, "\", the other \"", b.backward_error, "\"");
  const double tolerance = looseness * a.precision;
  const std::string values = difference("output", a.outputs, b.outputs, tolerance);
  if (!values.empty() || is_ill_conditioned(a, name) || is_ill_conditioned(b, name)) return values;
  return difference("gradient", a.gradients, b.gradients, 10 * tolerance);
}

std::string current;
FuzzCounts counts;

}  // namespace

const std::string& call_under_test() { return current; }
const FuzzCounts& fuzz_counts() { return counts; }

std::string try_bytes(const std::uint8_t* bytes, std::size_t count, const std::string& only) {
  static const std::vector<Record>& all = records();
  static const std::vector<Signature> signatures = [] {
    std::vector<Signature> s;
    for (const Record& r : all) s.push_back(parse_signature(r.signature()));
    return s;
  }();
  Source s(bytes, count);
  auto which = static_cast<std::size_t>(s.below(65536)) % all.size();
  if (!only.empty())
    for (which = 0; which < all.size() && only != all[which].name; ++which) {
    }
  if (which == all.size()) return "there is no operation " + only;
  const Record& record = all[which];
  if (record.samples.empty()) return {};
  CallText call = parse_arguments(
      record.samples[static_cast<std::size_t>(s.below(static_cast<std::int64_t>(record.samples.size())))]);
  const std::int64_t changes = 1 + s.below(3),
                     values = static_cast<std::int64_t>(call.positional.size() + call.keywords.size());
  const auto any_value = [&]() -> Value& {
    const auto at = static_cast<std::size_t>(s.below(values));
    return at < call.positional.size() ? call.positional[at] : call.keywords[at - call.positional.size()].second;
  };
  for (std::int64_t i = 0; i < changes && values > 0; ++i) mutate(s, any_value());
  if (values > 1 && s.chance(16)) {  // one tensor twice
    Value &one = any_value(), &other = any_value();
    if (one.holds<Tensor>() && other.holds<Tensor>()) other = Value{one};
  }
  current = describe(record.name, call);

  struct Restore {
    std::string level = kernels::level();
    bool onednn = kernels::uses_onednn();
    ~Restore() {
      kernels::set_level(level.c_str());
      kernels::use_onednn(onednn);
    }
  } restore;
  kernels::set_level(kernels::available_levels().front());
  kernels::use_onednn(false);
  const Trial plain = run(record, signatures[which], call);
  ++(plain.error.empty() ? counts.computed : counts.refused);
  for (const char* level : kernels::available_levels()) {
    kernels::set_level(level);
    kernels::use_onednn(true);
    const std::string wrong = compare(plain, run(record, signatures[which], call), record.name, record.looseness);
    if (!wrong.empty()) return text(current, " at ", level, ":\n  ", wrong);
  }
  return {};
}

}  // namespace weft::tests
