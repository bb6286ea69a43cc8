#include <functional>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

#include "case.h"

using namespace weft;

namespace bench {
namespace {

constexpr int repeats = 100;  // chained calls per run, so that the clock is not what is measured

struct Tiny {
  Tensor x = randn({16}), y = randn({16}), g = randn({16}), one = ones({16});
  Tiny() { g.set_requires_grad(); }
};

Built tiny(std::function<void(Tiny&)> run) {
  return {[run, data = Tiny()]() mutable { run(data); }, repeats};
}

}  // namespace

void add_operation_cases(std::vector<Case>& cases) {
  cases.push_back({"op_tiny_nograd", [] {
                     return tiny([](Tiny& d) {
                       const NoGrad off;
                       for (int i = 0; i < repeats; ++i) Tensor z = d.x + d.y;
                     });
                   }});
  cases.push_back({"op_tiny_grad", [] {
                     return tiny([](Tiny& d) {
                       Tensor h = d.g;
                       for (int i = 0; i < repeats; ++i) h = h + d.y;
                     });
                   }});
  cases.push_back({"op_tiny_grad_bwd", [] {
                     return tiny([](Tiny& d) {
                       Tensor h = d.g;
                       for (int i = 0; i < repeats; ++i) h = h + d.y;
                       d.g.set_grad(Tensor());
                       h.backward(d.one);
                     });
                   }});
}

}  // namespace bench
