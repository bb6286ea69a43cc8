#include <weft/deploy/passes.h>

#include <algorithm>
#include <vector>

#include <weft/deploy/uses.h>

namespace weft::deploy {
void drop_dead(Graph& g) {
  std::vector<bool> used(g.values.size()), gone(g.steps.size());
  for (const int v : g.outputs)
    if (v >= 0) used[static_cast<std::size_t>(v)] = true;
  for (std::size_t i = g.steps.size(); i-- > 0;) {
    const Step& s = g.steps[i];
    gone[i] =
        std::none_of(s.outputs.begin(), s.outputs.end(), [&](int v) { return used[static_cast<std::size_t>(v)]; });
    if (gone[i]) continue;
    for (const int v : s.inputs)
      if (v >= 0) used[static_cast<std::size_t>(v)] = true;
  }
  remove(g, gone);
}

}  // namespace weft::deploy
