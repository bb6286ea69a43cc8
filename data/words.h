#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <weft/tensor/tensor.h>

namespace weft::data {

struct WordCoderOptions {
  std::int64_t min_count = 1;  ///< rarer words of the training texts are unknown
  /// Numbers for the parts of words, so that an unknown word still looks like others; 0: none.
  std::int64_t buckets = 0;
  std::int64_t ngram_min = 3, ngram_max = 5;  ///< letters of a part, < and > around the word counted
  std::int64_t max_parts = 24;                ///< of a word
};

/// Words of training texts to numbers: 0 padding, 1 unknown, then the words by frequency, then `buckets` numbers that
/// parts of words are hashed to (Bojanowski et al. 2017). Texts are lowered (ASCII) and split at blanks; every
/// punctuation mark is a word.
class WordCoder {
 public:
  /// Throws ConfigError for options below 1 (buckets: below 0) or when the texts have no word.
  static WordCoder fit(std::span<const std::string> texts, const WordCoderOptions& options = {});
  /// (N, T) int64, or with buckets (N, T, 1 + max_parts): a word and its parts, 0 where there are fewer. T is `length`,
  /// or 0 for that of the longest text; longer texts lose their end. Throws ConfigError when there is no text.
  Tensor encode(std::span<const std::string> texts, std::int64_t length = 0) const;
  std::int64_t words() const noexcept { return words_; }                    ///< with padding and unknown
  std::int64_t size() const noexcept { return words_ + options_.buckets; }  ///< all numbers
  /// The number of a word in lower case; 1 if it is unknown.
  std::int64_t id(std::string_view word) const;
  static std::vector<std::string> split(std::string_view text);

 private:
  WordCoderOptions options_;
  std::unordered_map<std::string, std::int64_t> ids_;
  std::int64_t words_ = 2;
};

}  // namespace weft::data
