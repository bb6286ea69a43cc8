#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weft/data/csv.h>
#include <weft/study/config.h>

/// What the columns of an unknown table seem to be: for `weft inspect` and `weft init`. All of it is guessing by names
/// and values, and says why.
namespace weft::study {

/// The bytes of a table, unpacked where gzip packed them. Throws FileError beginning with `operation`.
std::string table_bytes(const char* operation, const std::string& path);

/// How a CSV is written, as far as its text shows.
struct CsvForm {
  DataConfig data;                 ///< separator, decimal, header, skip_lines, and missing where it must be named
  std::vector<std::string> marks;  ///< words found that stand for a missing value, beyond the reader's own
  std::vector<std::string>
      class_names;  ///< of a first line "rows,columns,class,class ...", as scikit-learn's data have
};
/// Looks at the separator (comma, semicolon, tab or bar; blanks where nothing else parts the lines), decimal commas, a
/// missing header, a line above it, and words for missing values. Never throws for what it cannot make out: reading
/// with it says what is wrong.
CsvForm csv_form(std::string_view bytes);

enum class Role : std::uint8_t {
  evidence,
  target,
  split,      ///< says train or test
  identity,   ///< another value in each row
  group,      ///< one value for rows that belong together: a patient
  site,       ///< where a row comes from
  fold,       ///< of a cross-validation
  date,       ///< dates and times
  follow_up,  ///< how long somebody was observed
  constant,   ///< one value, or none
  words,      ///< free text
  telling,    ///< says the class without an error
};
const char* name_of(Role role) noexcept;

struct ColumnFacts {
  std::string name;
  bool categorical = false, whole = false;  ///< text; numbers without a fraction
  std::int64_t rows = 0, missing = 0, distinct = 0;
  double least = 0, largest = 0, mean = 0;                      ///< of numbers
  std::vector<std::pair<std::string, std::int64_t>> commonest;  ///< values and how often, up to 8
  Role role = Role::evidence;
  std::string why;  ///< of the role
  double missing_rate() const noexcept { return rows ? static_cast<double>(missing) / static_cast<double>(rows) : 0; }
};

/// Facts about each column and the role it seems to have. `target`: a column's name; empty: it is guessed, and without
/// a column that could be one none has that role. Throws ConfigError when the table has no such column.
std::vector<ColumnFacts> columns_of(const data::Table& table, const std::string& target = {});

}  // namespace weft::study
