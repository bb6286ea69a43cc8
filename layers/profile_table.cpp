#include <algorithm>
#include <cstdio>
#include <map>

#include <weft/layers/profile.h>

/// The tables of a profile as text.
namespace weft {
namespace {

std::string number(double value, int digits = 1) {
  char s[40];
  std::snprintf(s, sizeof s, "%.*f", digits, value);
  return s;
}

/// Cells in columns: the first two to the left, the others to the right.
class Columns {
 public:
  explicit Columns(std::vector<std::string> header) { row(std::move(header)); }
  void row(std::vector<std::string> cells) {
    width_.resize(std::max(width_.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i) width_[i] = std::max(width_[i], cells[i].size());
    rows_.push_back(std::move(cells));
  }
  std::string str() const {
    std::string all;
    for (const auto& cells : rows_) {
      std::string line;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string gap(width_[i] - cells[i].size(), ' ');
        line += (i ? "  " : "") + (i < 2 ? cells[i] + gap : gap + cells[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      all += line + '\n';
    }
    return all;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> width_;
};

std::vector<std::string> cells(const ProfileEntry& e, const std::string& what) {
  return {what,
          name(e.phase),
          std::to_string(e.count),
          number(e.seconds * 1e3, 3),
          number(e.self_seconds * 1e3, 3),
          number(e.share * 100),
          number(e.bytes_read * 1e-6, 2),
          number(e.bytes_written * 1e-6, 2),
          number(e.flops * 1e-6, 2),
          number(e.gflops()),
          number(e.gbps())};
}
std::vector<std::string> header(const char* what) {
  return {what, "phase", "count", "ms", "self ms", "share %", "read MB", "written MB", "MFLOP", "GFLOP/s", "GB/s"};
}

}  // namespace

std::string Profile::table() const {
  const double all = seconds();
  double inside = 0;
  Columns by_operation(header("operation"));
  for (const ProfileEntry& e : operations()) {
    inside += e.share;
    by_operation.row(cells(e, e.operation));
  }
  by_operation.row({"(outside of operations)", "", "", number(all * std::max(0.0, 1 - inside) * 1e3, 3), "",
                    number(std::max(0.0, 1 - inside) * 100)});
  std::string text = by_operation.str();
  Columns by_module(header("module"));
  bool any = false;
  for (const ProfileEntry& e : modules()) {
    any |= !e.path.empty();
    by_module.row(cells(e, e.path.empty() ? "(none)" : e.path));
  }
  if (any) text += '\n' + by_module.str();
  return text;
}

}  // namespace weft
