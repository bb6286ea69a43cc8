#include <weft/show/plot.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include <weft/tensor/error.h>

namespace weft::show {
namespace {

// Colours that stay apart for eyes that do not tell red from green (Okabe and Ito, 2008).
constexpr const char* colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};

constexpr const char* dashes[] = {"none", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 2"};

std::string color_of(std::size_t k, bool embedded) {
  k %= std::size(colors);
  return embedded ? std::string("var(--line").append(std::to_string(k + 1)).append(")") : colors[k];
}

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}

std::string pixel(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", v);
  return text;
}

std::string escape(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void see(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

std::string text(double x, double y, const char* anchor, const std::string& words, const char* more = "") {
  return "<text x=\"" + pixel(x) + "\" y=\"" + pixel(y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
         escape(words) + "</text>\n";
}

/// The mark of line k at a point: disc, square, triangle, rhomb, in turn.
std::string mark(std::size_t k, double x, double y, const std::string& color) {
  const std::string fill = "\" fill=\"" + color + "\"/>\n";
  switch (k % 4) {
    case 1: return "<path d=\"M" + pixel(x - 3) + " " + pixel(y - 3) + "h6v6h-6z" + fill;
    case 2: return "<path d=\"M" + pixel(x) + " " + pixel(y - 4) + "l4 7h-8z" + fill;
    case 3: return "<path d=\"M" + pixel(x) + " " + pixel(y - 4.5) + "l4.5 4.5l-4.5 4.5l-4.5 -4.5z" + fill;
    default: return "<circle cx=\"" + pixel(x) + "\" cy=\"" + pixel(y) + "\" r=\"3" + fill;
  }
}

/// Throws ConfigError when the line's parts differ in length.
void check(const Line& line) {
  if (!line.x.empty() && line.x.size() != line.y.size())
    throw ConfigError("plot: line \"" + line.name + "\" has " + std::to_string(line.x.size()) + " x and " +
                      std::to_string(line.y.size()) + " y");
  if (line.low.size() != line.high.size() || (!line.low.empty() && line.low.size() != line.y.size()))
    throw ConfigError("plot: line \"" + line.name + "\" has " + std::to_string(line.y.size()) + " y and " +
                      std::to_string(line.low.size()) + " and " + std::to_string(line.high.size()) +
                      " ends of intervals");
}

/// The words around the picture's own: how it is found and read out.
std::string opening(const PlotOptions& options) {
  const std::string w = std::to_string(options.width), h = std::to_string(options.height);
  const std::string said = options.description.empty() ? options.title : options.description;
  std::string out = "<svg ";
  // Inside a page the name space is known, and the page says how wide pictures are.
  if (!options.embedded) out += "xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" ";
  out += "viewBox=\"0 0 " + w + " " + h + "\"";
  if (!said.empty()) out += " role=\"img\" aria-label=\"" + escape(said) + "\"";
  return out;
}

/// Names of the lines, from `y` on downwards at the right edge.
std::string legend(const std::vector<Line>& lines, double right, double y) {
  std::string out;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    if (lines[k].name.empty()) continue;
    const std::string color = color_of(k, false);
    out += "<path d=\"M" + pixel(right - 30) + " " + pixel(y) + "h30\" stroke=\"" + color +
           "\" stroke-width=\"2.5\" stroke-dasharray=\"" + dashes[k % std::size(dashes)] + "\"/>\n" +
           mark(k, right - 15, y, color);
    out += text(right - 36, y + 4, "end", lines[k].name, " stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\"");
    y += 17;
  }
  return out;
}

}  // namespace

std::string plot_sample(std::size_t k) {
  const std::string color = color_of(k, true);
  return "<svg class=\"sample\" width=\"34\" height=\"12\" viewBox=\"0 0 34 12\" aria-hidden=\"true\"><path d=\"M1 "
         "6h32\" "
         "stroke-width=\"2\" stroke=\"" +
         color + "\" stroke-dasharray=\"" + dashes[k % std::size(dashes)] + "\"/>" + mark(k, 17, 6, color) + "</svg>";
}

std::vector<double> ticks(double low, double high, int count) {
  if (!(std::isfinite(low) && std::isfinite(high))) throw ConfigError("ticks: the ends are not numbers");
  if (high < low) std::swap(low, high);
  if (high == low) {
    const double half = low == 0 ? 0.5 : std::abs(low) / 2;
    low -= half;
    high += half;
  }
  const double rough = (high - low) / std::max(count, 1);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double nice : {1.0, 2.0, 5.0})
    if (nice * power >= rough) {
      step = nice * power;
      break;
    }
  std::vector<double> out;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  for (double i = first; i <= last && out.size() < 1000; ++i) out.push_back(i * step);
  return out;
}

std::string plot(const std::vector<Line>& lines, const PlotOptions& options) {
  Range xs, ys;
  for (const Line& line : lines) {
    check(line);
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      const double x = line.x.empty() ? static_cast<double>(i + 1) : line.x[i];
      if (!std::isfinite(x) || !std::isfinite(line.y[i])) continue;
      xs.see(x);
      ys.see(line.y[i]);
      if (!line.low.empty()) ys.see(line.low[i]);
      if (!line.low.empty()) ys.see(line.high[i]);
    }
  }
  if (!std::isfinite(xs.low)) throw ConfigError("plot: there is no number to draw");

  const std::vector<double> x_ticks = ticks(xs.low, xs.high, 6), y_ticks = ticks(ys.low, ys.high);
  const double left = 54, right = options.width - 16.0, top = options.title.empty() ? 16 : 36;
  const double bottom = options.height - 48.0;
  const auto at_x = [&](double v) {
    return left + (v - x_ticks.front()) / (x_ticks.back() - x_ticks.front()) * (right - left);
  };
  const auto at_y = [&](double v) {
    return bottom - (v - y_ticks.front()) / (y_ticks.back() - y_ticks.front()) * (bottom - top);
  };

  const std::string ink = options.embedded ? "currentColor" : "#444",
                    line_of_grid = options.embedded ? "var(--line)" : "#e4e4e4";
  std::string out =
      opening(options) + " font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"" + ink + "\">\n";
  if (!options.title.empty()) out += "<title>" + escape(options.title) + "</title>\n";
  if (!options.embedded)
    out += "<rect width=\"" + std::to_string(options.width) + "\" height=\"" + std::to_string(options.height) +
           "\" fill=\"#fff\"/>\n";
  if (!options.title.empty())
    out += text(left, 22, "start", options.title, " font-size=\"15\" font-weight=\"600\" fill=\"#111\"");
  for (const double v : y_ticks) {
    out += "<path d=\"M" + pixel(left) + " " + pixel(at_y(v)) + "H" + pixel(right) + "\" stroke=\"" + line_of_grid +
           "\"/>\n";
    out += text(left - 8, at_y(v) + 4, "end", number(v));
  }
  for (const double v : x_ticks) {
    out += "<path d=\"M" + pixel(at_x(v)) + " " + pixel(bottom) + "v5\" stroke=\"#888\"/>\n";
    out += text(at_x(v), bottom + 19, "middle", number(v));
  }
  out += "<path d=\"M" + pixel(left) + " " + pixel(bottom) + "H" + pixel(right) + "\" stroke=\"#888\"/>\n";
  if (options.diagonal)
    out += "<path d=\"M" + pixel(left) + " " + pixel(bottom) + "L" + pixel(right) + " " + pixel(top) +
           "\" stroke=\"#888\" stroke-dasharray=\"4 4\"/>\n";
  if (!options.x_label.empty()) out += text((left + right) / 2, options.height - 10.0, "middle", options.x_label);
  if (!options.y_label.empty())
    out += text(0, 0, "middle", options.y_label,
                (" transform=\"translate(12 " + pixel((top + bottom) / 2) + ") rotate(-90)\"").c_str());

  for (std::size_t k = 0; k < lines.size(); ++k) {
    const Line& line = lines[k];
    const std::string color = color_of(k, options.embedded);
    // Few enough marks that the line is still seen.
    const std::size_t every = options.points ? 1 : std::max<std::size_t>(1, line.y.size() / 10);
    std::string path, marks, intervals;
    bool pen = false;
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      const double x = line.x.empty() ? static_cast<double>(i + 1) : line.x[i];
      if (!std::isfinite(x) || !std::isfinite(line.y[i])) {
        pen = false;
        continue;
      }
      // Side by side, so that intervals of several lines do not hide each other.
      const double at =
          at_x(x) + (line.low.empty() ? 0 : 2.0 * static_cast<double>(k) - static_cast<double>(lines.size()) + 1);
      path += pen ? 'L' : 'M';
      path += pixel(at) + ' ' + pixel(at_y(line.y[i]));
      pen = true;
      if (i % every == k % every || line.y.size() == 1) marks += mark(k, at, at_y(line.y[i]), color);
      if (!line.low.empty() && std::isfinite(line.low[i]) && std::isfinite(line.high[i]))
        intervals +=
            std::string("M").append(pixel(at)) + ' ' + pixel(at_y(line.low[i])) + 'V' + pixel(at_y(line.high[i]));
    }
    if (!intervals.empty())
      out += "<path d=\"" + intervals + "\" fill=\"none\" stroke=\"" + color + "\" opacity=\"0.6\"/>\n";
    if (!options.points)
      out += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + color + "\" stroke-width=\"2\" stroke-dasharray=\"" +
             dashes[k % std::size(dashes)] + "\"/>\n";
    out += marks;
  }
  return out + (options.embedded ? "" : legend(lines, right, top + 10)) + "</svg>\n";
}

void save_plot(const std::string& path, const std::vector<Line>& lines, const PlotOptions& options) {
  const std::string image = plot(lines, options);
  std::FILE* f = std::fopen(path.c_str(), "wb");
  if (!f) throw FileError("save_plot: " + path + " cannot be written\n  help: name a folder that exists");
  const bool written = std::fwrite(image.data(), 1, image.size(), f) == image.size();
  if (std::fclose(f) != 0 || !written) throw FileError("save_plot: " + path + " could not be written whole");
}

}  // namespace weft::show
