#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

/// What programs print while they work. Colours and redrawn lines appear on a terminal only; NO_COLOR switches the
/// colours off (no-color.org).
namespace weft::show {

struct Style {
  bool terminal = false;  ///< lines may be redrawn
  bool color = false;
  std::size_t columns = 0;  ///< of the terminal; 0: not one, or it does not say
  /// Looks at the stream, NO_COLOR and TERM.
  static Style of(std::FILE* stream);
  std::string bold(const std::string& s) const { return color ? "\033[1m" + s + "\033[0m" : s; }
  std::string dim(const std::string& s) const { return color ? "\033[2m" + s + "\033[0m" : s; }
  std::string red(const std::string& s) const { return color ? "\033[31m" + s + "\033[0m" : s; }
};

/// Columns a terminal needs for UTF-8 text of single-width letters.
std::size_t display_width(const std::string& s);

/// Rows of cells, printed with aligned columns: the first to the left, the others to the right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  void row(std::vector<std::string> cells, bool strong = false) { rows_.push_back({std::move(cells), strong, false}); }
  void rule() { rows_.push_back({{}, false, true}); }
  std::string str(const Style& style = {}) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    bool strong;
    bool rule;
  };
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

/// "0.905", or a dash for what is not a number.
std::string fixed(double value, int digits = 3);
/// "41 s", "3 min 20 s", "2 h 5 min".
std::string duration(double seconds);

/// A bar with the remaining time on a terminal; elsewhere a plain line at every tenth part.
class Progress {
 public:
  Progress(std::FILE* stream, bool quiet);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total`; `what` is shown beside the bar. Remaining time counts from the first call.
  void update(std::int64_t done, std::int64_t total, const std::string& what);
  /// Clears the bar, so that other lines can follow.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::FILE* stream_;
  Style style_;
  bool quiet_, drawn_ = false, started_ = false;
  std::int64_t first_ = 0, last_tenth_ = 0;
  Clock::time_point start_, last_;
};

}  // namespace weft::show
