#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <thread>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/allocator.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

#include "error_of.h"

using namespace weft;
using weft::tests::error_of;

namespace {

Tensor leaf(std::initializer_list<double> values) {
  Tensor x = tensor(values, DType::float64);
  return x.set_requires_grad();
}
Tensor leaf(double value) {
  Tensor x = scalar(value, DType::float64);
  return x.set_requires_grad();
}
std::vector<double> numbers(const Tensor& x) { return to_vector<double>(x); }
using Numbers = std::vector<double>;

/// y = x * x + (x, twice): two outputs, an extra, saved inputs and outputs.
std::vector<Tensor> square_and_double(const Tensor& x) {
  return record(
      {"square_and_double", {}, saves::inputs | saves::output}, {x},
      [](const Inputs& in, Keep& keep) {
        keep(kernels::binary(kernels::Binary::mul, in[0], 2.0));
        return std::vector<Tensor>{kernels::unary(kernels::Unary::square, in[0]),
                                   kernels::binary(kernels::Binary::mul, in[0], 2.0)};
      },
      [](const Saved& s, std::span<const Tensor> dy) {
        Tensor dx;
        if (dy[0].defined()) dx = dy[0] * s.kept(0);
        // The second output is twice the input, so half of it stands for the input: uses a saved output.
        if (dy[1].defined()) dx = (dx.defined() ? dx : s.output(1) * 0.0) + dy[1] * 2.0;
        return dx;
      });
}

}  // namespace

TEST_CASE("backward adds to grad() in every run and over every path") {
  Tensor x = leaf({1, 2, 3});
  CHECK_FALSE(x.grad().defined());
  sum(x * x).backward();
  CHECK(numbers(x.grad()) == Numbers{2, 4, 6});
  sum(x * 3.0).backward();
  CHECK(numbers(x.grad()) == Numbers{5, 7, 9});
  x.set_grad(Tensor());
  const Tensor y = x * x;  // three paths from y
  sum(y + y * x + exp(y * 0.0)).backward();
  CHECK(numbers(x.grad()) == Numbers{2 + 3, 4 + 12, 6 + 27});
}

TEST_CASE("backward leaves the tensors that it was given alone") {
  Tensor x = leaf({1, 2});
  const Tensor dy = tensor({1, 1}, DType::float64);
  (x + x).backward(dy);
  (x + 0.0).backward(dy);
  CHECK(numbers(x.grad()) == Numbers{3, 3});
  CHECK(numbers(dy) == Numbers{1, 1});
}

TEST_CASE("grad of grad, to the third order of x^4") {
  const Tensor x = leaf(1.5);
  const Tensor y = x * x * x * x;
  const Tensor d1 = grad({y}, {x}, {.create_graph = true})[0];
  const Tensor d2 = grad({d1}, {x}, {.create_graph = true})[0];
  const Tensor d3 = grad({d2}, {x}, {.create_graph = true})[0];
  const Tensor d4 = grad({d3}, {x})[0];
  CHECK(d1.item() == doctest::Approx(4 * std::pow(1.5, 3)));
  CHECK(d2.item() == doctest::Approx(12 * std::pow(1.5, 2)));
  CHECK(d3.item() == doctest::Approx(24 * 1.5));
  CHECK(d4.item() == doctest::Approx(24));
  CHECK_FALSE(d4.requires_grad());
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("grad reaches intermediate results, and says which input is not used") {
  const Tensor x = leaf({1, 2}), unused = leaf({3});
  const Tensor h = x * 2.0, y = sum(h * h);
  CHECK(numbers(grad({y}, {h}, {.retain_graph = true})[0]) == Numbers{4, 8});
  CHECK(numbers(grad({y}, {h, x}, {.retain_graph = true})[1]) == Numbers{8, 16});
  CHECK(error_of([&] {
          grad({y}, {x, unused}, {.retain_graph = true});
        }) ==
        "GradError: grad: the outputs do not depend on input 1 of shape [1]\n"
        "  help: pass allow_unused = true to get an undefined tensor for it");
  CHECK_FALSE(grad({y}, {x, unused}, {.retain_graph = true, .allow_unused = true})[1].defined());
  CHECK(error_of([&] { grad({y}, {detach(x)}, {.retain_graph = true}); }) ==
        "GradError: grad: input 0 of shape [2] does not require a gradient\n"
        "  help: call set_requires_grad() on it before computing");
  CHECK(numbers(grad({h}, {x}, {.output_gradients = {tensor({1, 10}, DType::float64)}})[0]) == Numbers{2, 20});
}

TEST_CASE("several outputs are weighted and added") {
  const Tensor x = leaf({1, 2});
  const Tensor a = sum(x * x), b = x * 3.0;
  backward(std::vector<Tensor>{a, b}, std::vector<Tensor>{Tensor(), tensor({1, 2}, DType::float64)});
  CHECK(numbers(x.grad()) == Numbers{2 + 3, 4 + 6});
  CHECK(error_of([&] {
          backward(std::vector<Tensor>{a, b}, std::vector<Tensor>{Tensor()});
        }) == "GradError: backward: 2 outputs but 1 gradients");
}

TEST_CASE("NoGrad records nothing, EnableGrad inside it does, both end with their scope") {
  const Tensor x = leaf({1});
  {
    const NoGrad off;
    CHECK_FALSE((x * 2.0).requires_grad());
    {
      const EnableGrad on;
      CHECK((x * 2.0).requires_grad());
    }
    CHECK_FALSE((x * 2.0).requires_grad());
  }
  CHECK((x * 2.0).requires_grad());
  CHECK_FALSE((detach(x) * 2.0).requires_grad());
  bool other_thread_records = false;
  const NoGrad off;
  std::thread([&] { other_thread_records = (x * 2.0).requires_grad(); }).join();
  CHECK(other_thread_records);
}

TEST_CASE("hooks see complete gradients, replace them, and can be removed") {
  const Tensor x = leaf({1, 2});
  const Tensor h = x * 3.0;
  int calls = 0;
  add_hook(h, [&](const Tensor& dy) {
    ++calls;
    CHECK(numbers(dy) == Numbers{3, 3});  // of both uses together
    return dy * 2.0;
  });
  const auto silent = add_hook(x, [](const Tensor&) { return Tensor(); });
  sum(h + h * 2.0).backward();
  CHECK(calls == 1);
  CHECK(numbers(x.grad()) == Numbers{18, 18});

  const auto id = add_hook(x, [](const Tensor& dy) { return dy * 0.0; });
  sum(x * 5.0).backward();
  CHECK(numbers(x.grad()) == Numbers{18, 18});
  remove_hook(x, id);
  remove_hook(x, silent);
  sum(x * 5.0).backward();
  CHECK(numbers(x.grad()) == Numbers{23, 23});

  add_hook(x, [](const Tensor&) { return zeros({3}, DType::float64); });
  CHECK(error_of([&] { sum(x * 5.0).backward(); }) == "ShapeError: hook: the gradient is [2], the hook returned [3]");
  CHECK(error_of([&] { add_hook(detach(x), [](const Tensor& dy) { return dy; }); }) ==
        "GradError: add_hook: the tensor of shape [2] does not require a gradient");
}

TEST_CASE("retain_grad keeps the gradient of an intermediate result") {
  const Tensor x = leaf({1, 2});
  const Tensor h = x * x, other = x * 2.0;
  retain_grad(h);
  sum(h * 3.0 + other).backward();
  CHECK(numbers(h.grad()) == Numbers{3, 3});
  CHECK_FALSE(other.grad().defined());
  CHECK(numbers(x.grad()) == Numbers{8, 14});
}

TEST_CASE("retain_graph keeps the tape; without it a second backward is an error that says so") {
  const Tensor x = leaf({2});
  const Tensor y = sum(x * x);
  backward(std::vector<Tensor>{y}, {}, {.retain_graph = true});
  y.backward();
  CHECK(numbers(x.grad()) == Numbers{8});
  CHECK(error_of([&] { y.backward(); }) ==
        "GradError: sum: its saved tensors were freed by an earlier backward\n"
        "  help: pass retain_graph = true to the first one");
  CHECK(numbers(x.grad()) == Numbers{8});
}

TEST_CASE("an in-place change of a saved tensor is an error at backward") {
  Tensor x = leaf({1, 2});
  Tensor factor = tensor({3, 4}, DType::float64);
  const Tensor y = sum(x * factor);
  factor.mutable_data<double>()[0] = 7;
  CHECK(error_of([&] { y.backward(); }) ==
        "GradError: mul: input 1 was changed in place after it was saved for backward (version 0 then, 1 now)\n"
        "  help: change a copy, or change it after backward");
  CHECK_FALSE(x.grad().defined());

  Tensor e = exp(x);
  const Tensor z = sum(e);
  e.mutable_data<double>()[1] = 0;
  CHECK(error_of([&] { z.backward(); }) ==
        "GradError: exp: output 0 was changed in place after it was saved for backward (version 0 then, 1 now)\n"
        "  help: change a copy, or change it after backward");

  Tensor free = tensor({1, 1}, DType::float64);
  const Tensor w = sum(x + free);  // addition saves nothing
  free.mutable_data<double>()[0] = 9;
  w.backward();
  CHECK(numbers(x.grad()) == Numbers{1, 1});

  Tensor base = tensor({1, 2, 3, 4}, DType::float64);
  const Tensor v = sum(x * slice(base, 0, 0, 2));
  base.mutable_data<double>()[3] = 0;  // the storage is shared, so this counts although the view is elsewhere
  CHECK(error_of([&] { v.backward(); }).starts_with("GradError: mul: input 1 was changed in place"));
}

TEST_CASE("backward from the wrong thing is an error that says what to do") {
  const Tensor x = leaf({1, 2});
  CHECK(error_of([&] { sum(detach(x)).backward(); }) ==
        "GradError: backward: output 0 of shape [] has no history\n"
        "  help: call set_requires_grad() on an input before computing, outside NoGrad");
  CHECK(error_of([&] { (x * 2.0).backward(); }) ==
        "GradError: backward: the output has 2 elements, shape [2]\n"
        "  help: reduce it with sum(y) or mean(y), or pass its gradient");
  CHECK(error_of([&] { (x * 2.0).backward(ones({3}, DType::float64)); }) ==
        "ShapeError: backward: the output is [2], its gradient [3]");
  CHECK(error_of([&] { (x * 2.0).backward(ones({2})); }) ==
        "DtypeError: backward: the output is float64, its gradient float32");
}

TEST_CASE("set_requires_grad and set_grad say what they do not take") {
  CHECK(error_of([] { zeros({2}, DType::int64).set_requires_grad(); }) ==
        "DtypeError: set_requires_grad: int64 has no gradient\n  help: use float32 or float64");
  Tensor y = leaf({1}) * 2.0;
  CHECK(error_of([&] { y.set_requires_grad(false); }) ==
        "GradError: set_requires_grad: the tensor is a result of mul\n  help: use detach(x) to get it without history");
  CHECK(error_of([&] { y.set_grad(y); }) ==
        "GradError: set_grad: the tensor is not a leaf that requires a gradient\n"
        "  help: call set_requires_grad() first");
  Tensor x = leaf({1, 2});
  CHECK(error_of([&] { x.set_grad(zeros({3})); }) == "ShapeError: set_grad: the gradient is [3], the tensor [2]");
  x.set_requires_grad(false);
  CHECK_FALSE((x * 2.0).requires_grad());
}

TEST_CASE("a chain of a million operations runs backward and is destroyed") {
  const Tensor x = leaf(1.0);
  {
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1.0;
    y.backward();
    CHECK(y.item() == 1'000'001);
    CHECK(x.grad().item() == 1);
  }
  Tensor z = x;
  for (int i = 0; i < 1'000'000; ++i) z = z * 1.0;
  z = Tensor();  // never ran backward
  const NoGrad off;
  CHECK((x + 1.0).item() == 2);
}

TEST_CASE("an operation with several outputs, extras and saved outputs") {
  const Tensor x = leaf({1, 2, 3});
  {
    const std::vector<Tensor> y = square_and_double(x);
    CHECK(numbers(y[0]) == Numbers{1, 4, 9});
    sum(y[0]).backward();
    CHECK(numbers(x.grad()) == Numbers{2, 4, 6});
  }
  const std::vector<Tensor> y = square_and_double(x);
  sum(y[0] + y[1]).backward();
  CHECK(numbers(x.grad()) == Numbers{2 + 2 + 2, 4 + 4 + 2, 6 + 6 + 2});
}

TEST_CASE("a rule that asks for what its call does not save is told so") {
  const Tensor x = leaf({1});
  const auto op = [&](int what) {
    return record(
        {"careless"}, {x}, [](const Inputs& in) { return kernels::copy(in[0]); },
        [what](const Saved& s, const Tensor& dy) {
          return dy * (what == 0 ? s.input(0) : what == 1 ? s.output() : s.kept(0));
        });
  };
  CHECK(error_of([&] { op(0).backward(); }) ==
        "GradError: careless: its rule asks for input 0, which the call does not save");
  CHECK(error_of([&] { op(1).backward(); }) ==
        "GradError: careless: its rule asks for output 0, which the call does not save");
  CHECK(error_of([&] { op(2).backward(); }) == "GradError: careless: its rule asks for extra 0, of 0");
}

TEST_CASE(
    "tapes leak nothing: not with saved outputs, not with extras, not when never run, not with a second derivative") {
  const auto work = [] {
    const Tensor x = leaf({1, 2, 3});
    const Tensor y = exp(tanh(x)) * sigmoid(x);
    const std::vector<Tensor> z = square_and_double(y);
    (void)softmax(z[1], 0);
    const Tensor d = grad({sum(z[0] * z[1])}, {x}, {.create_graph = true})[0];
    sum(d * d).backward();
    const Tensor kept = exp(x);
    retain_grad(kept);
    add_hook(kept, [](const Tensor& dy) { return dy * 2.0; });
    sum(kept).backward();
  };
  work();  // what is set up once
  const std::size_t before = memory_statistics().live;
  for (int i = 0; i < 10; ++i) work();
  CHECK(memory_statistics().live == before);
}

TEST_CASE("a rule may run a backward of its own, as checkpointing does") {
  const Tensor x = leaf({0.5, 1}), w = leaf({2, 3});
  const auto body = [&](const Tensor& in) { return sin(in * w); };
  const auto checkpointed = [&](const Tensor& in) {
    return record(
        {"checkpoint", {}, saves::inputs}, {in}, [&](const Inputs& i) { return body(i[0]); },
        [body](const Saved& s, const Tensor& dy) {
          Tensor again = detach(s.input(0));
          again.set_requires_grad();
          const EnableGrad on;
          const Tensor y = body(again);
          y.backward(dy);  // adds to w's gradient on the way
          return again.grad();
        });
  };
  sum(square(checkpointed(square(x)))).backward();
  const Tensor x2 = leaf({0.5, 1}), w2 = leaf({2, 3});
  sum(square(sin(square(x2) * w2))).backward();
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(numbers(x.grad())[i] == doctest::Approx(numbers(x2.grad())[i]));
    CHECK(numbers(w.grad())[i] == doctest::Approx(numbers(w2.grad())[i]));
  }
}

TEST_CASE("a hook may run backward over the very tape that is being walked") {
  const Tensor x = leaf({2});
  const Tensor h = x * 2.0, m = h * h, other = sum(h * h);
  Tensor deep = x;
  for (int i = 0; i < 5; ++i) deep = deep + 0.0;
  const Tensor q = h * deep;  // deeper than m: h's gradient from q waits in h while m's hook runs
  Numbers inner;
  add_hook(m, [&](const Tensor&) {
    inner = numbers(grad({other}, {x}, {.retain_graph = true})[0]);
    return Tensor();
  });
  sum(m + q).backward();
  CHECK(inner == Numbers{16});
  CHECK(numbers(x.grad()) == Numbers{24});  // of 4x^2 + 2x^2
}

TEST_CASE("backward in several threads at once, on tapes of their own") {
  std::vector<Numbers> results(4);
  std::vector<std::thread> threads;
  for (std::size_t k = 0; k < results.size(); ++k)
    threads.emplace_back([k, &results] {
      for (int i = 0; i < 200; ++i) {
        const Tensor x = leaf({1, 2, 3});
        Tensor y = x;
        for (int j = 0; j < 20; ++j) y = y * 1.01 + tanh(x);
        sum(y * static_cast<double>(k)).backward();
        results[k] = numbers(x.grad());
      }
    });
  for (std::thread& t : threads) t.join();
  for (std::size_t k = 1; k < results.size(); ++k)
    for (std::size_t i = 0; i < 3; ++i) CHECK(results[k][i] == doctest::Approx(results[1][i] * static_cast<double>(k)));
  CHECK(results[0] == Numbers{0, 0, 0});
}

TEST_CASE("a rule or a hook that throws leaves everything usable") {
  const Tensor x = leaf({1, 2});
  const auto angry = [](const Tensor& in) {
    return record(
        {"angry"}, {in}, [](const Inputs& i) { return kernels::copy(i[0]); },
        [](const Saved&, const Tensor&) -> Tensor { throw std::runtime_error("no"); });
  };
  const std::size_t before = memory_statistics().live;
  {
    const Tensor h = x * 2.0, y = sum(angry(h) + h * 3.0);
    CHECK(error_of([&] { y.backward(); }) == "another error: no");
    CHECK(grad_enabled());
    CHECK_FALSE(x.grad().defined());
  }
  CHECK(memory_statistics().live == before);
  {
    const Tensor h = x * 2.0, good = sum(h * 3.0), bad = sum(angry(h));
    CHECK(error_of([&] {
            backward(std::vector<Tensor>{good, bad}, {}, {.retain_graph = true});
          }) == "another error: no");
    good.backward();  // nothing of the failed run is left in h
    CHECK(numbers(x.grad()) == Numbers{6, 6});
  }
  const auto throwing_forward = [&] {
    record(
        {"worse"}, {x}, [](const Inputs&) -> Tensor { throw std::runtime_error("never"); },
        [](const Saved&, const Tensor& dy) { return dy; });
  };
  CHECK(error_of(throwing_forward) == "another error: never");
  CHECK(grad_enabled());
  CHECK((x * 2.0).requires_grad());
}

TEST_CASE("gradients through views and broadcasting come back in the input's shape") {
  Tensor x = from(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  x.set_requires_grad();
  const Tensor picked = select(transpose(x, 0, 1), 0, 1);  // 2, 5
  sum(picked * picked).backward();
  CHECK(numbers(x.grad()) == Numbers{0, 4, 0, 0, 10, 0});
  x.set_grad(Tensor());
  sum(expand(slice(x, 1, 0, 3, 2), {4, 2, 2})).backward();
  CHECK(numbers(x.grad()) == Numbers{4, 0, 4, 4, 0, 4});

  const Tensor column = leaf({1, 2}), row = leaf({1, 2, 3});
  sum(unsqueeze(column, 1) * row).backward();
  CHECK(numbers(column.grad()) == Numbers{6, 6});
  CHECK(numbers(row.grad()) == Numbers{3, 3, 3});

  Tensor single = tensor({1, 2});
  single.set_requires_grad();
  sum(single * leaf({3, 4})).backward();  // float32 with float64
  CHECK(single.grad().dtype() == DType::float32);
  CHECK(numbers(single.grad()) == Numbers{3, 4});
}

TEST_CASE("conversions between float types carry the gradient, those to integers end it") {
  const Tensor x = leaf({0.5, 2});
  sum(to(x, DType::float32) * 3.0).backward();
  CHECK(x.grad().dtype() == DType::float64);
  CHECK(numbers(x.grad()) == Numbers{3, 3});
  CHECK_FALSE(to(x, DType::int64).requires_grad());
  CHECK_FALSE(gt(x, 1).requires_grad());
}

TEST_CASE("the padding row of an embedding gets no gradient") {
  Tensor table = ones({3, 2}, DType::float64);
  table.set_requires_grad();
  sum(embedding(table, from(std::vector<std::int64_t>{0, 1, 1, 2}), 1)).backward();
  CHECK(numbers(table.grad()) == Numbers{1, 1, 0, 0, 1, 1});
}

TEST_CASE("an operation whose forward gives back its own input does not change that input's history") {
  const Tensor x = leaf({1, 2});
  const auto pass = [](const Tensor& in) {
    return record(
        {"pass"}, {in}, [](const Inputs& i) { return i[0]; }, [](const Saved&, const Tensor& dy) { return dy * 5.0; });
  };
  const Tensor y = pass(x);
  sum(y).backward();
  CHECK(numbers(x.grad()) == Numbers{5, 5});
  sum(x * 1.0).backward();  // x is a leaf still
  CHECK(numbers(x.grad()) == Numbers{6, 6});
  const Tensor h = x * 2.0;
  sum(pass(h) + h).backward();
  CHECK(numbers(x.grad()) == Numbers{18, 18});
}

TEST_CASE("create_graph in backward records the collected gradient") {
  const Tensor x = leaf(3.0);
  backward(std::vector<Tensor>{x * x * x}, {}, {.create_graph = true});
  const Tensor d = x.grad();
  CHECK(d.item() == doctest::Approx(27));
  CHECK(grad({d}, {x})[0].item() == doctest::Approx(18));
  Tensor(x).set_grad(Tensor());  // the gradient knows its leaf, and the leaf it: cut the circle
}
