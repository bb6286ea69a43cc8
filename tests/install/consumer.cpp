// Built against the installed copy with nothing but pkg-config's flags.
#include <iostream>

#include <weft/weft.h>

struct Net {
  weft::Linear hidden{2, 8}, out{8, 1};
  weft::Tensor operator()(const weft::Tensor& x) const { return out(weft::tanh(hidden(x))); }
  void fields(auto&& f) { f("hidden", hidden, "out", out); }
};

int main() {
  Net net;
  weft::optim::Adam optimizer(weft::parameters(net), {.lr = 0.05});
  const weft::Tensor x = weft::from(std::vector<float>{0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const weft::Tensor y = weft::from(std::vector<float>{0, 1, 1, 0}, {4, 1});
  double loss = 1;
  for (int step = 0; step < 500; ++step) {
    const weft::Tensor l = weft::mse_loss(net(x), y);
    l.backward();
    optimizer.step();
    optimizer.zero_grad();
    loss = l.item();
  }
  std::cout << "xor: loss " << loss << '\n';
  return loss < 0.01 ? 0 : 1;
}
