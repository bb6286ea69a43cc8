#include <weft/data/csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <limits>
#include <unordered_set>

#include <weft/data/file.h>
#include <weft/tensor/names.h>

namespace weft::data {
namespace {

constexpr double not_read = std::numeric_limits<double>::quiet_NaN();

std::string_view trim(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool parse_number(std::string_view s, double& value, char decimal) {
  s = trim(s);
  std::string pointed;
  if (decimal != '.') {
    if (s.find('.') != s.npos) return false;  // 1.500 may be meant as 1500
    pointed = s;
    std::ranges::replace(pointed, decimal, '.');
    s = pointed;
  }
  if (s.starts_with('+')) {  // from_chars knows only the minus
    s.remove_prefix(1);
    if (s.starts_with('-')) return false;
  }
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (end != s.data() + s.size()) return false;
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say on which side: a negative exponent means too small.
    const bool tiny = s.find("e-") != s.npos || s.find("E-") != s.npos;
    value = std::copysign(tiny ? 0.0 : std::numeric_limits<double>::infinity(), s.front() == '-' ? -1.0 : 1.0);
    return true;
  }
  return error == std::errc();
}

/// Cuts text into records of fields. Fields point into the text, or into `unescaped_` where "" had to become ".
class Scanner {
 public:
  Scanner(std::string_view text, const std::string& source, const CsvOptions& options)
      : text_(text), source_(source), delimiter_(options.delimiter), quote_(options.quote) {
    for (int i = 0; i < options.skip_lines && at_ < text_.size(); ++i) {
      while (at_ < text_.size() && !is_end(text_[at_])) ++at_;
      if (at_ < text_.size()) end_line();
    }
  }

  /// The next record that is not a blank line; false at the end.
  bool next(std::vector<std::string_view>& fields) {
    fields.clear();
    while (at_ < text_.size() && is_end(text_[at_])) end_line();
    if (at_ == text_.size()) return false;
    line_ = next_line_;
    while (true) {
      fields.push_back(quote_ != '\0' && text_[at_] == quote_ ? quoted(fields.size() + 1) : plain());
      if (at_ == text_.size()) return true;
      if (is_end(text_[at_])) {
        end_line();
        return true;
      }
      ++at_;  // the delimiter; a text that ends with it has one more, empty field
      if (at_ == text_.size()) {
        fields.emplace_back();
        return true;
      }
    }
  }
  std::size_t line() const noexcept { return line_; }  ///< where the last record began

 private:
  static bool is_end(char c) noexcept { return c == '\n' || c == '\r'; }
  void end_line() noexcept {
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    ++at_;
    ++next_line_;
  }
  std::string_view plain() noexcept {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != delimiter_ && !is_end(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  std::string_view quoted(std::size_t field) {
    const std::size_t opened = next_line_;
    std::size_t begin = ++at_;
    std::string* joined = nullptr;
    while (true) {
      if (at_ == text_.size())
        throw FileError(text("csv: ", source_, ":", opened, ": the quote opened in field ", field, " is never closed"));
      if (text_[at_] == '\n') ++next_line_;
      if (text_[at_] != quote_) {
        ++at_;
        continue;
      }
      if (at_ + 1 == text_.size() || text_[at_ + 1] != quote_) break;
      if (!joined) joined = &unescaped_.emplace_back();
      joined->append(text_.substr(begin, at_ + 1 - begin));
      at_ += 2;
      begin = at_;
    }
    std::string_view value = text_.substr(begin, at_ - begin);
    if (joined) value = joined->append(value);
    ++at_;
    if (at_ < text_.size() && text_[at_] != delimiter_ && !is_end(text_[at_]))
      throw FileError(text("csv: ", source_, ":", next_line_, ": text follows the closing quote of field ", field,
                           "\n  help: double the quotes inside a quoted field"));
    return value;
  }

  std::string_view text_;
  const std::string& source_;
  char delimiter_;
  char quote_;
  std::size_t at_ = 0;
  std::size_t next_line_ = 1;
  std::size_t line_ = 0;
  std::deque<std::string> unescaped_;
};

struct Missing {
  explicit Missing(const std::vector<std::string>& words) {
    for (const std::string& word : words) words_.insert(lowered(word));
  }
  bool operator()(std::string_view field) const {
    field = trim(field);
    return field.empty() || words_.contains(lowered(field));
  }

 private:
  static std::string lowered(std::string_view s) {
    std::string out(s);
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
  }
  std::unordered_set<std::string> words_;
};

bool any_match(const std::vector<std::string>& patterns, const std::string& name) {
  for (const std::string& pattern : patterns)
    if (matches(pattern, name)) return true;
  return false;
}

/// One column of raw fields with the lines they stand on.
Column typed(std::string name, const std::vector<std::string_view>& fields, const std::vector<std::size_t>& lines,
             const std::string& source, const CsvOptions& options, const Missing& missing) {
  const bool must = any_match(options.numeric, name);
  bool numeric = must || !any_match(options.categorical, name);
  std::vector<double> numbers;
  if (numeric) numbers.reserve(fields.size());
  for (std::size_t i = 0; numeric && i < fields.size(); ++i) {
    double value = not_read;
    if (!missing(fields[i]) && !parse_number(fields[i], value, options.decimal)) {
      if (must)
        throw FileError(text("csv: ", source, ":", lines[i], ": column \"", name, "\" holds \"", fields[i],
                             "\", which is not a number"));
      numeric = false;
    }
    numbers.push_back(value);
  }
  if (numeric) return Column::of_numbers(std::move(name), std::move(numbers));
  std::vector<std::string> values(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (!missing(fields[i])) values[i] = fields[i];
  return Column::of_text(std::move(name), values);
}

std::vector<std::string> header_names(const std::vector<std::string_view>& first, bool header,
                                      const std::string& source, std::size_t line) {
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < first.size(); ++i) {
    std::string name(header ? trim(first[i]) : std::string_view());
    if (name.empty()) name = text("column_", i + 1);
    if (!seen.insert(name).second)
      throw FileError(text("csv: ", source, ":", line, ": two columns are called \"", name, "\""));
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Table parse_csv(std::string_view content, const std::string& source, const CsvOptions& options) {
  for (const char c : {'\n', '\r', '\0', options.quote})
    if (options.delimiter == c) throw ConfigError("csv: the delimiter cannot be a line end, a zero byte or the quote");
  if ((options.decimal != '.' && options.decimal != ',') || options.decimal == options.delimiter)
    throw ConfigError(
        text("csv: the decimal mark cannot be '", options.decimal, "'\n  help: choose . or , and another delimiter"));
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF"))
    throw FileError(text("csv: ", source, " is UTF-16\n  help: save it as UTF-8"));
  Scanner scanner(content, source, options);
  std::vector<std::string_view> fields;
  if (!scanner.next(fields)) throw FileError(text("csv: ", source, " is empty"));
  const std::vector<std::string> names = header_names(fields, options.header, source, scanner.line());
  for (const auto* patterns : {&options.categorical, &options.numeric})
    for (const std::string& pattern : *patterns)
      if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return matches(pattern, name); }))
        throw ConfigError(text("csv: ", source, " has no column \"", pattern, "\"", closest(pattern, names)));

  std::vector<std::vector<std::string_view>> columns(names.size());
  std::vector<std::size_t> lines;
  bool more = !options.header || scanner.next(fields);
  while (more) {
    if (fields.size() != names.size())
      throw FileError(text("csv: ", source, ":", scanner.line(), ": ", fields.size(),
                           fields.size() == 1 ? " field" : " fields", ", the ", options.header ? "header" : "first row",
                           " has ", names.size()));
    for (std::size_t i = 0; i < fields.size(); ++i) columns[i].push_back(fields[i]);
    lines.push_back(scanner.line());
    more = scanner.next(fields);
  }

  Table table;
  table.source = source;
  const Missing missing(options.missing);
  for (std::size_t i = 0; i < names.size(); ++i)
    table.columns.push_back(typed(names[i], columns[i], lines, source, options, missing));
  return table;
}

Table read_csv(const std::string& path, const CsvOptions& options) {
  return parse_csv(read_file("csv", path), path, options);
}

std::string to_csv(const Table& table, char delimiter) {
  table.check();
  std::string out;
  const auto put = [&](std::string_view field) {
    const bool quote = field.find_first_of("\"\r\n") != field.npos || field.find(delimiter) != field.npos;
    if (!quote) {
      out += field;
      return;
    }
    out += '"';
    for (const char c : field) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  };
  const auto end_row = [&](std::size_t from) {
    if (out.size() == from) out += "\"\"";  // a single missing value must not look like a blank line
    out += '\n';
  };
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (i) out += delimiter;
    put(table.columns[i].name);
  }
  end_row(0);
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::size_t from = out.size();
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      if (i) out += delimiter;
      const Column& column = table.columns[i];
      if (column.missing(row)) continue;
      const auto at = static_cast<std::size_t>(row);
      if (column.categorical) {
        put(column.levels[static_cast<std::size_t>(column.codes[at])]);
      } else {
        char digits[32];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, column.numbers[at]).ptr);
      }
    }
    end_row(from);
  }
  return out;
}

void write_csv(const std::string& path, const Table& table, char delimiter) {
  write_file("write_csv", path, to_csv(table, delimiter));
}

}  // namespace weft::data
