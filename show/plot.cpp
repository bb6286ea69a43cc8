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

}  // namespace

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
    if (!line.x.empty() && line.x.size() != line.y.size())
      throw ConfigError("plot: line \"" + line.name + "\" has " + std::to_string(line.x.size()) + " x and " +
                        std::to_string(line.y.size()) + " y");
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      const double x = line.x.empty() ? static_cast<double>(i + 1) : line.x[i];
      if (!std::isfinite(x) || !std::isfinite(line.y[i])) continue;
      xs.see(x);
      ys.see(line.y[i]);
    }
  }
  if (!std::isfinite(xs.low)) throw ConfigError("plot: there is no number to draw");

  const std::vector<double> x_ticks = ticks(xs.low, xs.high, 6), y_ticks = ticks(ys.low, ys.high);
  const double left = 64, right = options.width - 16.0, top = options.title.empty() ? 16 : 36;
  const double bottom = options.height - 48.0;
  const auto at_x = [&](double v) {
    return left + (v - x_ticks.front()) / (x_ticks.back() - x_ticks.front()) * (right - left);
  };
  const auto at_y = [&](double v) {
    return bottom - (v - y_ticks.front()) / (y_ticks.back() - y_ticks.front()) * (bottom - top);
  };

  const std::string w = std::to_string(options.width), h = std::to_string(options.height);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h +
                    "\" viewBox=\"0 0 " + w + " " + h +
                    "\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#444\">\n";
  if (!options.title.empty()) out += "<title>" + escape(options.title) + "</title>\n";
  out += "<rect width=\"" + w + "\" height=\"" + h + "\" fill=\"#fff\"/>\n";
  if (!options.title.empty())
    out += text(left, 22, "start", options.title, " font-size=\"15\" font-weight=\"600\" fill=\"#111\"");
  for (const double v : y_ticks) {
    out += "<path d=\"M" + pixel(left) + " " + pixel(at_y(v)) + "H" + pixel(right) + "\" stroke=\"#e4e4e4\"/>\n";
    out += text(left - 8, at_y(v) + 4, "end", number(v));
  }
  for (const double v : x_ticks) {
    out += "<path d=\"M" + pixel(at_x(v)) + " " + pixel(bottom) + "v5\" stroke=\"#888\"/>\n";
    out += text(at_x(v), bottom + 19, "middle", number(v));
  }
  out += "<path d=\"M" + pixel(left) + " " + pixel(bottom) + "H" + pixel(right) + "\" stroke=\"#888\"/>\n";
  if (options.diagonal)
    out += "<path d=\"M" + pixel(left) + " " + pixel(bottom) + "L" + pixel(right) + " " + pixel(top) +
           "\" stroke=\"#999\" stroke-dasharray=\"4 4\"/>\n";
  if (!options.x_label.empty()) out += text((left + right) / 2, options.height - 10.0, "middle", options.x_label);
  if (!options.y_label.empty())
    out += text(0, 0, "middle", options.y_label,
                (" transform=\"translate(16 " + pixel((top + bottom) / 2) + ") rotate(-90)\"").c_str());

  for (std::size_t k = 0; k < lines.size(); ++k) {
    const Line& line = lines[k];
    const char* color = colors[k % std::size(colors)];
    std::string path, dots;
    bool pen = false;
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      const double x = line.x.empty() ? static_cast<double>(i + 1) : line.x[i];
      if (!std::isfinite(x) || !std::isfinite(line.y[i])) {
        pen = false;
        continue;
      }
      const std::string px = pixel(at_x(x)), py = pixel(at_y(line.y[i]));
      path += (pen ? "L" : "M") + px + " " + py;
      pen = true;
      if (options.points || line.y.size() == 1)
        dots += "<circle cx=\"" + px + "\" cy=\"" + py + "\" r=\"2.5\" fill=\"" + color + "\"/>\n";
    }
    if (!options.points)
      out += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + color + "\" stroke-width=\"2\"/>\n";
    out += dots;
  }
  double legend = top + 10;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    if (lines[k].name.empty()) continue;
    out += "<path d=\"M" + pixel(right - 12) + " " + pixel(legend) + "h12\" stroke=\"" + colors[k % std::size(colors)] +
           "\" stroke-width=\"3\"/>\n";
    out += text(right - 18, legend + 4, "end", lines[k].name,
                " stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\"");
    legend += 17;
  }
  return out + "</svg>\n";
}

void save_plot(const std::string& path, const std::vector<Line>& lines, const PlotOptions& options) {
  const std::string image = plot(lines, options);
  std::FILE* f = std::fopen(path.c_str(), "wb");
  if (!f) throw FileError("save_plot: " + path + " cannot be written\n  help: name a folder that exists");
  const bool written = std::fwrite(image.data(), 1, image.size(), f) == image.size();
  if (std::fclose(f) != 0 || !written) throw FileError("save_plot: " + path + " could not be written whole");
}

}  // namespace weft::show
