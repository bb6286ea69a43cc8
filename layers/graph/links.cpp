#include <weft/layers/graph/links.h>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft {

Tensor link_logits(const Tensor& z, const Tensor& pairs) {
  if (z.dim() != 2) throw ShapeError(text("link_logits: z is ", z.shape(), ", not (nodes, features)"));
  if (pairs.dim() != 2 || pairs.shape()[0] != 2)
    throw ShapeError(text("link_logits: the pairs are ", pairs.shape(), ", not (2, P)"));
  const std::int64_t nodes = z.shape()[0];
  for (const std::int64_t node : to_vector<std::int64_t>(pairs))
    if (node < 0 || node >= nodes) throw ConfigError(text("link_logits: a pair has node ", node, " of ", nodes));
  return sum(index_select(z, 0, select(pairs, 0, 0)) * index_select(z, 0, select(pairs, 0, 1)), 1);
}

Tensor link_loss(const Tensor& z, const Tensor& edges, const Tensor& negatives) {
  const Tensor close = link_logits(z, edges), far = link_logits(z, negatives);
  if (close.numel() == 0 || far.numel() == 0)
    throw ShapeError(text("link_loss: ", close.numel(), " edges and ", far.numel(),
                          " pairs without one\n  help: give at least one of each"));
  return -(mean(log_sigmoid(close)) + mean(log_sigmoid(-far)));
}

}  // namespace weft
