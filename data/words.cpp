#include <weft/data/words.h>

#include <algorithm>
#include <map>

#include <weft/tensor/create.h>

namespace weft::data {

std::vector<std::string> WordCoder::split(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool blank = u <= 32 || u == 127;
    const bool letter = u >= 128 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (blank) {
      inside = false;
      continue;
    }
    if (!letter || !inside) words.emplace_back();
    words.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    inside = letter;
  }
  return words;
}

WordCoder WordCoder::fit(std::span<const std::string> texts, const WordCoderOptions& o) {
  if (o.min_count < 1 || o.buckets < 0 || o.ngram_min < 1 || o.ngram_max < o.ngram_min || o.max_parts < 1)
    throw ConfigError(text("WordCoder: min_count ", o.min_count, ", buckets ", o.buckets, ", parts of ", o.ngram_min,
                           " to ", o.ngram_max, " letters, at most ", o.max_parts,
                           "\n  help: each is 1 or more, buckets 0 or more"));
  std::map<std::string, std::int64_t> counts;
  for (const std::string& each : texts)
    for (std::string& word : split(each)) ++counts[std::move(word)];
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [word, count] : counts)
    if (count >= o.min_count) order.emplace_back(-count, word);
  if (order.empty())
    throw ConfigError(text("WordCoder: ", texts.size(), " texts have no word that occurs ", o.min_count, " times"));
  std::sort(order.begin(), order.end());
  WordCoder coder;
  coder.options_ = o;
  for (auto& each : order) coder.ids_.emplace(std::move(each.second), coder.words_++);
  return coder;
}

std::int64_t WordCoder::id(std::string_view word) const {
  const auto found = ids_.find(std::string(word));
  return found == ids_.end() ? 1 : found->second;
}

Tensor WordCoder::encode(std::span<const std::string> texts, std::int64_t length) const {
  if (texts.empty()) throw ConfigError("WordCoder: there is no text to encode");
  std::vector<std::vector<std::string>> all;
  std::int64_t longest = 1;
  for (const std::string& each : texts) {
    all.push_back(split(each));
    longest = std::max(longest, static_cast<std::int64_t>(all.back().size()));
  }
  if (length <= 0) length = longest;
  const std::int64_t n = std::ssize(texts), width = options_.buckets > 0 ? 1 + options_.max_parts : 1;
  Tensor out = zeros(options_.buckets > 0 ? Shape{n, length, width} : Shape{n, length}, DType::int64);
  std::int64_t* row = out.mutable_data<std::int64_t>();
  for (const auto& words : all) {
    for (std::int64_t i = 0; i < std::min<std::int64_t>(length, std::ssize(words)); ++i) {
      const std::string& word = words[static_cast<std::size_t>(i)];
      std::int64_t* to = row + i * width;
      *to++ = id(word);
      if (options_.buckets == 0) continue;
      const std::string whole = "<" + word + ">";
      const std::int64_t* const end = to + options_.max_parts;
      for (std::int64_t k = options_.ngram_min; k <= options_.ngram_max; ++k)
        for (std::size_t at = 0; at + static_cast<std::size_t>(k) <= whole.size() && to < end; ++at) {
          std::uint64_t hash = 14695981039346656037U;  // FNV-1a
          for (const char c : whole.substr(at, static_cast<std::size_t>(k)))
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
          *to++ =
              words_ + static_cast<std::int64_t>((hash ^ hash >> 32) % static_cast<std::uint64_t>(options_.buckets));
        }
    }
    row += length * width;
  }
  return out;
}

}  // namespace weft::data
