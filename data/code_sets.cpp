#include <weft/data/code_sets.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <weft/data/at.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

namespace weft::data {
namespace {

using Int = std::int64_t;
using Ints = std::vector<Int>;

using detail::at;

void check_code(const char* op, Int code, Int set, Int vocabulary) {
  if (code < 0 || code >= vocabulary)
    throw ConfigError(text(op, ": set ", set, " has code ", code, " of a vocabulary of ", vocabulary));
}

/// The sets of CodeSets, each sorted and without repeats: codes one after the other, and where each set begins and the
/// last one ends.
struct Sorted {
  Ints codes, begin{0};
  void add(Ints set) {
    std::sort(set.begin(), set.end());
    codes.insert(codes.end(), set.begin(), std::unique(set.begin(), set.end()));
    begin.push_back(static_cast<Int>(codes.size()));
  }
};

/// The set that holds pair number `pair`, or the code that holds a place in the noise: the last whose begin is not
/// larger.
template <class T>
std::size_t holder(const std::vector<T>& begins, T place) {
  return static_cast<std::size_t>(std::upper_bound(begins.begin(), begins.end(), place) - begins.begin()) - 1;
}

}  // namespace

CodeSets CodeSets::of(const std::vector<Ints>& sets, Int vocabulary) {
  Sorted sorted;
  for (const Ints& set : sets) sorted.add(set);
  CodeSets out;
  const Int needed = sorted.codes.empty() ? 0 : *std::max_element(sorted.codes.begin(), sorted.codes.end()) + 1;
  out.vocabulary = vocabulary > 0 ? vocabulary : needed;
  for (std::size_t i = 0; i < sets.size(); ++i)
    for (const Int code : sets[i]) check_code("code_sets", code, static_cast<Int>(i), out.vocabulary);
  sorted.begin.pop_back();
  out.codes = from(sorted.codes), out.offsets = from(sorted.begin);
  return out;
}

Ints CodeSets::frequencies() const {
  Ints out(at(vocabulary), 0);
  for (const Int code : to_vector<Int>(codes)) ++out[at(code)];
  return out;
}

SkipGramSampler::SkipGramSampler(const CodeSets& sets, const SkipGramOptions& options) : options_(options) {
  constexpr const char* op = "skip_gram_sampler";
  if (options.negatives < 1)
    throw ConfigError(text(op, ": negatives is ", options.negatives, "\n  help: choose 1 or more"));
  for (const auto& [name, value] : {std::pair("power", options.power), {"subsample", options.subsample}})
    if (!(value >= 0) || std::isinf(value))
      throw ConfigError(text(op, ": ", name, " is ", value, "\n  help: choose 0 or more"));
  const Ints codes = to_vector<Int>(sets.codes);
  Ints ends = to_vector<Int>(sets.offsets);
  ends.push_back(static_cast<Int>(codes.size()));
  if (ends.front() != 0 || !std::is_sorted(ends.begin(), ends.end()))
    throw ConfigError(text(op, ": the offsets do not ascend from 0 to ", codes.size()));
  Sorted sorted;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    for (Int k = ends[i]; k < ends[i + 1]; ++k) check_code(op, codes[at(k)], static_cast<Int>(i), sets.vocabulary);
    sorted.add({codes.begin() + ends[i], codes.begin() + ends[i + 1]});
  }
  codes_ = std::move(sorted.codes), begin_ = std::move(sorted.begin);
  pairs_before_.push_back(0);
  for (std::size_t i = 0; i + 1 < begin_.size(); ++i) {
    const Int n = begin_[i + 1] - begin_[i];
    pairs_before_.push_back(pairs_before_.back() + n * (n - 1));
  }
  if (pairs() == 0) throw ConfigError(text(op, ": none of ", begin_.size() - 1, " sets has two codes"));

  std::vector<double> counts(at(sets.vocabulary), 0);
  for (const Int code : codes_) ++counts[at(code)];
  double total = 0;
  for (const double n : counts) {
    noise_.push_back(n > 0 ? std::pow(n, options.power) : 0);
    total += noise_.back();
    // A code that is nowhere is never drawn.
    const double rare = options.subsample * static_cast<double>(codes_.size());
    const double thinned = n > 0 ? std::min(1.0, std::sqrt(rare / n)) : 0;
    kept_.push_back(options.subsample > 0 ? thinned : 1);
  }
  double before = 0;
  for (double& p : noise_) {
    p /= total;
    noise_before_.push_back(before);
    before += p;
  }
  // Draws are repeated until one stays: only the ratios count, and the largest share is best 1.
  const double largest = *std::max_element(kept_.begin(), kept_.end());
  for (double& share : kept_) share /= largest;
}

void SkipGramSampler::one(Int row, Generator generator, Int* center, Int* context, Int* negatives) const {
  for (int trial = 0; trial < 100; ++trial) {
    const std::size_t set = holder(pairs_before_, generator.below(pairs()));
    const Int begin = begin_[set], n = begin_[set + 1] - begin;
    const Int first = generator.below(n), other = generator.below(n - 1);
    center[row] = codes_[at(begin + first)];
    context[row] = codes_[at(begin + other + (other >= first ? 1 : 0))];
    if (generator.uniform() < kept_[at(center[row])] && generator.uniform() < kept_[at(context[row])]) break;
  }
  // The noise without the context's part: places behind it are moved on by its width.
  const std::size_t left_out = at(context[row]);
  for (Int k = 0; k < options_.negatives; ++k) {
    double place = generator.uniform() * (1 - noise_[left_out]);
    if (place >= noise_before_[left_out]) place += noise_[left_out];
    std::size_t code = holder(noise_before_, place);
    // Sums are rounded: at the very edge of a part its neighbour may be found, or one of width 0.
    while (code == left_out || noise_[code] == 0) code = (code + 1) % noise_.size();
    negatives[row * options_.negatives + k] = static_cast<Int>(code);
  }
}

SkipGramBatch SkipGramSampler::sample(Int count, Generator& generator) const {
  if (count < 1) throw ConfigError(text("skip_gram_sampler: ", count, " pairs\n  help: ask for 1 or more"));
  SkipGramBatch out{empty({count}, DType::int64), empty({count}, DType::int64),
                    empty({count, options_.negatives}, DType::int64)};
  Int *center = out.center.mutable_data<Int>(), *context = out.context.mutable_data<Int>();
  Int* negatives = out.negatives.mutable_data<Int>();
  const std::uint64_t offset = generator.take(static_cast<std::uint64_t>(count));
  // Each row has a stream of its own, so that how many numbers it needs is nobody else's business.
  parallel_for(count, grain / 64 / (options_.negatives + 4) + 1, [&](Int first, Int last) {
    for (Int i = first; i < last; ++i) {
      Generator place{generator.seed, offset + static_cast<std::uint64_t>(i)};
      one(i, Generator{.seed = place.bits()}, center, context, negatives);
    }
  });
  return out;
}

}  // namespace weft::data
