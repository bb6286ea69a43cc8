#include <weft/data/align.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <weft/tensor/create.h>

namespace weft::data {
namespace {

struct Point {
  double time, value;
};

/// Ascending, each time once. Throws where an entry makes no sense.
std::vector<Point> sorted(const Entries& e, std::size_t sample, std::size_t variable) {
  const auto where = [&] { return text("align: sample ", sample, ", variable ", variable); };
  if (e.times.size() != e.values.size())
    throw ShapeError(text(where(), ": ", e.times.size(), " times, ", e.values.size(), " values"));
  std::vector<Point> points;
  for (std::size_t i = 0; i < e.times.size(); ++i) {
    if (!std::isfinite(e.times[i]))
      throw ConfigError(
          text(where(), ": the time of entry ", i, " is ", e.times[i], "\n  help: leave out entries without a time"));
    if (std::isinf(e.values[i])) throw ConfigError(text(where(), ": the value of entry ", i, " is ", e.values[i]));
    if (!std::isnan(e.values[i])) points.push_back({e.times[i], e.values[i]});
  }
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.time < b.time; });
  std::size_t n = 0;
  for (const Point& p : points) {
    if (n > 0 && points[n - 1].time == p.time) --n;
    points[n++] = p;
  }
  points.resize(n);
  return points;
}

void check_grid(std::span<const double> grid) {
  if (grid.empty()) throw ConfigError("align: the grid has no times");
  for (std::size_t t = 0; t < grid.size(); ++t) {
    if (!std::isfinite(grid[t])) throw ConfigError(text("align: time ", t, " of the grid is ", grid[t]));
    if (t > 0 && grid[t] <= grid[t - 1])
      throw ConfigError(text("align: the grid does not ascend: time ", t, " is ", grid[t], " after ", grid[t - 1]));
  }
}

}  // namespace

Aligned align(std::span<const std::vector<Entries>> samples, std::span<const double> grid, const AlignOptions& o) {
  check_grid(grid);
  if (!(o.max_age >= 0)) throw ConfigError(text("align: max_age is ", o.max_age, "\n  help: choose 0 or more"));
  const std::size_t variables = samples.empty() ? 0 : samples.front().size();
  const Shape shape{static_cast<std::int64_t>(samples.size()), static_cast<std::int64_t>(variables),
                    static_cast<std::int64_t>(grid.size())};
  Aligned out{zeros(shape), zeros(shape, DType::boolean), zeros(shape)};
  float *value = out.values.mutable_data<float>(), *since = out.since.mutable_data<float>();
  bool* measured = out.mask.mutable_data<bool>();
  for (std::size_t b = 0; b < samples.size(); ++b) {
    if (samples[b].size() != variables)
      throw ShapeError(text("align: sample ", b, " has ", samples[b].size(), " variables, sample 0 has ", variables,
                            "\n  help: give empty entries for what a sample lacks"));
    for (std::size_t v = 0; v < variables; ++v) {
      const std::vector<Point> points = sorted(samples[b][v], b, v);
      std::size_t before = 0;  // how many entries lie at or before the step
      for (const double now : grid) {
        while (before < points.size() && points[before].time <= now) ++before;
        const double age = now - (before == 0 ? grid.front() : points[before - 1].time);
        *since++ = static_cast<float>(age);
        if (before > 0 && age <= o.max_age) {
          const Point& last = points[before - 1];
          double y = last.value;
          if (o.method == AlignMethod::linear && before < points.size()) {
            const Point& next = points[before];
            y = std::lerp(last.value, next.value, age / (next.time - last.time));
          }
          *value = static_cast<float>(y);
          *measured = true;
        }
        ++value, ++measured;
      }
    }
  }
  return out;
}

Tensor Aligned::channels() const {
  const std::int64_t batch = values.size(0), block = values.size(1) * values.size(2);
  Tensor all = empty({batch, 3 * values.size(1), values.size(2)});
  float* to = all.mutable_data<float>();
  const std::vector<float> parts[] = {to_vector<float>(values), to_vector<float>(mask), to_vector<float>(since)};
  for (std::int64_t b = 0; b < batch; ++b)
    for (const std::vector<float>& part : parts) to = std::copy_n(part.data() + b * block, block, to);
  return all;
}

std::vector<double> time_grid(double begin, double rate, std::int64_t steps) {
  if (!std::isfinite(begin) || !(rate > 0) || std::isinf(rate) || steps < 1)
    throw ConfigError(text("time_grid: begin ", begin, ", rate ", rate, ", steps ", steps,
                           "\n  help: choose a finite begin, and a rate and steps above 0"));
  std::vector<double> grid(static_cast<std::size_t>(steps));
  for (std::size_t t = 0; t < grid.size(); ++t) grid[t] = begin + static_cast<double>(t) / rate;
  return grid;
}

}  // namespace weft::data
