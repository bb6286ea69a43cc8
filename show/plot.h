#pragma once
#include <string>
#include <vector>

namespace weft::show {

/// One line of a plot. x may be empty: then the points lie at 1, 2, 3, ... A point that is not a number is a gap.
struct Line {
  std::string name;
  std::vector<double> y, x;
  std::vector<double> low = {}, high = {};  ///< ends of an interval at each point; empty: none
};

struct PlotOptions {
  std::string title, x_label, y_label;
  int width = 640, height = 400;  ///< pixels
  bool points = false;            ///< dots, without the lines between them
  bool diagonal = false;          ///< a dashed line from corner to corner, as under a ROC curve
  /// What the picture shows, for those who cannot see it: its text alternative.
  std::string description;
  /// For a page of HTML that has the styles: colours are its variables --line1 ... --line7, words take its colour,
  /// there is no ground and no legend (the page has plot_sample()).
  bool embedded = false;
};

/// Lines in a frame with rounded ticks and a legend, as an SVG image that stands alone. Lines differ in dashes and
/// marks too, for those who do not tell colours apart. Throws ConfigError when a line's x, y and intervals differ in
/// length or when there is no number to draw.
std::string plot(const std::vector<Line>& lines, const PlotOptions& options = {});
/// The same, written to a file. Throws FileError when it cannot be written.
void save_plot(const std::string& path, const std::vector<Line>& lines, const PlotOptions& options = {});

/// The sample of line `k` (from 0) of an embedded plot for a legend in HTML: a small image of its dash and mark.
std::string plot_sample(std::size_t k);

/// Ticks at 1, 2 or 5 times a power of ten that cover [low, high] with about `count` steps.
std::vector<double> ticks(double low, double high, int count = 5);

}  // namespace weft::show
