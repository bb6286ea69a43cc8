#include <weft/data/tags.h>

#include <algorithm>

namespace weft::data {
namespace {

double share(std::int64_t part, std::int64_t whole) noexcept {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

std::vector<Span> bio_spans(std::span<const std::string> tags, bool strict) {
  std::vector<Span> spans;
  bool open = false;  // whether the last span goes on
  for (std::int64_t i = 0; i < std::ssize(tags); ++i) {
    const std::string& tag = tags[static_cast<std::size_t>(i)];
    if (tag == "O") {
      open = false;
      continue;
    }
    const bool begins = tag.starts_with("B-");
    if (tag.size() < 3 || (!begins && !tag.starts_with("I-")))
      throw ConfigError(text("bio_spans: tag ", i, " is \"", tag, "\"\n  help: use O, B-type and I-type"));
    const std::string type = tag.substr(2);
    if (!begins && open && spans.back().type == type) {
      spans.back().last = i + 1;
    } else if (begins || !strict) {
      spans.push_back({type, i, i + 1});
      open = true;
    } else {
      open = false;
    }
  }
  return spans;
}

std::vector<std::string> bio_tags(std::span<const Span> spans, std::int64_t n) {
  std::vector<std::string> tags(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)), "O");
  for (const Span& s : spans) {
    if (s.first < 0 || s.last <= s.first || s.last > n)
      throw ConfigError(text("bio_tags: words ", s.first, " to ", s.last, " of ", n));
    for (std::int64_t i = s.first; i < s.last; ++i) {
      std::string& tag = tags[static_cast<std::size_t>(i)];
      if (tag != "O") throw ConfigError(text("bio_tags: word ", i, " is in two terms"));
      tag = (i == s.first ? "B-" : "I-") + s.type;
    }
  }
  return tags;
}

double SpanScore::precision() const noexcept { return share(both, predicted); }
double SpanScore::recall() const noexcept { return share(both, truth); }
double SpanScore::f1() const noexcept { return share(2 * both, truth + predicted); }

SpanScores span_scores(std::span<const std::vector<Span>> truth, std::span<const std::vector<Span>> predicted) {
  if (truth.size() != predicted.size())
    throw ShapeError(text("span_scores: ", truth.size(), " texts have true spans, ", predicted.size(), " predicted"));
  SpanScores s;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    for (const Span& t : truth[i]) {
      const bool found = std::find(predicted[i].begin(), predicted[i].end(), t) != predicted[i].end();
      SpanScore& of_type = s.types[t.type];
      ++of_type.truth;
      of_type.both += found;
    }
    for (const Span& p : predicted[i]) ++s.types[p.type].predicted;
  }
  for (const auto& [type, one] : s.types) {
    s.all.truth += one.truth;
    s.all.predicted += one.predicted;
    s.all.both += one.both;
  }
  return s;
}

std::vector<std::int64_t> token_labels(const Encoding& e, std::span<const std::int64_t> labels) {
  std::vector<std::int64_t> out(e.ids.size(), -100);
  std::int64_t before = -1;
  for (std::size_t i = 0; i < e.ids.size(); ++i) {
    const std::int64_t word = e.words[i];
    if (word < 0 || word == before) continue;
    before = word;
    if (word >= std::ssize(labels))
      throw ShapeError(text("token_labels: ", labels.size(), " labels, a token is of word ", word));
    out[i] = labels[static_cast<std::size_t>(word)];
  }
  return out;
}

std::vector<std::int64_t> word_labels(const Encoding& e, std::span<const std::int64_t> labels, std::int64_t n,
                                      std::int64_t missing) {
  if (labels.size() < e.ids.size())
    throw ShapeError(text("word_labels: ", labels.size(), " labels for ", e.ids.size(), " tokens"));
  std::vector<std::int64_t> out(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)), missing);
  std::int64_t before = -1;
  for (std::size_t i = 0; i < e.ids.size(); ++i) {
    const std::int64_t word = e.words[i];
    if (word < 0 || word == before) continue;
    before = word;
    if (word < n) out[static_cast<std::size_t>(word)] = labels[i];
  }
  return out;
}

}  // namespace weft::data
