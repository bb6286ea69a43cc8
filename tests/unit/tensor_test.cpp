#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <sstream>
#include <thread>

#include <weft/autograd/ops.h>
#include <weft/tensor/allocator.h>
#include <weft/tensor/create.h>
#include <weft/tensor/pool.h>
#include <weft/tensor/random.h>

#include "error_of.h"

using namespace weft;
using weft::tests::error_of;

namespace {
std::string printed(const Tensor& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}
using Numbers = std::vector<double>;
Numbers numbers(const Tensor& x) { return to_vector<double>(x); }
}  // namespace

TEST_CASE("shapes: sizes, products, printing, limits") {
  Shape s{2, 3, 4};
  CHECK(s.size() == 3);
  CHECK(s.product() == 24);
  CHECK(Shape{}.product() == 1);
  CHECK(Shape{3, 0}.product() == 0);
  CHECK(s == Shape{2, 3, 4});
  CHECK_FALSE(s == Shape{2, 3});
  s.insert(1, 7);
  CHECK(s == Shape{2, 7, 3, 4});
  s.erase(0);
  CHECK(s == Shape{7, 3, 4});
  CHECK(text(s) == "[7, 3, 4]");
  CHECK(text(Shape{}) == "[]");
  CHECK(row_major({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(row_major({2, 0, 4}) == Strides{4, 4, 1});
  CHECK(error_of([] { Shape::filled(9, 1); }) == "ShapeError: shape: 9 axes, at most 8 are supported");
  CHECK(error_of([] { zeros(Shape::filled(8, 1)).shape(); }) == "nothing");
  CHECK(error_of([] {
          Shape full = Shape::filled(8, 1);
          full.push_back(1);
        }) == "ShapeError: shape: 9 axes, at most 8 are supported");
}

TEST_CASE("broadcasting and axes") {
  CHECK(broadcast("op", {2, 1}, {3}) == Shape{2, 3});
  CHECK(broadcast("op", {}, {4}) == Shape{4});
  CHECK(broadcast("op", {0, 3}, {1, 3}) == Shape{0, 3});
  CHECK(broadcast("op", {1}, {0}) == Shape{0});
  CHECK(error_of([] {
          broadcast("op", {2, 3}, {4, 2, 4});
        }) ==
        "ShapeError: op: shapes [2, 3] and [4, 2, 4] do not broadcast: sizes 3 and 4 at axis 2\n"
        "  help: make the sizes equal, or one of them 1");
  CHECK(normalize_axis("op", -1, 3) == 2);
  CHECK(normalize_axis("op", 0, 0) == 0);
  CHECK(normalize_axis("op", -1, 0) == 0);
  CHECK(error_of([] { normalize_axis("op", 3, 3); }) ==
        "ShapeError: op: axis 3 is out of range for 3 axes\n  help: choose an axis from -3 to 2");
  CHECK(error_of([] { normalize_axis("op", 1, 0); }) ==
        "ShapeError: op: axis 1 is out of range for 0 axes\n  help: choose an axis from -1 to 0");
}

TEST_CASE("promotion holds both types, in either order") {
  using enum DType;
  const struct {
    DType a, b, both;
  } table[] = {{boolean, uint8, uint8},     {boolean, int8, int8},       {uint8, int8, int32},
               {uint8, int32, int32},       {int8, int64, int64},        {int32, int64, int64},
               {int64, bfloat16, bfloat16}, {int64, float32, float32},   {bfloat16, float32, float32},
               {float32, float64, float64}, {boolean, boolean, boolean}, {boolean, float64, float64}};
  for (const auto& row : table) {
    CAPTURE(text(row.a, " ", row.b));
    CHECK(promote(row.a, row.b) == row.both);
    CHECK(promote(row.b, row.a) == row.both);
  }
  CHECK(promote(int32, Scalar(2)) == int32);
  CHECK(promote(int32, Scalar(2.5)) == float32);
  CHECK(promote(int32, Scalar(true)) == int32);
  CHECK(promote(boolean, Scalar(2)) == int64);
  CHECK(promote(boolean, Scalar(2.5)) == float32);
  CHECK(promote(boolean, Scalar(true)) == boolean);
  CHECK(promote(bfloat16, Scalar(2.5)) == bfloat16);
  CHECK(promote(float64, Scalar(2)) == float64);
  CHECK((zeros({2}, int32) * 2).dtype() == int32);
  CHECK((zeros({2}, int32) * 2.0).dtype() == float32);
  CHECK((zeros({2}, uint8) + zeros({2}, int8)).dtype() == int32);
}

TEST_CASE("bfloat16 rounds to nearest even and keeps NaN and infinity") {
  CHECK(static_cast<float>(BFloat16(1.0F)) == 1.0F);
  CHECK(static_cast<float>(BFloat16(1.00390625F)) == 1.0F);       // halfway, to even
  CHECK(static_cast<float>(BFloat16(1.01171875F)) == 1.015625F);  // halfway, to even
  CHECK(static_cast<float>(BFloat16(3.4e38F)) == HUGE_VALF);
  CHECK(static_cast<float>(BFloat16(-HUGE_VALF)) == -HUGE_VALF);
  CHECK(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
}

TEST_CASE("tensors say what they are, and what they are not") {
  const Tensor x = zeros({2, 3});
  CHECK(x.defined());
  CHECK(x.dim() == 2);
  CHECK(x.numel() == 6);
  CHECK(x.size(0) == 2);
  CHECK(x.size(-1) == 3);
  CHECK(x.strides() == Strides{3, 1});
  CHECK(x.is_contiguous());
  CHECK(error_of([&] { x.size(2); }) ==
        "ShapeError: size: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1");
  CHECK(error_of([] { scalar(1).size(0); }) == "ShapeError: size: axis 0 of a tensor of rank 0");
  CHECK(error_of([&] { x.item(); }) ==
        "ShapeError: item: the tensor has 6 elements, shape [2, 3]\n"
        "  help: select one element, or reduce with sum(x) or mean(x)");
  CHECK(error_of([&] { x.data<double>(); }) ==
        "DtypeError: data: the tensor is float32, not float64\n  help: convert it with to(x, DType::float64)");
  CHECK(error_of([&] { x.data<bool>(); }) ==
        "DtypeError: data: the tensor is float32, not bool\n  help: convert it with to(x, DType::boolean)");
  CHECK(error_of([] { Tensor().shape(); }) ==
        "another error: tensor: it is undefined\n  help: assign a result before using it");
  CHECK_FALSE(Tensor().defined());
  CHECK_FALSE(Tensor().requires_grad());
  for (int i = 0; i < dtype_count; ++i) CHECK(full({1}, 1, static_cast<DType>(i)).item() == 1);
}

TEST_CASE("creation: values, ranges, shapes that cannot be") {
  CHECK(numbers(tensor({1, 2.5})) == Numbers{1, 2.5});
  CHECK(tensor({{1, 2}, {3, 4}}).shape() == Shape{2, 2});
  CHECK(error_of([] { tensor({{1, 2}, {3}}); }) == "ShapeError: tensor: rows of 2 and 1 numbers");
  CHECK(error_of([] {
          from(Numbers{1, 2, 3}, {2, 2});
        }) == "ShapeError: from: 3 values do not fill shape [2, 2] of 4 elements");
  CHECK(error_of([] { zeros({2, -1}); }) == "ShapeError: empty: a size in [2, -1] is negative");
  CHECK(error_of([] {
          zeros({1LL << 40, 1LL << 40});
        }) == "ShapeError: empty: shape [1099511627776, 1099511627776] has too many elements");
  CHECK(numbers(arange(0, 5)) == Numbers{0, 1, 2, 3, 4});
  CHECK(numbers(arange(1, 0, -0.25, DType::float64)) == Numbers{1, 0.75, 0.5, 0.25});
  CHECK(arange(0, 0).numel() == 0);
  CHECK(error_of([] { arange(0, 5, -1); }) == "ConfigError: arange: step -1 does not lead from 0 to 5");
  CHECK(error_of([] { arange(0, 1e300); }) == "ShapeError: arange: 1e+300 numbers from 0 to 1e+300 are too many");
  CHECK(error_of([] { arange(0, 5, 0); }) == "ConfigError: arange: step 0 does not lead from 0 to 5");
  CHECK(numbers(eye(2, 3)) == Numbers{1, 0, 0, 0, 1, 0});
  CHECK(numbers(eye(3, 2)) == Numbers{1, 0, 0, 1, 0, 0});
  CHECK(eye(0).numel() == 0);
  CHECK(numbers(full({2}, 3, DType::int64)) == Numbers{3, 3});
  CHECK(numbers(zeros({300, 2}))[599] == 0);
  CHECK(ones_like(zeros({2}, DType::int8)).dtype() == DType::int8);
}

TEST_CASE("empty_like keeps a dense layout and gives up on one with gaps") {
  const Tensor x = zeros({2, 3, 4});
  const Tensor turned = permute(x, {0, 2, 1});
  CHECK(empty_like(turned).strides() == turned.strides());
  CHECK_FALSE(empty_like(turned).is_contiguous());
  CHECK(empty_like(slice(x, 2, 0, 4, 2)).is_contiguous());
  CHECK(empty_like(expand(zeros({1, 3}), {2, 3})).is_contiguous());
  CHECK(empty_like(turned, DType::int64).dtype() == DType::int64);
  CHECK(empty_like(transpose(zeros({0, 3}), 0, 1)).shape() == Shape{3, 0});
}

TEST_CASE("views share numbers; copies and detached handles behave as their names say") {
  Tensor x = from(Numbers{1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor row = select(x, 0, 1), turned = transpose(x, 0, 1), flat = reshape(x, {6});
  const Tensor copied = copy(x), handle = x;
  x.mutable_data<double>()[3] = 40;
  CHECK(numbers(row) == Numbers{40, 5, 6});
  CHECK(numbers(turned) == Numbers{1, 40, 2, 5, 3, 6});
  CHECK(numbers(flat) == Numbers{1, 2, 3, 40, 5, 6});
  CHECK(numbers(handle) == Numbers{1, 2, 3, 40, 5, 6});
  CHECK(numbers(copied) == Numbers{1, 2, 3, 4, 5, 6});
  CHECK(numbers(detach(x)) == numbers(x));
  CHECK(numbers(reshape(turned, {6})) == Numbers{1, 40, 2, 5, 3, 6});  // has to copy
  CHECK(reshape(slice(x, 0, 0, 1), {3}).body().storage == x.body().storage);
  CHECK(view_as(x, {2, 1}, {3, 5}).is_contiguous() == false);
  CHECK(view_as(x, {1, 3}, {99, 1}).is_contiguous());
  CHECK(numbers(view_as(x, {2}, {2}, 1)) == Numbers{2, 40});
}

TEST_CASE("adopted memory is released once, when the last handle goes") {
  static int released;
  released = 0;
  float values[] = {1, 2, 3, 4};
  {
    Tensor x = adopt(
        values, {2, 2}, DType::float32, [](void* context) { ++*static_cast<int*>(context); }, &released);
    const Tensor view = select(x, 0, 1);
    x = Tensor();
    CHECK(released == 0);
    CHECK(numbers(view) == Numbers{3, 4});
  }
  CHECK(released == 1);
  CHECK(numbers(adopt(values, {4}, DType::float32)) == Numbers{1, 2, 3, 4});
}

TEST_CASE("printing: values, shape and type, shortened in the middle") {
  CHECK(printed(Tensor()) == "tensor(undefined)");
  CHECK(printed(scalar(1.5)) == "1.5 float32 []");
  CHECK(printed(tensor({{1, 2}, {3, 4.25}})) == "[[1, 2],\n [3, 4.25]] float32 [2, 2]");
  CHECK(printed(zeros({0})) == "[] float32 [0]");
  CHECK(printed(arange(0, 20)) == "[0, 1, 2, ..., 17, 18, 19] int64 [20]");
  CHECK(printed(gt(tensor({1, -1}), 0)) == "[true, false] bool [2]");
  CHECK(printed(transpose(tensor({{1, 2}, {3, 4}}), 0, 1)) == "[[1, 3],\n [2, 4]] float32 [2, 2]");
  CHECK(printed(tensor({std::nan(""), HUGE_VAL, -HUGE_VAL})) == "[nan, inf, -inf] float32 [3]");
  std::ostringstream out;
  out.precision(3);
  out << tensor({1.23456789}) << ' ' << 1.23456789;  // the stream's own precision comes back
  CHECK(out.str() == "[1.23457] float32 [1] 1.23");
}

TEST_CASE("memory: alignment, live bytes, peak, reuse") {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 200, 240, 241, 5000, 70000, 300000})
    CHECK(reinterpret_cast<std::uintptr_t>(zeros({n}).data<float>()) % 64 == 0);
  const std::size_t before = memory_statistics().live;
  reset_peak_memory();
  {
    const Tensor x = empty({1 << 20});
    const std::size_t now = memory_statistics().live;
    CHECK(now >= before + (4U << 20));
    CHECK(now < before + (5U << 20));
  }
  CHECK(memory_statistics().live == before);
  CHECK(memory_statistics().peak >= before + (4U << 20));
  reset_peak_memory();
  CHECK(memory_statistics().peak < before + (4U << 20));
}

TEST_CASE("memory: large blocks are kept, joined again and handed out anew") {
  const auto reserved = [] { return memory_statistics().reserved; };
  { const Tensor warm = empty({12 << 20}); }
  const std::size_t kept = reserved();
  for (int i = 0; i < 20; ++i) {
    std::vector<Tensor> parts;
    for (int k = 1; k < 6; ++k) parts.push_back(empty({k << 20}));  // 60 MiB in pieces where 48 MiB lay whole
    std::swap(parts[0], parts[3]);
  }
  CHECK(reserved() <= kept + (std::size_t{64} << 20));
  const std::size_t settled = reserved();
  for (int i = 0; i < 20; ++i) {
    const Tensor a = empty({5 << 20}), b = empty({7 << 20});
  }
  CHECK(reserved() == settled);
}

TEST_CASE("memory: a limit of 0 gives free arenas back at once") {
  if (pool::bypass) return;  // under a sanitizer every block is the system's: there are no arenas
  release_cached_memory();
  const std::size_t before = memory_statistics().reserved;
  set_memory_cache_limit(0);
  {
    const Tensor x = empty({40 << 20});
    CHECK(memory_statistics().reserved > before);
  }
  CHECK(memory_statistics().reserved <= before);
  set_memory_cache_limit(std::size_t{2} << 30);
  { const Tensor x = empty({40 << 20}); }
  CHECK(memory_statistics().cached >= (std::size_t{160} << 20));
  release_cached_memory();
  CHECK(memory_statistics().reserved <= before);
}

TEST_CASE("memory: blocks may be freed by another thread, and threads may end") {
  const std::size_t before = memory_statistics().live;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<Tensor>> made(4);
    std::vector<std::thread> threads;
    for (std::size_t k = 0; k < made.size(); ++k)
      threads.emplace_back([k, &made] {
        for (std::int64_t i = 0; i < 300; ++i) {
          Tensor x = empty({i * static_cast<std::int64_t>(k + 1)}, DType::int64);
          if (x.numel() > 0)
            std::memset(x.mutable_data<std::int64_t>(), static_cast<int>(k + 1),
                        8 * static_cast<std::size_t>(x.numel()));
          made[k].push_back(x);
        }
      });
    for (std::thread& t : threads) t.join();
    int damaged = 0;
    for (std::size_t k = 0; k < made.size(); ++k)
      for (const Tensor& x : made[k])
        for (const std::int64_t v : to_vector<std::int64_t>(x))
          damaged += v != 0x0101010101010101 * static_cast<std::int64_t>(k + 1);
    CHECK(damaged == 0);
  }
  CHECK(memory_statistics().live == before);
}

TEST_CASE("memory: more than there is throws instead of ending the program") {
  CHECK(
      error_of([] { empty({1LL << 50}); }) ==
      "another error: allocate: the system has no 4503599627370496 bytes for a tensor\n  help: choose smaller sizes or "
      "a smaller batch");
  CHECK(empty({4}).numel() == 4);
}
