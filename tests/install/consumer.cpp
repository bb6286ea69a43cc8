// Built against the installed copy with nothing but pkg-config's flags.
#include <iostream>

#include <weft/tensor/create.h>

int main() {
  const weft::Tensor x = weft::from(std::vector<float>{1, 2, 3, 4}, {2, 2});
  std::cout << x << '\n';
  return x.numel() == 4 ? 0 : 1;
}
