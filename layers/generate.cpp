#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <weft/autograd/ops.h>
#include <weft/layers/decoder.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

void check(const GenerateOptions& o) {
  if (!(o.temperature >= 0)) throw ConfigError(text("generate: temperature ", o.temperature, ", must be 0 or more"));
  if (o.top_k < 0) throw ConfigError(text("generate: top_k ", o.top_k, ", must be 0 or more"));
  if (!(o.top_p > 0 && o.top_p <= 1)) throw ConfigError(text("generate: top_p ", o.top_p, " is not in (0, 1]"));
}

/// Ids (rows, longest) of what each row is to read, 0 where it has nothing.
Tensor side_by_side(const std::vector<std::vector<std::int64_t>>& rows, std::vector<std::int64_t>& counts) {
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  Tensor ids = zeros({std::ssize(rows), static_cast<std::int64_t>(longest)}, DType::int64);
  std::int64_t* to = ids.mutable_data<std::int64_t>();
  counts.clear();
  for (const auto& row : rows) {
    std::copy(row.begin(), row.end(), to);
    to += longest;
    counts.push_back(std::ssize(row));
  }
  return ids;
}

}  // namespace

std::int64_t draw_token(std::span<const float> scores, const GenerateOptions& o, Generator& generator) {
  check(o);
  const auto best = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  if (scores.empty() || !std::isfinite(scores[best]))
    throw ConfigError("generate: no score is a finite number\n  help: look whether training went wrong");
  if (o.temperature == 0 || o.top_k == 1) return static_cast<std::int64_t>(best);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto better = [&](std::size_t a, std::size_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  };
  if (o.top_k > 0 && static_cast<std::size_t>(o.top_k) < order.size()) {
    std::nth_element(order.begin(), order.begin() + o.top_k, order.end(), better);
    order.resize(static_cast<std::size_t>(o.top_k));
  }
  if (o.top_k > 0 || o.top_p < 1) std::sort(order.begin(), order.end(), better);
  std::vector<double> weights(order.size());
  double total = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    total += weights[i] = std::exp((double{scores[order[i]]} - double{scores[best]}) / o.temperature);
  if (o.top_p < 1) {
    double sum = 0;
    std::size_t n = 0;
    while (n < weights.size() && sum < o.top_p * total) sum += weights[n++];
    weights.resize(n);
    total = sum;
  }
  double left = generator.uniform() * total;
  std::size_t i = 0;
  while (i + 1 < weights.size() && (left -= weights[i]) >= 0) ++i;
  return static_cast<std::int64_t>(order[i]);
}

std::vector<std::vector<std::int64_t>> generate(const Decoder& decoder,
                                                const std::vector<std::vector<std::int64_t>>& prompts,
                                                const GenerateOptions& o) {
  check(o);
  if (prompts.empty()) throw ConfigError("generate: there is no prompt");
  std::int64_t longest = 0;
  for (const auto& prompt : prompts) {
    if (prompt.empty()) throw ConfigError("generate: a prompt is empty\n  help: begin it with a token of its own");
    longest = std::max(longest, static_cast<std::int64_t>(std::ssize(prompt)));
  }
  const std::int64_t context = decoder.positions.weight.size(0);
  if (o.max_new_tokens < 0 || longest + o.max_new_tokens > context)
    throw ConfigError(text("generate: a prompt of ", longest, " tokens and ", o.max_new_tokens,
                           " new ones, the model has ", context, " positions"));
  Generator& generator = o.generator ? *o.generator : default_generator();
  const auto rows = static_cast<std::int64_t>(prompts.size());
  std::vector<std::vector<std::int64_t>> written(prompts.size()), all = prompts, reading = prompts;
  std::vector<bool> ended(prompts.size());
  std::vector<std::int64_t> counts;
  // The last token is not read any more.
  KeyValueCache cache = decoder.cache(rows, std::max<std::int64_t>(longest, longest + o.max_new_tokens - 1));
  for (std::int64_t step = 0; step < o.max_new_tokens; ++step) {
    if (!o.use_cache) cache.truncate(0);
    const Tensor ids = side_by_side(o.use_cache ? reading : all, counts);
    const Tensor scores = to(decoder.next(ids, cache, counts), DType::float32);
    const float* row = scores.data<float>();
    const std::int64_t words = scores.size(1);
    for (std::size_t r = 0; r < prompts.size(); ++r, row += words) {
      reading[r].clear();
      if (ended[r]) continue;
      const std::int64_t token = draw_token({row, static_cast<std::size_t>(words)}, o, generator);
      written[r].push_back(token);
      all[r].push_back(token);
      reading[r].push_back(token);
      ended[r] = token == o.eos;
    }
    if (std::all_of(ended.begin(), ended.end(), [](bool e) { return e; })) break;
  }
  return written;
}

}  // namespace weft
