#include <weft/show/terminal.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <weft/tensor/error.h>

namespace weft::show {

Style Style::of(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  Style style;
  style.terminal = isatty(fileno(stream)) && term && std::strcmp(term, "dumb") != 0;
  style.color = style.terminal && !(no_color && *no_color);
  if (winsize size = {}; isatty(fileno(stream)) && ::ioctl(fileno(stream), TIOCGWINSZ, &size) == 0)
    style.columns = size.ws_col;
  return style;
}

std::size_t display_width(const std::string& s) {
  // Bytes 10xxxxxx continue a letter.
  return static_cast<std::size_t>(
      std::ranges::count_if(s, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string TextTable::str(const Style& style) const {
  std::vector<std::size_t> width;
  const auto widen = [&](const std::vector<std::string>& cells) {
    width.resize(std::max(width.size(), cells.size()), 0);
    for (std::size_t j = 0; j < cells.size(); ++j) width[j] = std::max(width[j], display_width(cells[j]));
  };
  widen(header_);
  for (const Row& row : rows_) widen(row.cells);
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t j = 0; j < cells.size(); ++j) {
      const std::string fill(width[j] - display_width(cells[j]), ' ');
      out += j == 0 ? cells[j] + fill : "  " + fill + cells[j];
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
  };
  std::size_t total = 0;
  for (const std::size_t w : width) total += w + 2;
  if (style.columns > 0) total = std::min(total, style.columns + 2);
  std::string rule;
  for (std::size_t i = 2; i < total; ++i) rule += "─";
  std::string out = style.bold(line(header_)) + '\n' + style.dim(rule) + '\n';
  for (const Row& row : rows_)
    out += (row.rule ? style.dim(rule) : row.strong ? style.bold(line(row.cells)) : line(row.cells)) + '\n';
  return out;
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(std::lround(std::max(0.0, seconds)));
  char buffer[64];
  if (s < 60)
    std::snprintf(buffer, sizeof buffer, "%ld s", s);
  else if (s < 3600)
    std::snprintf(buffer, sizeof buffer, "%ld min %ld s", s / 60, s % 60);
  else
    std::snprintf(buffer, sizeof buffer, "%ld h %ld min", s / 3600, s / 60 % 60);
  return buffer;
}

Progress::Progress(std::FILE* stream, bool quiet) : stream_(stream), style_(Style::of(stream)), quiet_(quiet) {}

void Progress::update(std::int64_t done, std::int64_t total, const std::string& what) {
  if (quiet_ || total <= 0) return;
  const auto now = Clock::now();
  if (!started_) {
    started_ = true;
    // What a resumed run finds done already says nothing about speed.
    first_ = std::max<std::int64_t>(0, done - 1);
    start_ = now;
  }
  const auto seconds = std::chrono::duration<double>(now - start_).count();
  const std::int64_t since = done - first_;
  const std::string left =
      since > 1 ? ", about " + duration(seconds / static_cast<double>(since - 1) * static_cast<double>(total - done)) +
                      " left"
                : "";
  if (style_.terminal) {
    if (done < total && drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    // A line that wraps cannot be drawn over: a narrow terminal gets a shorter bar, and less beside it.
    const std::int64_t columns = style_.columns > 0 ? static_cast<std::int64_t>(style_.columns) : 80;
    const std::int64_t cells = std::clamp<std::int64_t>(columns / 3, 4, 24);
    const std::int64_t full = done * cells / total;
    std::string line;
    for (std::int64_t i = 0; i < cells; ++i) line += i < full ? "━" : "┄";
    line += text(' ', done, '/', total);
    for (const std::string& part : {left.substr(std::min<std::size_t>(left.size(), 1)), text(' ', what)})
      if (display_width(line + part) < static_cast<std::size_t>(columns)) line += part;
    std::fprintf(stream_, "\r\033[K%s", line.c_str());
  } else {
    const std::int64_t tenth = done * 10 / total;
    if (tenth == last_tenth_) return;
    last_tenth_ = tenth;
    std::fprintf(stream_, "%lld/%lld %s%s\n", static_cast<long long>(done), static_cast<long long>(total), what.c_str(),
                 done < total ? left.c_str() : "");
  }
  std::fflush(stream_);
}

void Progress::finish() {
  if (drawn_) std::fputs("\r\033[K", stream_);
  drawn_ = false;
  std::fflush(stream_);
}

}  // namespace weft::show
