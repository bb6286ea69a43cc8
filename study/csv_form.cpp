#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <weft/data/csv.h>
#include <weft/data/file.h>
#include <weft/data/gzip.h>
#include <weft/study/columns.h>

namespace weft::study {
namespace {

using Strings = std::vector<std::string>;

std::string_view trim(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t' || s.front() == '"')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '"' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

bool is_number(std::string_view s) {
  s = trim(s);
  double value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  return !s.empty() && error == std::errc() && end == s.data() + s.size();
}

bool is_whole(std::string_view s) { return is_number(s) && s.find_first_not_of("0123456789") == s.npos; }

/// The first lines that are not blank, as far as they are whole; what is within quotes stays on its line.
std::vector<std::string_view> first_lines(std::string_view bytes, std::size_t most) {
  std::vector<std::string_view> lines;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= bytes.size() && lines.size() < most; ++i) {
    if (i < bytes.size() && bytes[i] == '"') quoted = !quoted;
    if (i < bytes.size() && (bytes[i] != '\n' || quoted)) continue;
    std::string_view line = bytes.substr(begin, i - begin);
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
    begin = i + 1;
  }
  return lines;
}

std::vector<std::string_view> cut(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"') quoted = !quoted;
    if (i < line.size() && (line[i] != separator || quoted)) continue;
    fields.push_back(line.substr(begin, i - begin));
    begin = i + 1;
  }
  return fields;
}

/// How many fields most lines have, and the share of lines that have so many.
std::pair<std::size_t, double> usual_width(const std::vector<std::string_view>& lines, char separator) {
  std::map<std::size_t, std::size_t> counts;
  for (const std::string_view line : lines) ++counts[cut(line, separator).size()];
  const auto best = std::ranges::max_element(counts, {}, [](const auto& each) { return each.second; });
  return {best->first, static_cast<double>(best->second) / static_cast<double>(lines.size())};
}

char separator_of(const std::vector<std::string_view>& lines) {
  for (const bool blanks : {false, true}) {  // blanks part words of other files, too
    char chosen = ',';
    double best = 0;
    for (const char c : blanks ? std::string_view(" ") : std::string_view(",;\t|")) {
      const auto [width, share] = usual_width(lines, c);
      // Decimal commas part lines as well, but not all into as many fields.
      const double score = width > 1 ? share + 1e-6 * static_cast<double>(width) : 0;
      if (score > best) {
        best = score;
        chosen = c;
      }
    }
    // One column, or a separator that fits most lines.
    if (best > 0.5) return chosen;
  }
  return ',';
}

/// 3,5 in some field and 3.5 in none.
bool decimal_commas(const std::vector<std::string_view>& lines, char separator) {
  if (separator == ',') return false;
  std::size_t commas = 0;
  for (const std::string_view line : lines)
    for (const std::string_view raw : cut(line, separator)) {
      const std::string_view field = trim(raw);
      const std::size_t comma = field.find(',');
      if (comma == field.npos) {
        if (field.find('.') != field.npos && is_number(field)) return false;
        continue;
      }
      std::string pointed(field);
      pointed[comma] = '.';
      commas += is_number(pointed);
    }
  return commas > 0;
}

/// "150,4,setosa,versicolor,virginica": rows, columns but the last, names of classes.
bool counts_line(const std::vector<std::string_view>& fields, std::size_t width, std::size_t lines_below) {
  return fields.size() >= 2 && is_whole(fields[0]) && is_whole(fields[1]) &&
         (fields[0] == std::to_string(lines_below) || fields[0] == std::to_string(lines_below - 1)) &&
         fields[1] == std::to_string(width - 1);
}

/// A header names columns: numbers are no names.
bool is_header(const std::vector<std::string_view>& fields) {
  return std::ranges::none_of(fields, [](std::string_view f) { return is_number(f); });
}

const Strings& known_marks() {
  static const Strings marks = {"-",       "--",           "---",           ".",    "..",  "none",
                                "unknown", "missing",      "n.a.",          "#N/A", "#NA", "nd",
                                "n.d.",    "not measured", "not available", "NULL", "nil", "*"};
  return marks;
}

std::string lowered(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Words in columns of numbers that stand for a gap, and numbers no measurement gives: -99 where all others are 0 or
/// more.
Strings marks_of(std::string_view bytes, const DataConfig& form) {
  data::CsvOptions options;
  options.delimiter = form.separator;
  options.decimal = form.decimal;
  options.header = form.header;
  options.skip_lines = static_cast<int>(form.skip_lines);
  data::Table table;
  try {
    table = data::parse_csv(bytes, "", options);
  } catch (const Error&) {
    return {};
  }
  std::set<std::string> found, words_elsewhere;
  for (const data::Column& column : table.columns) {
    if (!column.categorical) {
      for (const double code : {-9.0, -99.0, -999.0, -9999.0}) {
        const auto coded = std::ranges::count(column.numbers, code);
        const bool others = std::ranges::all_of(column.numbers, [&](double v) { return v == code || !(v < 0); });
        if (coded >= 2 && others) found.insert(std::to_string(static_cast<int>(code)));
      }
      continue;
    }
    Strings words;
    std::size_t numbers = 0;
    for (const std::string& level : column.levels) {
      std::string pointed = level;
      if (form.decimal == ',') std::ranges::replace(pointed, ',', '.');
      if (is_number(pointed))
        ++numbers;
      else
        words.push_back(lowered(trim(level)));
    }
    const bool marks = std::ranges::all_of(words, [](const std::string& w) {
      return std::ranges::any_of(known_marks(), [&](const std::string& mark) { return lowered(mark) == w; });
    });
    (marks && numbers > words.size() ? found : words_elsewhere).insert(words.begin(), words.end());
  }
  Strings out;
  for (const std::string& word : found)
    if (!words_elsewhere.contains(word)) out.push_back(word);
  return out;
}

}  // namespace

std::string table_bytes(const char* operation, const std::string& path) {
  std::string bytes = data::read_file(operation, path);
  if (!data::detail::is_gzip(bytes)) return bytes;
  constexpr std::size_t most = std::size_t{4} << 30;
  bytes = data::detail::gunzip(operation, path, bytes, most);
  if (bytes.size() > most) throw FileError(text(operation, ": ", path, " unpacks to more than ", most, " bytes"));
  return bytes;
}

CsvForm csv_form(std::string_view bytes) {
  CsvForm form;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::vector<std::string_view> lines = first_lines(bytes, 100);
  if (lines.empty()) return form;
  DataConfig& data = form.data;
  data.separator = separator_of(lines);
  data.decimal = decimal_commas(lines, data.separator) ? ',' : '.';

  const std::size_t width = usual_width(lines, data.separator).first;
  const auto lines_below = static_cast<std::size_t>(std::ranges::count(bytes, '\n')) - (bytes.ends_with('\n') ? 1 : 0);
  std::size_t first = 0;
  const std::vector<std::string_view> top = cut(lines[0], data.separator);
  if (counts_line(top, width, lines_below)) {
    for (std::size_t i = 2; i < top.size(); ++i)
      if (!trim(top[i]).empty()) form.class_names.emplace_back(trim(top[i]));
    first = 1;
  } else {
    while (first + 1 < lines.size() && first < 10 && cut(lines[first], data.separator).size() != width) ++first;
  }
  // Lines of the file, blank ones included.
  if (first > 0 && first < lines.size())
    data.skip_lines = std::count(bytes.begin(), bytes.begin() + (lines[first].data() - bytes.data()), '\n');
  data.header = first < lines.size() && is_header(cut(lines[first], data.separator));
  form.marks = marks_of(bytes, data);
  if (!form.marks.empty()) {
    data.missing = data::CsvOptions().missing;
    data.missing.insert(data.missing.end(), form.marks.begin(), form.marks.end());
  }
  return form;
}

}  // namespace weft::study
