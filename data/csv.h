#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weft/tensor/tensor.h>

namespace weft::data {

/// A named column: either numbers with NaN where one is missing, or codes into `levels` with -1 there.
struct Column {
  std::string name;
  bool categorical = false;
  std::vector<double> numbers;      ///< filled when not categorical
  std::vector<std::int64_t> codes;  ///< filled when categorical: 0 ... levels.size() - 1, or -1
  std::vector<std::string> levels;  ///< sorted bytewise, all different

  std::int64_t size() const noexcept { return static_cast<std::int64_t>(categorical ? codes.size() : numbers.size()); }
  bool missing(std::int64_t row) const noexcept {
    const auto i = static_cast<std::size_t>(row);
    return categorical ? codes[i] < 0 : numbers[i] != numbers[i];
  }
  /// A column of text whose levels are the different values other than "" (which is missing).
  static Column of_text(std::string name, const std::vector<std::string>& values);
  static Column of_numbers(std::string name, std::vector<double> values);
};

/// Columns of equal length.
struct Table {
  std::string source;  ///< where it came from, for messages
  std::vector<Column> columns;

  std::int64_t rows() const noexcept { return columns.empty() ? 0 : columns.front().size(); }
  std::vector<std::string> names() const;
  /// Throws ConfigError naming the closest column.
  const Column& at(std::string_view name) const;
  /// Places of the columns that match any pattern (`IL_*`, `age`), in the table's order; a pattern that
  /// begins with ! takes columns away again. Throws ConfigError when a pattern matches nothing.
  std::vector<std::size_t> match(std::span<const std::string> patterns) const;
  /// The matching columns as a table. Throws as match() does.
  Table select(std::span<const std::string> patterns) const;
  /// The given rows, in that order; levels stay. Throws ConfigError for an index outside [0, rows()).
  Table take(std::span<const std::int64_t> index) const;
  /// The matching columns as a (rows, columns) float64 matrix, NaN where missing. Throws as match() does, and
  /// ConfigError for a categorical column.
  Tensor matrix(std::span<const std::string> patterns) const;
  /// Throws ShapeError when columns have different lengths, ConfigError when two share a name.
  void check() const;
};

struct CsvOptions {
  char delimiter = ',';
  char quote = '"';    ///< '\0' switches quoting off, for files in which quotes are plain letters
  bool header = true;  ///< without one, columns are named column_1, column_2, ...
  char decimal = '.';  ///< or a comma, as spreadsheets of many countries write 0,5
  int skip_lines = 0;  ///< lines at the top that are not part of the table
  /// What stands for a missing value, besides an empty field; compared without case and surrounding blanks.
  std::vector<std::string> missing = {"NA", "N/A", "NaN", "?", "null"};
  /// Patterns of columns read as text even if they hold numbers only ...
  std::vector<std::string> categorical = {};
  /// ... and of columns in which anything but a number is an error.
  std::vector<std::string> numeric = {};
};

/// Reads a table: RFC 4180 quoting (fields may hold delimiters, "" and line ends), LF or CRLF, with or
/// without a UTF-8 mark; blank lines are passed over. A column is numeric when all its values but the missing ones
/// are (decimal or scientific notation, blanks around allowed), categorical otherwise; text is kept as it is. A
/// name left empty becomes column_N. Throws FileError with file and line for a ragged row, an unterminated
/// quote, text after a closing quote, a repeated name, an empty file, UTF-16, a word in a column declared numeric;
/// ConfigError for a pattern that matches no column, or a delimiter or decimal mark that cannot be one.
Table read_csv(const std::string& path, const CsvOptions& options = {});
/// The same from memory; `source` stands for the file's name in messages.
Table parse_csv(std::string_view text, const std::string& source, const CsvOptions& options = {});

/// The table as CSV: fields quoted where needed, missing values empty, numbers in the shortest form that
/// reads back to the same bits.
std::string to_csv(const Table& table, char delimiter = ',');
/// Writes to_csv(table) to a file, all of it or nothing. Throws FileError.
void write_csv(const std::string& path, const Table& table, char delimiter = ',');

}  // namespace weft::data
