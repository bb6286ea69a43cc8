#pragma once
#include <cstdint>
#include <vector>

#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Sets of codes (the diagnoses or drugs of each patient) and what embeddings of codes learn from: pairs of codes of
/// one set, beside random codes that are not.
namespace weft::data {

/// Sets one after the other, as embedding_bag takes them: set i has the codes [offsets[i], offsets[i + 1]).
struct CodeSets {
  Tensor codes;    ///< (N,) int64, from 0 to vocabulary - 1
  Tensor offsets;  ///< (sets,) int64, ascending from 0
  std::int64_t vocabulary = 0;

  /// Each set sorted and without repeats. `vocabulary` 0: as many as the largest code needs. Throws ConfigError for a
  /// code out of range.
  static CodeSets of(const std::vector<std::vector<std::int64_t>>& sets, std::int64_t vocabulary = 0);
  std::int64_t count() const { return offsets.numel(); }
  /// How many sets have each code: (vocabulary,).
  std::vector<std::int64_t> frequencies() const;
};

struct SkipGramOptions {
  std::int64_t negatives = 5;  ///< random codes beside each pair
  double power = 0.75;         ///< they are drawn with probability proportional to frequency^power
  /// A code of frequency f among N takes part in pairs with probability min(1, sqrt(t N / f)): thins out those that
  /// everyone has (of a pair that is thinned out a hundred times the last draw stays). 0: all take part.
  double subsample = 0;
};
/// B pairs: `context` is another code of a set that has `center`; `negatives` are noise, never the pair's context.
struct SkipGramBatch {
  Tensor center, context;  ///< (B,) int64
  Tensor negatives;        ///< (B, negatives) int64
};

/// Draws pairs of codes for skip-gram with negative sampling over sets: sets have no order, so each ordered pair of
/// different entries of a set is equally likely. Row i of a batch is a pure function of the generator and i: the same
/// for any number of threads. Mikolov et al. (2013).
class SkipGramSampler {
 public:
  /// Throws ConfigError for negative options, a code out of range, offsets that do not ascend, and where no set has two
  /// codes.
  explicit SkipGramSampler(const CodeSets& sets, const SkipGramOptions& options = {});

  /// Ordered pairs that the sets hold (before subsampling): as many draws are about one epoch.
  std::int64_t pairs() const noexcept { return pairs_before_.back(); }
  /// Probability of each code in the noise.
  const std::vector<double>& noise() const noexcept { return noise_; }
  /// Throws ConfigError for a count below 1.
  SkipGramBatch sample(std::int64_t count, Generator& generator) const;

 private:
  void one(std::int64_t row, Generator generator, std::int64_t* center, std::int64_t* context,
           std::int64_t* negatives) const;

  SkipGramOptions options_;
  std::vector<std::int64_t> codes_, begin_;   // begin_ has the end of the last set, too
  std::vector<std::int64_t> pairs_before_;    // of each set and, last, of all
  std::vector<double> noise_, noise_before_;  // probabilities and their running sums, from 0 to 1
  std::vector<double> kept_;                  // probability that a code takes part
};

}  // namespace weft::data
