#include <cmath>
#include <cstring>
#include <iostream>
#include <string>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/deploy/compile.h>
#include <weft/tensor/kernels.h>

#include "record.h"

/// Runs every record: ops [--only TEXT] [--verbose]. See record.h for what is checked.
namespace weft::tests {
namespace {

using testing::Layout;
using testing::Report;

struct Tally {
  int checks = 0, failed = 0, records = 0;
  int differentiable = 0, first = 0, second = 0, captured = 0;
  std::vector<std::string> exceptions;
};

/// Calls that a graph cannot hold, some or all of them.
const char* refusal(std::string_view name) {
  static constexpr const char* chooses = "how many elements it gives follows from numbers";
  static constexpr const char* checks = "it checks its numbers";
  static constexpr const char* sorts = "it sorts its index first, outside of the graph";
  static constexpr std::pair<std::string_view, const char*> all[] = {
      {"index", chooses},
      {"index_put", chooses},
      {"masked_select", chooses},
      {"masked_scatter", chooses},
      {"argwhere", chooses},
      {"nonzero", chooses},
      {"embedding_bag", chooses},
      {"embedding_bag/padding", chooses},
      {"one_hot", chooses},
      {"repeat_interleave", chooses},
      {"weighted_mean", checks},
      {"gaussian_nll_loss", checks},
      {"binary_cross_entropy", checks},
      {"cox_loss", checks},
      {"ctc_loss/scores", checks},
      {"segment_sum", sorts},
      {"segment_softmax", sorts},
      {"segment_min", sorts},
      {"segment_mean", sorts},
      {"segment_max", sorts},
      {"segment_max/odd", sorts},
      {"segment_gather", sorts},
      {"neighbour_sum", sorts},
      {"edge_dot", sorts},
      {"ctc_loss", checks},
      {"binary_cross_entropy/certain", checks},
      {"dropout", "it draws random numbers"},
      {"batch_norm", "it learns its statistics"},
      {"cdist/equal rows", "it differentiates by itself"},
  };
  for (const auto& [key, why] : all)
    if (key == name) return why;
  return nullptr;
}

class Runner {
 public:
  Runner(const Record& record, Tally& tally)
      : record_(record), tally_(tally), signature_(parse_signature(record.signature())) {}

  void run() {
    if (record_.samples.empty()) fail("", "it has no samples");
    if (record_.looseness > 1 && !record_.looseness_reason) fail("", "it is loose without a reason");
    for (const char* sample : record_.samples) guarded(sample, [&] { check(sample); });
    for (const BadInput& bad : record_.errors) check_error(bad);
    if (refusal_ && !refused_) fail("", text("it was captured after all: ", refusal_));
    if (refused_) tally_.exceptions.push_back(text(record_.name, ": not captured: ", refusal_));
    tally_.captured += !refusal_;
    if (record_.no_gradient) return;
    ++tally_.differentiable;
    tally_.first += first_ && first_right_;
    tally_.second += second_ && second_right_;
    if (record_.no_second_gradient)
      tally_.exceptions.push_back(text(record_.name, ": no second derivative: ", record_.no_second_gradient));
  }

 private:
  template <class Body>
  void guarded(const std::string& where, Body&& body) {
    try {
      body();
    } catch (const std::exception& e) {
      fail(where, text("throws: ", e.what()));
    }
  }
  void fail(const std::string& where, const std::string& what) {
    ++tally_.failed;
    std::cout << record_.name << (where.empty() ? "" : "(" + where + ")") << ": " << what << '\n';
  }
  bool expect(const Report& report, const std::string& where, const char* what) {
    ++tally_.checks;
    if (!report) fail(where, text(what, ": ", report.message));
    return report.passed;
  }

  Args arguments(const char* sample) const { return Args(signature_, parse_arguments(sample)); }

  bool constant(const std::string& name) const {
    for (const char* each : record_.constant)
      if (name == each) return true;
    return false;
  }

  Args converted(Args args, DType type) const {
    args.each_tensor([&](const std::string&, Tensor& x) {
      if (x.dtype() == DType::float64) x = kernels::cast(x, type);
    });
    return args;
  }

  void compare(const Outputs& actual, const Outputs& expected, const testing::Tolerance& tolerance,
               const std::string& where, const char* what) {
    if (actual.size() != expected.size()) {
      fail(where, text(what, ": ", actual.size(), " outputs, expected ", expected.size()));
      return;
    }
    for (std::size_t k = 0; k < actual.size(); ++k)
      expect(testing::allclose(actual[k], expected[k], tolerance), where, what);
  }

  Outputs as_type(Outputs outputs, DType type) const {
    if (record_.result == Result::float64) return outputs;
    for (Tensor& y : outputs)
      if (y.dtype() == DType::float64) y = kernels::cast(y, type);
    return outputs;
  }

  /// float32 keeps about seven digits of the largest number in play.
  testing::Tolerance single(const Outputs& expected) const {
    double largest = 1;
    for (const Tensor& y : expected)
      for (const double v : to_vector<double>(y))
        if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    return {.atol = 1e-5 * largest * record_.looseness, .rtol = 1e-5 * record_.looseness, .equal_nan = true};
  }

  void check(const char* sample) {
    const Args args = arguments(sample);
    const testing::Tolerance exact{.atol = 1e-10, .rtol = 1e-10, .equal_nan = true};
    const Outputs expected = record_.call(args);
    if (record_.reference) {
      Outputs reference = record_.reference(args);
      for (std::size_t k = 0; k < reference.size() && k < expected.size(); ++k)
        if (record_.result == Result::boolean || record_.result == Result::int64)
          reference[k] = kernels::cast(reference[k], record_.result == Result::boolean ? DType::boolean : DType::int64);
      compare(expected, reference, exact, sample, "against the reference");
    }

    const std::string usual = kernels::level();
    for (const char* level : kernels::available_levels()) {
      kernels::set_level(level);
      const std::string where = text(sample, " at ", level);
      guarded(where, [&] {
        compare(record_.call(args), expected, exact, where, "float64");
        const Args small = converted(args, DType::float32);
        // What float32 can hold of the inputs is the fair starting point.
        const Outputs fair = as_type(record_.call(widened(small)), DType::float32);
        compare(record_.call(small), fair, single(fair), where, "float32");
        for (const Layout layout : testing::layouts) {
          Args strided = small, plain = small;
          lay_out(strided, layout);
          lay_out(plain, layout);
          plain.each_tensor([](const std::string&, Tensor& x) { x = kernels::copy(x); });
          const Outputs y = record_.call(plain);
          compare(record_.call(strided), y, single(y), where, name(layout));
        }
      });
    }
    kernels::set_level(usual.c_str());

    check_capture(sample, args);
    check_capture(sample, converted(args, DType::float32));
    for (const DType type : record_.types) check_type(sample, type);
    if (!record_.no_gradient) check_gradient(sample, args);
  }

  /// float32 arguments with their numbers as float64.
  static Args widened(Args args) {
    args.each_tensor([](const std::string&, Tensor& x) {
      if (x.dtype() == DType::float32) x = kernels::cast(x, DType::float64);
    });
    return args;
  }

  static void lay_out(Args& args, Layout layout) {
    args.each_tensor([&](const std::string&, Tensor& x) { x = testing::with_layout(x, layout); });
  }

  DType result_type(DType input) const {
    switch (record_.result) {
      case Result::same: return input;
      case Result::floating: return is_floating(input) ? input : DType::float32;
      case Result::boolean: return DType::boolean;
      case Result::int64: return DType::int64;
      case Result::float64: return DType::float64;
    }
    return input;
  }

  void check_type(const char* sample, DType type) {
    const std::string where = text(sample, " of ", type);
    guarded(where, [&] {
      Args whole = arguments(sample);
      bool convertible = true;  // NaN and infinity have no whole number
      whole.each_tensor([&](const std::string&, Tensor& x) {
        if (x.dtype() != DType::float64) return;
        for (const double v : to_vector<double>(x)) convertible &= is_floating(type) || std::isfinite(v);
        x = kernels::unary(kernels::Unary::round, kernels::binary(kernels::Binary::mul, x, 2.0));
        if (type == DType::uint8) x = kernels::unary(kernels::Unary::abs, x);
        if (type == DType::boolean) x = kernels::cast(kernels::cast(x, DType::boolean), DType::float64);
      });
      if (!convertible) return;
      const Outputs expected = record_.call(whole), actual = record_.call(converted(whole, type));
      const double tolerance = type == DType::bfloat16 ? 8e-3 : 1e-5;  // bfloat16 has 8 bits
      for (std::size_t k = 0; k < expected.size(); ++k)                // places keep their type
        compare({actual.at(k)},
                {expected[k].dtype() == DType::float64 ? kernels::cast(expected[k], result_type(type)) : expected[k]},
                {.atol = tolerance, .rtol = tolerance, .equal_nan = true}, where, "against float64");
    });
  }

  /// The call as a function of its tensors.
  auto function_of(const Args& args) const {
    return [this, args](const std::vector<Tensor>& in) -> std::vector<Tensor> {
      Args replaced = args;
      std::size_t next = 0;
      replaced.each_tensor([&](const std::string&, Tensor& x) { x = in[next++]; });
      return record_.call(replaced);
    };
  }

  /// A graph of the call gives the same on these numbers and on others (compile() compares), in the same bits.
  void check_capture(const char* sample, const Args& args) {
    const std::string where = text(sample, " captured");
    std::vector<Tensor> inputs;
    Args collected = args;
    collected.each_tensor([&](const std::string&, Tensor& x) { inputs.push_back(detach(x)); });
    if (inputs.empty()) return;
    ++tally_.checks;
    try {
      deploy::compile(function_of(args), inputs, {.optimize = false, .tolerance = 0});
    } catch (const Error& e) {
      if (!refusal_) fail(where, e.what());
      refused_ = true;
    }
  }

  void check_gradient(const char* sample, const Args& args) {
    std::vector<Tensor> inputs;
    Args collected = args;
    collected.each_tensor([&](const std::string& name, Tensor& x) {
      inputs.push_back(detach(x));
      if (x.dtype() == DType::float64 && !constant(name)) inputs.back().set_requires_grad();
    });
    const auto function = function_of(args);
    guarded(sample, [&] {
      first_right_ &= expect(testing::gradcheck(function, inputs), sample, "first derivative");
      first_ = true;
      if (record_.no_second_gradient) return;
      second_right_ &= expect(testing::gradgradcheck(function, inputs), sample, "second derivative");
      second_ = true;
    });
  }

  void check_error(const BadInput& bad) {
    ++tally_.checks;
    std::string got = "no error";
    try {
      record_.call(arguments(bad.arguments));
    } catch (const ShapeError& e) {
      got = text("ShapeError: ", e.what());
    } catch (const DtypeError& e) {
      got = text("DtypeError: ", e.what());
    } catch (const GradError& e) {
      got = text("GradError: ", e.what());
    } catch (const ConfigError& e) {
      got = text("ConfigError: ", e.what());
    } catch (const std::exception& e) {
      got = text("another error: ", e.what());
    }
    if (got != bad.error) fail(bad.arguments, text("gives\n  ", got, "\nexpected\n  ", bad.error));
  }

  const Record& record_;
  Tally& tally_;
  Signature signature_;
  bool first_ = false, second_ = false, first_right_ = true, second_right_ = true;  // did gradcheck run, and pass
  const char* refusal_ = refusal(record_.name);                                     // why some samples may be refused
  bool refused_ = false;
};

int run(int argc, char** argv) {
  std::string only;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--only") && i + 1 < argc)
      only = argv[++i];
    else if (!std::strcmp(argv[i], "--verbose"))
      verbose = true;
    else {
      std::cout << "ops: unknown argument " << argv[i] << "\nusage: ops [--only NAME] [--verbose]\n";
      return 2;
    }
  }
  Tally tally;
  for (const Record& record : records()) {
    if (!only.empty() && only != record.name) continue;
    const Tally before = tally;
    Runner(record, tally).run();
    ++tally.records;
    if (record.no_gradient && verbose) std::cout << record.name << ": no gradient: " << record.no_gradient << '\n';
    if (verbose)
      std::cout << record.name << ": " << tally.checks - before.checks << " checks, " << tally.failed - before.failed
                << " failed\n";
  }
  for (const std::string& line : tally.exceptions) std::cout << line << '\n';
  std::cout << "gradcheck: " << tally.first << " of " << tally.differentiable
            << " differentiable operations, second order " << tally.second << '\n'
            << "captured: " << tally.captured << " of " << tally.records << '\n'
            << tally.records << " operations, " << tally.checks << " checks, " << tally.failed << " failed\n";
  return tally.failed || tally.records == 0 ? 1 : 0;
}

}  // namespace
}  // namespace weft::tests

int main(int argc, char** argv) { return weft::tests::run(argc, argv); }
