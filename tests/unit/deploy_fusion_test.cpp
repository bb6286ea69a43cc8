#include <doctest/doctest.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/deploy/compile.h>
#include <weft/fusion/classifier.h>

#include "fusion_cases.h"

using namespace weft;
using namespace weft::test;

TEST_CASE("every fusion compiles: features and their mask in, decision and weights out") {
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    manual_seed(3);
    fusion::Options options = abc_options();
    options.dtype = DType::float32;
    fusion::Fusion fusion = fusion::make(method.name, options);
    eval(fusion);
    const auto model = [&](const std::vector<Tensor>& in) {
      const data::Modalities all{abc_names, {in[0], in[1], in[2]}, in[3]};
      const fusion::Fused fused = fusion(all);
      std::vector<Tensor> results{fused.decision.defined() ? fused.decision : fused.features};
      if (fused.weights.defined()) results.push_back(fused.weights);
      return results;
    };
    const auto inputs = [](const std::vector<std::vector<int>>& present, std::uint64_t seed) {
      const data::Modalities all = abc(present, std::numeric_limits<double>::quiet_NaN(), seed);
      std::vector<Tensor> list;
      for (const Tensor& x : all.features) list.push_back(to(x, DType::float32));
      list.push_back(all.present);
      return list;
    };
    const deploy::Program program = deploy::compile(model, inputs(gaps, 1));
    const NoGrad off;
    // Other gaps in the same shape, and one patient alone.
    for (const auto& present : {std::vector<std::vector<int>>{{0, 0, 0}, {1, 1, 1}, {1, 0, 0}, {0, 0, 1}, {0, 1, 1}},
                                std::vector<std::vector<int>>{{1, 0, 1}}}) {
      const std::vector<Tensor> in = inputs(present, 2), expected = model(in), found = program.run(in);
      REQUIRE(found.size() == expected.size());
      for (std::size_t k = 0; k < found.size(); ++k)
        CHECK(testing::allclose(found[k], expected[k], {.atol = 1e-5, .rtol = 1e-5}));
    }
  }
}
