#pragma once
#include <string>
#include <vector>

namespace weft::show {

/// One line of a plot. x may be empty: then the points lie at 1, 2, 3, ... A point that is not a number is a gap.
struct Line {
  std::string name;
  std::vector<double> y, x;
};

struct PlotOptions {
  std::string title, x_label, y_label;
  int width = 640, height = 400;  ///< pixels
  bool points = false;            ///< dots, without the lines between them
  bool diagonal = false;          ///< a dashed line from corner to corner, as under a ROC curve
};

/// Lines in a frame with rounded ticks and a legend, as an SVG image that stands alone. Throws ConfigError when a
/// line's x and y differ in length or when there is no number to draw.
std::string plot(const std::vector<Line>& lines, const PlotOptions& options = {});
/// The same, written to a file. Throws FileError when it cannot be written.
void save_plot(const std::string& path, const std::vector<Line>& lines, const PlotOptions& options = {});

/// Ticks at 1, 2 or 5 times a power of ten that cover [low, high] with about `count` steps.
std::vector<double> ticks(double low, double high, int count = 5);

}  // namespace weft::show
