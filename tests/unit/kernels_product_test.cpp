#include <weft/tests/unit/kernels_testing.h>

#include <weft/autograd/ops/shape.h>

using namespace kernels_testing;

namespace {

double at(const Tensor& x, std::initializer_list<Int> index) {
  Int place = 0;
  int axis = 0;
  for (const Int i : index) place += i * x.strides()[axis++];
  const TensorBody& b = x.body();
  if (b.dtype == DType::float64) return static_cast<const double*>(b.data)[place];
  if (b.dtype == DType::float32) return static_cast<double>(static_cast<const float*>(b.data)[place]);
  return values(kernels::cast(view_as(x, {1}, {1}, place), DType::float64))[0];
}

/// Rows times columns, in double.
std::vector<double> plain(const Tensor& a, const Tensor& b) {
  std::vector<double> y;
  for (Int i = 0; i < a.shape()[0]; ++i)
    for (Int j = 0; j < b.shape()[1]; ++j) {
      double sum = 0;
      for (Int k = 0; k < a.shape()[1]; ++k) sum += at(a, {i, k}) * at(b, {k, j});
      y.push_back(sum);
    }
  return y;
}

}  // namespace

TEST_CASE("kernels: matmul agrees with a plain loop for many sizes, types and layouts") {
  each_level([] {
    for (const DType type : {DType::float32, DType::float64, DType::bfloat16, DType::int64, DType::int8})
      for (const auto& [m, n, k] : std::vector<std::tuple<Int, Int, Int>>{{1, 1, 1},
                                                                          {2, 3, 4},
                                                                          {16, 16, 16},
                                                                          {1, 33, 70},
                                                                          {70, 1, 33},
                                                                          {31, 17, 5},
                                                                          {64, 48, 100},
                                                                          {5, 7, 0},
                                                                          {0, 3, 4},
                                                                          {3, 0, 2}}) {
        const Tensor a = sample({m, k}, type, 1), b = sample({k, n}, type, 2);
        CAPTURE(name(type));
        CAPTURE(text(a.shape(), b.shape()));
        std::vector<double> wanted = plain(a, b);
        if (type == DType::int8)
          for (double& v : wanted) v = static_cast<std::int8_t>(static_cast<Int>(v));
        for (const Tensor& left : layouts(a))
          for (const Tensor& right : layouts(b)) {
            const Tensor y = kernels::matmul(left, right);
            CHECK(y.dtype() == type);
            CHECK(y.shape() == Shape{m, n});
            check_near(values(y), wanted, type == DType::bfloat16 ? 8e-3 : 1e-6, 1e-5);
          }
      }
    // Large enough for oneDNN and for threads.
    const Tensor a = sample({130, 200}, DType::float32, 3), b = sample({200, 260}, DType::float32, 4);
    const auto wanted = plain(a, b);
    for (const Tensor& left : layouts(a))
      for (const Tensor& right : layouts(b)) {
        check_near(values(kernels::matmul(left, right)), wanted, 1e-5, 1e-4);
        deterministic(true);
        check_near(values(kernels::matmul(left, right)), wanted, 1e-5, 1e-4);
        deterministic(false);
      }
    const Tensor same_row = view_as(b, {300, 200}, {0, 1});  // a repeated row
    check_near(values(kernels::matmul(same_row, b)), plain(same_row, b), 1e-5, 1e-4);
  });
}

TEST_CASE("kernels: matmul of vectors and of batches that broadcast") {
  each_level([] {
    const Tensor v = tensor({1, 2, 3}), w = tensor({4, 5, 6}), m = sample({3, 4}, DType::float32, 1);
    CHECK(kernels::matmul(v, w).shape() == Shape{});
    CHECK(kernels::matmul(v, w).item() == 32);
    CHECK(kernels::matmul(v, m).shape() == Shape{4});
    CHECK(kernels::matmul(view_as(m, {4, 3}, {1, 4}), v).shape() == Shape{4});
    check_near(values(kernels::matmul(view_as(m, {4, 3}, {1, 4}), v)), values(kernels::matmul(v, m)));
    for (const auto& shapes : std::vector<std::tuple<Shape, Shape, Shape>>{{{5, 2, 3}, {5, 3, 4}, {5}},
                                                                           {{2, 1, 6, 3}, {7, 3, 4}, {2, 7}},
                                                                           {{6, 3}, {4, 3, 5}, {4}},
                                                                           {{4, 2, 6, 3}, {3, 5}, {4, 2}},
                                                                           {{3, 40, 50}, {3, 50, 60}, {3}},
                                                                           {{0, 2, 3}, {3, 4}, {0}}}) {
      const auto& sa = std::get<0>(shapes);
      const auto& sb = std::get<1>(shapes);
      const auto& batch = std::get<2>(shapes);
      const Tensor a = sample(sa, DType::float32, 1), b = sample(sb, DType::float32, 2);
      CAPTURE(text(sa, sb));
      for (const Tensor& left : layouts(a))
        for (const Tensor& right : layouts(b)) {
          const Tensor y = kernels::matmul(left, right);
          Shape wanted = batch;
          wanted.push_back(sa[sa.size() - 2]);
          wanted.push_back(sb.back());
          CHECK(y.shape() == wanted);
          const auto got = values(y);
          const Int items = batch.product(), size = sa[sa.size() - 2] * sb.back();
          const auto matrix = [&](const Tensor& t, Int item) {
            Int place = 0;
            const int r = t.dim() - 2;
            for (int axis = batch.size() - 1; axis >= 0; --axis) {
              const Int i = item % batch[axis];
              item /= batch[axis];
              const int own = axis - batch.size() + r;
              if (own >= 0 && t.shape()[own] != 1) place += i * t.strides()[own];
            }
            return view_as(t, {t.shape()[r], t.shape()[r + 1]}, {t.strides()[r], t.strides()[r + 1]}, place);
          };
          for (Int i = 0; i < items; ++i)
            check_near(std::vector<double>(got.begin() + i * size, got.begin() + (i + 1) * size),
                       plain(matrix(left, i), matrix(right, i)), 1e-5, 1e-5);
        }
    }
    const Tensor step = tensor({1, 2, 3, 4, 5, 6});
    CHECK(kernels::matmul(view_as(step, {3}, {2}), v).item() == 1 + 6 + 15);
  });
}

TEST_CASE("kernels: linear is x W^T + b on any leading axes") {
  each_level([] {
    for (const auto& [lead, in, out] : std::vector<std::tuple<Shape, Int, Int>>{
             {{4}, 3, 2}, {{}, 5, 3}, {{2, 3}, 8, 4}, {{64}, 100, 96}, {{3}, 0, 2}, {{0}, 3, 2}}) {
      Shape shape = lead;
      shape.push_back(in);
      const Tensor x = sample(shape, DType::float32, 1), w = sample({out, in}, DType::float32, 2),
                   b = sample({out}, DType::float32, 3);
      const Int rows = lead.product();
      const Tensor flat = view_as(x, {rows, in}, {in, 1});
      auto wanted = plain(flat, view_as(w, {in, out}, {1, in}));
      const auto without = wanted;
      for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] += values(b)[i % static_cast<std::size_t>(out)];
      Shape result = lead;
      result.push_back(out);
      for (const Tensor& left : layouts(x))
        for (const Tensor& weight : layouts(w)) {
          CHECK(kernels::linear(left, weight, b).shape() == result);
          check_near(values(kernels::linear(left, weight, b)), wanted, 1e-5, 1e-5);
          check_near(values(kernels::linear(left, weight, Tensor())), without, 1e-5, 1e-5);
        }
    }
  });
}

TEST_CASE("kernels: deterministic products are the same bits on any number of threads") {
  const Tensor a = sample({257, 300}, DType::float32, 1), b = sample({300, 190}, DType::float32, 2);
  const Tensor x = kernels::unary(kernels::Unary::sin, a), z = kernels::unary(kernels::Unary::sin, b);
  deterministic(true);
  std::vector<std::vector<double>> results;
  for (const int threads : {1, 2, 3, 5}) {
    set_num_threads(threads);
    results.push_back(values(kernels::matmul(x, z)));
  }
  set_num_threads(0);
  deterministic(false);
  for (const auto& r : results) CHECK(r == results[0]);
}

TEST_CASE("kernels: the library's reference product, which is slow, is never used for common shapes") {
  // Rows, inputs and outputs of linear layers: perceptrons, encoders, recurrent gates, graphs, embeddings.
  const Int sizes[][3] = {{64, 784, 512},   {512, 512, 512},  {128, 784, 400},   {3200, 64, 1024},
                          {32, 256, 1024},  {2048, 256, 768}, {2048, 256, 1024}, {1024, 768, 3072},
                          {2708, 1433, 64}, {2708, 64, 7},    {128, 400, 120},   {1024, 1024, 1024}};
  for (const auto& size : sizes) {
    const Int rows = size[0], in = size[1], out = size[2];
    CAPTURE(rows);
    CAPTURE(in);
    CAPTURE(out);
    const Tensor x = zeros({rows, in}), w = zeros({out, in}), dy = zeros({rows, out});
    // The layer, and the gradients of its input and of its weight.
    for (const std::string& name :
         {kernels::matmul_implementation(x, transpose(w, 0, 1)), kernels::matmul_implementation(dy, w),
          kernels::matmul_implementation(transpose(dy, 0, 1), x)})
      CHECK_MESSAGE(!name.starts_with("ref"), name);
  }
}

TEST_CASE("kernels: product errors name both shapes") {
  CHECK(message<ShapeError>([] {
          kernels::matmul(zeros({32, 784}), zeros({128, 784}));
        }) ==
        "matmul: inner sizes differ: a [32, 784] has 784 columns, b [128, 784] has 128 rows\n"
        "  help: transpose b with t(b)");
  CHECK(starts(message<ShapeError>([] { kernels::matmul(scalar(1), zeros({2})); }), "matmul: shapes [] and [2]"));
  CHECK(starts(message<ShapeError>([] {
                 kernels::matmul(zeros({2, 3, 4}), zeros({3, 4, 5}));
               }),
               "matmul: shapes [2] and [3]"));
  CHECK(starts(message<ShapeError>([] {
                 kernels::linear(zeros({2, 3}), zeros({4, 5}), Tensor());
               }),
               "linear: x [2, 3] has 3 columns, weight [4, 5] takes 5"));
  CHECK(starts(message<ShapeError>([] {
                 kernels::linear(zeros({2, 3}), zeros({4, 3}), zeros({3}));
               }),
               "linear: bias has shape [3]"));
}
