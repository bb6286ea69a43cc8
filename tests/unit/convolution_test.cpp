#include <weft/tests/unit/kernels_testing.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/tensor/convolution.h>

using namespace kernels_testing;

namespace {

struct Case {
  const char* what;
  Int batch, channels, results;
  Dims input, kernel;
  Int stride = 1, padding = 0, dilation = 1, groups = 1;

  kernels::Convolution shape() const {
    const int axes = input.size();
    Dims output;
    for (int a = 0; a < axes; ++a)
      output.push_back((input[a] + 2 * padding - dilation * (kernel[a] - 1) - 1) / stride + 1);
    return {
        input, kernel, output, Dims::filled(axes, stride), Dims::filled(axes, padding), Dims::filled(axes, dilation),
        groups};
  }
};

/// What image, signal and volume networks are made of.
const std::vector<Case>& common() {
  static const std::vector<Case> cases = {
      {"first of ResNet", 8, 3, 64, {112, 112}, {7, 7}, 2, 3},
      {"ResNet 3 x 3", 8, 64, 64, {28, 28}, {3, 3}, 1, 1},
      {"ResNet 3 x 3 with stride", 8, 64, 128, {28, 28}, {3, 3}, 2, 1},
      {"ResNet shortcut", 8, 64, 128, {28, 28}, {1, 1}, 2},
      {"bottleneck 1 x 1", 8, 64, 256, {14, 14}, {1, 1}},
      {"ResNeXt groups", 4, 64, 64, {14, 14}, {3, 3}, 1, 1, 1, 32},
      {"MobileNet depthwise", 8, 32, 32, {28, 28}, {3, 3}, 1, 1, 1, 32},
      {"MobileNet depthwise with stride", 8, 96, 96, {28, 28}, {3, 3}, 2, 1, 1, 96},
      {"digits", 32, 1, 16, {28, 28}, {5, 5}},
      {"dilated", 4, 32, 32, {28, 28}, {3, 3}, 1, 2, 2},
      {"patches", 4, 3, 96, {56, 56}, {4, 4}, 4},
      {"signal", 8, 12, 32, {1000}, {15}, 2, 7},
      {"signal dilated", 8, 32, 32, {250}, {3}, 1, 4, 4},
      {"volume", 2, 1, 16, {24, 24, 24}, {3, 3, 3}, 1, 1},
      {"volume with stride", 2, 16, 32, {12, 12, 12}, {3, 3, 3}, 2, 1},
  };
  return cases;
}

Tensor noise(const Shape& shape, std::uint64_t seed) {
  const Tensor x = empty(shape, DType::float32);
  kernels::random_fill(x, kernels::Distribution::normal, 0, 1, seed, 0);
  return x;
}

Shape joined(Int first, Int second, const Dims& spatial) {
  Shape s{first, second};
  for (const Int n : spatial) s.push_back(n);
  return s;
}

/// Both ways within float32's reach of the largest number.
void check_same(const Tensor& library, const Tensor& plain) {
  double largest = 1;
  for (const double v : values(plain)) largest = std::max(largest, std::abs(v));
  const auto report = testing::allclose(library, plain, {.atol = 2e-5 * largest, .rtol = 1e-5});
  CHECK_MESSAGE(report, report.message);
}

}  // namespace

TEST_CASE("convolution: the library's reference implementation, which is slow, is never used for common shapes") {
  for (const Case& c : common())
    for (const auto pass : {kernels::ConvolutionPass::forward, kernels::ConvolutionPass::input_grad,
                            kernels::ConvolutionPass::weight_grad}) {
      CAPTURE(c.what);
      CAPTURE(static_cast<int>(pass));
      const std::string name = kernels::convolution_implementation(pass, c.batch, c.channels, c.results, c.shape());
      CAPTURE(name);
      CHECK(!starts(name, "ref"));
      CHECK(!starts(name, "gemm:ref"));
      if (pass != kernels::ConvolutionPass::forward) continue;
      kernels::Convolution with_relu = c.shape();
      with_relu.relu = true;
      CHECK(kernels::convolution_implementation(pass, c.batch, c.channels, c.results, with_relu) == name);
    }
}

TEST_CASE("convolution: the library and weft's own loops agree, and so do memory orders") {
  for (const Case& c : common()) {
    CAPTURE(c.what);
    const kernels::Convolution shape = c.shape();
    const Tensor x = noise(joined(c.batch, c.channels, c.input), 1),
                 w = noise(joined(c.results, c.channels / c.groups, c.kernel), 2), b = noise({c.results}, 3),
                 dy = noise(joined(c.batch, c.results, shape.output), 4);
    const Tensor y = kernels::convolution(x, w, b, shape), dx = kernels::convolution_input_grad(dy, w, shape),
                 dw = kernels::convolution_weight_grad(dy, x, shape);
    CHECK(kernels::is_channels_last(y));
    CHECK(kernels::is_channels_last(dx));
    CHECK(dw.is_contiguous());
    CHECK(values(kernels::convolution(kernels::channels_last(x), w, b, shape)) == values(y));
    deterministic(true);
    check_same(y, kernels::convolution(x, w, b, shape));
    check_same(dx, kernels::convolution_input_grad(dy, w, shape));
    check_same(dw, kernels::convolution_weight_grad(dy, x, shape));
    deterministic(false);
  }
}

TEST_CASE("convolution: deterministic results are the same bits on any number of threads") {
  deterministic(true);
  for (const Case& c : common()) {
    if (c.batch * c.input.product() > 20000) continue;
    CAPTURE(c.what);
    const kernels::Convolution shape = c.shape();
    const Tensor x = noise(joined(c.batch, c.channels, c.input), 1),
                 w = noise(joined(c.results, c.channels / c.groups, c.kernel), 2),
                 dy = noise(joined(c.batch, c.results, shape.output), 4);
    std::vector<std::vector<double>> results;
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      std::vector<double> all = values(kernels::convolution(x, w, Tensor(), shape));
      for (const Tensor& each :
           {kernels::convolution_input_grad(dy, w, shape), kernels::convolution_weight_grad(dy, x, shape)}) {
        const auto more = values(each);
        all.insert(all.end(), more.begin(), more.end());
      }
      results.push_back(std::move(all));
    }
    set_num_threads(0);
    CHECK(results[0] == results[1]);
  }
  deterministic(false);
}

TEST_CASE("convolution: Winograd's method loses no more than a digit, and only where it may") {
  // Its transforms of 4 x 4 outputs multiply by up to 5 and cancel: about ten times the error of the plain sum.
  for (const Case& c :
       {Case{"split batch", 32, 64, 48, {32, 33}, {3, 3}, 1, 1}, Case{"no padding", 16, 32, 80, {19, 10}, {3, 3}}}) {
    CAPTURE(c.what);
    const kernels::Convolution shape = c.shape();
    const Tensor x = noise(joined(c.batch, c.channels, c.input), 1),
                 w = noise(joined(c.results, c.channels, c.kernel), 2), b = noise({c.results}, 3),
                 dy = noise(joined(c.batch, c.results, shape.output), 4);
    const auto passes = [&](const Tensor& in, const Tensor& weight, const Tensor& gradient) {
      return std::vector<Tensor>{kernels::convolution(in, weight, kernels::cast(b, in.dtype()), shape),
                                 kernels::convolution_input_grad(gradient, weight, shape),
                                 kernels::convolution_weight_grad(gradient, in, shape)};
    };
    const auto exact =
        passes(kernels::cast(x, DType::float64), kernels::cast(w, DType::float64), kernels::cast(dy, DType::float64));
    const auto error = [&](const std::vector<Tensor>& got, std::size_t i) {
      const std::vector<double> a = values(got[i]), e = values(exact[i]);
      double worst = 0, largest = 0;
      for (std::size_t k = 0; k < e.size(); ++k) {
        worst = std::max(worst, std::abs(a[k] - e[k]));
        largest = std::max(largest, std::abs(e[k]));
      }
      return worst / largest;
    };
    const auto fast = passes(x, w, dy);
    deterministic(true);
    const auto plain = passes(x, w, dy);
    deterministic(false);
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(i);
      CHECK(error(fast, i) < 1e-5);
      CHECK(error(plain, i) < 2e-6);
    }
  }
  // Too few tiles to pay for transforming the weight; strides; groups; lines.
  for (const Case& c :
       {Case{"few tiles", 1, 64, 64, {16, 16}, {3, 3}, 1, 1}, Case{"stride", 32, 64, 64, {32, 32}, {3, 3}, 2, 1},
        Case{"groups", 32, 64, 64, {32, 32}, {3, 3}, 1, 1, 1, 2}, Case{"line", 32, 64, 64, {1024}, {3}, 1, 1}}) {
    CAPTURE(c.what);
    CHECK(kernels::convolution_implementation(kernels::ConvolutionPass::forward, c.batch, c.channels, c.results,
                                              c.shape())
              .find("wino") == std::string::npos);
  }
}

TEST_CASE("convolution: a network runs channels-last from end to end, gradients included") {
  Tensor x = noise({2, 3, 12, 12}, 1), w = noise({8, 3, 3, 3}, 2), v = noise({8, 8, 3, 3}, 3);
  for (Tensor* each : {&x, &w, &v}) each->set_requires_grad();
  const Tensor h = relu(conv2d(x, w, Tensor(), {.padding = "same"}));
  Tensor indices;
  const Tensor pooled = max_pool2d(h, 2, {}, &indices);
  for (const Tensor& each : {h, pooled, indices, avg_pool2d(h, 3, {.stride = 2, .padding = 1}), group_norm(h, 2),
                             interpolate(h, {.scale_factor = {2}, .mode = Interpolation::linear}), pad(h, {1, 1, 1, 1}),
                             pad(h, {1, 1, 1, 1}, PadMode::reflect), conv2d(pooled, v, Tensor(), {.padding = 1})})
    CHECK(kernels::is_channels_last(each));
  const std::vector<Tensor> gradients = grad({sum(square(conv2d(pooled, v)))}, {x, w, v});
  CHECK(gradients[1].is_contiguous());
  CHECK(gradients[2].is_contiguous());
}

TEST_CASE("options of windows are one number or one per axis") {
  CHECK(PerAxis(3).on("op", "stride", 2, 1) == Dims{3, 3});
  CHECK(PerAxis({3, 4}).on("op", "stride", 2, 1) == Dims{3, 4});
  CHECK(PerAxis().empty());
  CHECK(message<ConfigError>([] {
          PerAxis({3, 4}).on("op", "stride", 3, 1);
        }) == "op: stride has 2 numbers for 3 spatial axes");
}
