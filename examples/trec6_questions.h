#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <weft/data/csv.h>

/// Questions with what is asked for: ABBR, DESC, ENTY, HUM, LOC or NUM. Li and Roth (2002).
struct Questions {
  std::vector<std::string> texts;
  std::vector<std::int64_t> kinds;  // 0 ... 5
};

/// Of a file with a line "number<tab>KIND:fine<tab>question" for each.
inline Questions read(const std::string& path) {
  const weft::data::Table table =
      weft::data::read_csv(path, {.delimiter = '\t', .quote = '\0', .header = false, .missing = {}});
  const weft::data::Column &kind = table.columns.at(0), &text = table.columns.at(2);
  Questions q;
  for (std::int64_t i = 0; i < table.rows(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    q.kinds.push_back(static_cast<std::int64_t>(kind.numbers[row]));
    q.texts.push_back(text.levels[static_cast<std::size_t>(text.codes[row])]);
  }
  return q;
}

/// Some of them.
inline Questions pick(const Questions& all, const std::vector<std::int64_t>& rows) {
  Questions q;
  for (const std::int64_t i : rows) {
    q.texts.push_back(all.texts[static_cast<std::size_t>(i)]);
    q.kinds.push_back(all.kinds[static_cast<std::size_t>(i)]);
  }
  return q;
}
