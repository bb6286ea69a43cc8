#include <weft/data/wordpiece.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/data/unicode.h>
#include <weft/tensor/create.h>

namespace weft::data {

using detail::Letter;

/// Letters after cleaning, each with the bytes that it came from.
struct WordPiece::Letters {
  std::u32string letters;
  std::vector<std::pair<std::size_t, std::size_t>> from;
};

namespace {

/// Marks on one letter in the order of their classes, so that the order in which they were typed does not matter.
template <class Letters>
void order_marks(Letters& all) {
  std::vector<std::size_t> order;
  for (std::size_t begin = 0, end = 0; begin < all.letters.size(); begin = end + 1) {
    end = begin;
    while (end < all.letters.size() && detail::combining_class(all.letters[end]) > 0) ++end;
    if (end - begin < 2) continue;
    order.resize(end - begin);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = begin + i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return detail::combining_class(all.letters[a]) < detail::combining_class(all.letters[b]);
    });
    const Letters before{
        all.letters.substr(begin, end - begin),
        {all.from.begin() + static_cast<std::ptrdiff_t>(begin), all.from.begin() + static_cast<std::ptrdiff_t>(end)}};
    for (std::size_t i = 0; i < order.size(); ++i) {
      all.letters[begin + i] = before.letters[order[i] - begin];
      all.from[begin + i] = before.from[order[i] - begin];
    }
  }
}

}  // namespace

WordPiece::WordPiece(std::vector<std::string> vocabulary, const WordPieceOptions& options)
    : options_(options), vocabulary_(std::move(vocabulary)) {
  if (options_.max_word < 1) throw ConfigError(text("wordpiece: max_word ", options_.max_word, ", must be 1 or more"));
  for (std::size_t i = 0; i < vocabulary_.size(); ++i) {
    const std::string& token = vocabulary_[i];
    const auto id = static_cast<std::int64_t>(i);
    const auto [at, fresh] = whole_.emplace(token, id);
    if (!fresh) throw ConfigError(text("wordpiece: \"", token, "\" is both token ", at->second, " and ", id));
    if (token.starts_with("##")) inside_.emplace(token.substr(2), id);
    longest_ = std::max(longest_, token.size());
  }
  const auto special = [&](const std::string& token) {
    if (token.empty()) throw ConfigError("wordpiece: a special token is empty");
    const auto found = whole_.find(token);
    if (found == whole_.end())
      throw ConfigError(text("wordpiece: the vocabulary of ", vocabulary_.size(), " tokens has no ", token));
    return found->second;
  };
  unknown_ = special(options_.unknown);
  begin_ = special(options_.begin);
  separator_ = special(options_.separator);
  padding_ = special(options_.padding);
  mask_ = special(options_.mask);
}

WordPiece WordPiece::load(const std::string& path, const WordPieceOptions& options) {
  constexpr const char* operation = "wordpiece";
  WordPieceOptions chosen = options;
  std::string file = path;
  if (std::filesystem::is_directory(path)) {
    file = path + "/vocab.txt";
    if (!std::filesystem::exists(file))
      throw FileError(
          text(operation, ": ", path, " has no vocab.txt\n  help: name a folder with a BERT model's files"));
    const std::string config = path + "/tokenizer_config.json";
    if (std::filesystem::exists(config)) {
      const auto json = nlohmann::json::parse(read_file(operation, config), nullptr, false);
      if (!json.is_object()) throw FileError(text(operation, ": ", config, " is not a JSON object"));
      const auto flag = [&](const char* name, auto& to) {
        const auto found = json.find(name);
        if (found == json.end() || found->is_null()) return;
        if (!found->is_boolean())
          throw FileError(text(operation, ": ", config, ": ", name, " is ", found->dump(), ", not true or false"));
        to = found->template get<bool>();
      };
      flag("do_lower_case", chosen.lower_case);
      flag("strip_accents", chosen.strip_accents);
      flag("tokenize_chinese_chars", chosen.split_ideographs);
    }
  }
  const std::string bytes = read_file(operation, file);
  if (bytes.find('\0') != std::string::npos)
    throw FileError(text(operation, ": ", file, " is no vocabulary: it has a zero byte"));
  std::vector<std::string> vocabulary;
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t end = std::min(bytes.find('\n', at), bytes.size());
    const std::size_t next = end + 1;
    if (end > at && bytes[end - 1] == '\r') --end;
    vocabulary.push_back(bytes.substr(at, end - at));
    at = next;
  }
  try {
    return WordPiece(std::move(vocabulary), chosen);
  } catch (const ConfigError& e) {
    std::string_view why = e.what();
    why.remove_prefix(std::string_view("wordpiece: ").size());
    throw FileError(text(operation, ": ", file, " is no vocabulary: ", why));
  }
}

std::int64_t WordPiece::id(std::string_view token) const {
  const auto found = whole_.find(token);
  return found == whole_.end() ? unknown_ : found->second;
}

const std::string& WordPiece::token(std::int64_t id) const {
  if (id < 0 || id >= size())
    throw ConfigError(text("wordpiece: id ", id, " is outside of the vocabulary of ", size(), " tokens"));
  return vocabulary_[static_cast<std::size_t>(id)];
}

bool WordPiece::is_special(std::int64_t id) const noexcept {
  return id == unknown_ || id == begin_ || id == separator_ || id == padding_ || id == mask_;
}

WordPiece::Letters WordPiece::normalized(std::string_view text) const {
  const bool strip = options_.strip_accents.value_or(options_.lower_case);
  Letters all;
  std::u32string one, lower;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    char32_t c = detail::next_code_point(text, at);
    if (c == detail::replacement_character) continue;
    const Letter kind = detail::letter_kind(c);
    if (kind == Letter::control) continue;
    if (kind == Letter::space) c = U' ';
    const bool apart = options_.split_ideographs && detail::is_ideograph(c);
    one.clear();
    if (apart) one += U' ';
    if (strip)
      detail::append_decomposed(one, c);
    else
      one += c;
    if (apart) one += U' ';
    all.letters += one;
    all.from.resize(all.letters.size(), {begin, at});
  }
  if (strip) order_marks(all);
  if (!strip && !options_.lower_case) return all;
  Letters out;
  for (std::size_t i = 0; i < all.letters.size(); ++i) {
    const char32_t c = all.letters[i];
    if (strip && c >= 128 && detail::letter_kind(c) == Letter::mark) continue;
    if (options_.lower_case)
      detail::append_lower(out.letters, c);
    else
      out.letters += c;
    out.from.resize(out.letters.size(), all.from[i]);
  }
  return out;
}

void WordPiece::add_word(Encoding& to, const Letters& letters, std::size_t first, std::size_t last, std::size_t shift,
                         std::int64_t type, std::int64_t word) const {
  const std::size_t before = to.ids.size();
  const auto add = [&](std::int64_t id, std::size_t from, std::size_t until) {
    std::size_t low = letters.from[from].first, high = letters.from[from].second;
    for (std::size_t i = from; i < until; ++i) {  // marks may have changed their places
      low = std::min(low, letters.from[i].first);
      high = std::max(high, letters.from[i].second);
    }
    to.ids.push_back(id);
    to.types.push_back(type);
    to.offsets.emplace_back(shift + low, shift + high);
    to.words.push_back(word);
  };
  std::string bytes;
  std::vector<std::size_t> ends;  // of each letter, in bytes
  for (std::size_t i = first; i < last; ++i) {
    detail::append_utf8(bytes, letters.letters[i]);
    ends.push_back(bytes.size());
  }
  const std::size_t count = ends.size();
  bool known = count <= static_cast<std::size_t>(options_.max_word);
  for (std::size_t at = 0; known && at < count;) {
    const Ids& tokens = at == 0 ? whole_ : inside_;
    const std::size_t begin = at == 0 ? 0 : ends[at - 1];
    std::size_t until = count;
    while (until > at && ends[until - 1] - begin > longest_) --until;
    auto found = tokens.end();
    for (; until > at; --until) {
      found = tokens.find(std::string_view(bytes).substr(begin, ends[until - 1] - begin));
      if (found != tokens.end()) break;
    }
    known = until > at;
    if (!known) break;
    add(found->second, first + at, first + until);
    at = until;
  }
  if (known) return;
  to.ids.resize(before);
  to.types.resize(before);
  to.offsets.resize(before);
  to.words.resize(before);
  add(unknown_, first, last);
}

void WordPiece::add_part(Encoding& to, std::string_view text, std::size_t shift, std::int64_t type,
                         std::int64_t word) const {
  const Letters all = normalized(text);
  const std::int64_t given = word;
  word = given >= 0 ? given : to.words.empty() ? 0 : to.words.back() + 1;
  std::size_t first = 0;
  const auto end_word = [&](std::size_t last) {
    if (last > first) {
      add_word(to, all, first, last, shift, type, word);
      if (given < 0) ++word;
    }
    first = last;
  };
  for (std::size_t i = 0; i < all.letters.size(); ++i) {
    const Letter kind = detail::letter_kind(all.letters[i]);
    if (kind == Letter::space) {
      end_word(i);
      first = i + 1;
    } else if (kind == Letter::punctuation) {
      end_word(i);
      end_word(i + 1);
    }
  }
  end_word(all.letters.size());
}

void WordPiece::add_text(Encoding& to, std::string_view text, std::int64_t type, std::int64_t word) const {
  std::size_t begin = 0;
  while (options_.special_in_text) {
    std::size_t at = text.size();
    std::int64_t found = -1;
    for (const std::int64_t special : {unknown_, begin_, separator_, padding_, mask_}) {
      const std::size_t place = text.find(token(special), begin);
      if (place < at) {
        at = place;
        found = special;
      }
    }
    if (found < 0) break;
    add_part(to, text.substr(begin, at - begin), begin, type, word);
    begin = at + token(found).size();
    to.ids.push_back(found);
    to.types.push_back(type);
    to.offsets.emplace_back(at, begin);
    to.words.push_back(word >= 0 ? word : to.words.empty() ? 0 : to.words.back() + 1);
  }
  add_part(to, text.substr(begin), begin, type, word);
}

namespace {

void shorten(Encoding& e, std::size_t length) {
  e.ids.resize(length);
  e.types.resize(length);
  e.offsets.resize(length);
  e.words.resize(length);
}

/// How many tokens two texts of n and m keep in `room`: the longer loses first.
std::pair<std::size_t, std::size_t> kept(std::size_t n, std::size_t m, std::size_t room) {
  const std::size_t shorter = std::min(n, m), half = room / 2;
  const std::size_t small = std::min(shorter, half), large = room - small;
  return n > m ? std::pair(large, small) : std::pair(small, large);
}

}  // namespace

Encoding WordPiece::joined(Encoding first, Encoding second, bool pair, const EncodeOptions& o) const {
  if (o.max_length < 0) throw ConfigError(text("wordpiece: max_length ", o.max_length, ", must be 0 or more"));
  const std::size_t added = o.special_tokens ? (pair ? 3 : 2) : 0, limit = static_cast<std::size_t>(o.max_length);
  const std::size_t n = first.ids.size(), m = second.ids.size();
  if (limit > 0 && n + m + added > limit) {
    if (limit < added)
      throw ConfigError(text("wordpiece: max_length ", limit, " has no room for ", added, " special tokens"));
    const std::size_t room = limit - added;
    if (o.truncation == Truncation::longest_first) {
      const auto [a, b] = kept(n, m, room);
      shorten(first, pair ? a : room);
      shorten(second, pair ? b : 0);
    } else {
      const bool cut_first = o.truncation == Truncation::only_first;
      const std::size_t other = cut_first ? m : n;
      if (other > room)
        throw ConfigError(text("wordpiece: the text that is to be kept has ", other, " tokens, max_length ", limit,
                               " leaves ", room, "\n  help: cut the longer one (Truncation::longest_first)"));
      shorten(cut_first ? first : second, room - other);
    }
  }
  if (!o.special_tokens && !pair) return first;
  Encoding all;
  const auto add = [&](std::int64_t id, std::int64_t type) {
    if (!o.special_tokens) return;
    all.ids.push_back(id);
    all.types.push_back(type);
    all.offsets.emplace_back(0, 0);
    all.words.push_back(-1);
  };
  const auto append = [&](const Encoding& e) {
    all.ids.insert(all.ids.end(), e.ids.begin(), e.ids.end());
    all.types.insert(all.types.end(), e.types.begin(), e.types.end());
    all.offsets.insert(all.offsets.end(), e.offsets.begin(), e.offsets.end());
    all.words.insert(all.words.end(), e.words.begin(), e.words.end());
  };
  add(begin_, 0);
  append(first);
  add(separator_, 0);
  if (pair) {
    append(second);
    add(separator_, 1);
  }
  return all;
}

Encoding WordPiece::encode(std::string_view text, const EncodeOptions& options) const {
  Encoding e;
  add_text(e, text, 0, -1);
  return joined(std::move(e), {}, false, options);
}

Encoding WordPiece::encode(std::string_view first, std::string_view second, const EncodeOptions& options) const {
  Encoding a, b;
  add_text(a, first, 0, -1);
  add_text(b, second, 1, -1);
  return joined(std::move(a), std::move(b), true, options);
}

Encoding WordPiece::encode_words(std::span<const std::string> words, const EncodeOptions& options) const {
  Encoding e;
  for (std::size_t i = 0; i < words.size(); ++i) add_text(e, words[i], 0, static_cast<std::int64_t>(i));
  return joined(std::move(e), {}, false, options);
}

TokenBatch WordPiece::batch(std::span<const Encoding> encodings, std::int64_t length) const {
  if (encodings.empty()) throw ConfigError("wordpiece: a batch of no encodings");
  for (const Encoding& e : encodings) length = std::max(length, static_cast<std::int64_t>(e.ids.size()));
  const auto rows = static_cast<std::int64_t>(encodings.size());
  TokenBatch b{full({rows, length}, padding_, DType::int64), zeros({rows, length}, DType::int64),
               zeros({rows, length}, DType::int64)};
  auto *ids = b.ids.mutable_data<std::int64_t>(), *types = b.types.mutable_data<std::int64_t>(),
       *mask = b.attention_mask.mutable_data<std::int64_t>();
  for (const Encoding& e : encodings) {
    std::copy(e.ids.begin(), e.ids.end(), ids);
    std::copy(e.types.begin(), e.types.end(), types);
    std::fill_n(mask, e.ids.size(), 1);
    ids += length;
    types += length;
    mask += length;
  }
  return b;
}

std::string WordPiece::decode(std::span<const std::int64_t> ids, bool skip_special) const {
  std::string out;
  for (const std::int64_t i : ids) {
    const std::string& t = token(i);
    if (skip_special && is_special(i) && i != unknown_) continue;
    const bool inside = t.starts_with("##") && t.size() > 2 && !out.empty();
    if (!inside && !out.empty()) out += ' ';
    out += inside ? t.substr(2) : t;
  }
  return out;
}

}  // namespace weft::data
