#include <weft/fusion/presence.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

namespace weft::fusion {

Expected::Expected(const char* method, const Options& o) : names(o.names), widths(o.widths) {
  if (names.size() != widths.size())
    throw ConfigError(text(method, ": ", names.size(), " names for ", widths.size(), " widths"));
  if (names.empty()) throw ConfigError(text(method, ": there is no modality\n  help: give names and widths"));
  for (std::size_t m = 0; m < names.size(); ++m) {
    if (widths[m] < 1)
      throw ConfigError(
          text(method, ": modality \"", names[m], "\" has width ", widths[m], "\n  help: choose 1 or more"));
    const auto here = names.begin() + static_cast<std::ptrdiff_t>(m);
    if (std::find(names.begin(), here, names[m]) != here)
      throw ConfigError(text(method, ": two modalities are called \"", names[m], "\""));
  }
  at_least(method, "width", o.width, 1);
}

void Expected::check(const char* method, const data::Modalities& encoded) const {
  encoded.check();
  if (encoded.names.size() != names.size())
    throw ShapeError(text(method, ": ", encoded.names.size(), " modalities, made for ", names.size()));
  for (std::size_t m = 0; m < names.size(); ++m) {
    if (encoded.names[m] != names[m])
      throw ConfigError(text(method, ": modality ", m, " is \"", encoded.names[m], "\", made for \"", names[m],
                             "\"\n  help: bring them in order with select(names)"));
    const Tensor& x = encoded.features[m];
    if (x.dim() != 2 || x.size(1) != widths[m])
      throw ShapeError(
          text(method, ": \"", names[m], "\" is ", x.shape(), ", made for [", encoded.batch(), ", ", widths[m], "]"));
  }
}

void at_least(const char* method, const char* what, std::int64_t value, std::int64_t least) {
  if (value < least) throw ConfigError(text(method, ": ", what, " is ", value, "\n  help: choose ", least, " or more"));
}

double checked_temperature(const char* method, const Options& o) {
  if (!(o.temperature > 0) || !std::isfinite(o.temperature))
    throw ConfigError(text(method, ": temperature is ", o.temperature, "\n  help: choose a number above 0"));
  return o.temperature;
}

Tensor who_has(const Tensor& present, std::size_t m) {
  const auto at = static_cast<std::int64_t>(m);
  return slice(present, 1, at, at + 1);  // (B, 1)
}

Tensor rows_or(const Tensor& x, const Tensor& who, const Tensor& otherwise) {
  // where() chooses, it does not multiply: NaN * 0 would be NaN.
  return where(who, x, otherwise.defined() ? otherwise : zeros({}, x.dtype()));
}

Tensor nothing_present(const Tensor& present) { return logical_not(any(present, 1)); }

Tensor even_weights(const Tensor& present, DType dtype) {
  const Tensor mask = to(present, dtype);
  return mask / clamp(sum(mask, 1, true), 1, std::numeric_limits<double>::infinity());
}

Tensor weigh(const Tensor& scores, const Tensor& present, double temperature) {
  return masked_softmax(expand(scores / temperature, present.shape()), present, 1);
}

Tensor shares(const Tensor& values, const Tensor& present) {
  const Tensor kept = rows_or(values, present);
  const Tensor total = sum(kept, 1, true);  // (B, 1)
  const Tensor some = gt(total, 0);
  return where(some, kept / where(some, total, ones({}, total.dtype())), even_weights(present, values.dtype()));
}

Tensor checked_quality(const char* method, const data::Modalities& encoded, DType dtype) {
  // A missing one's quality is a filler like its features.
  Tensor quality = rows_or(to(encoded.quality, dtype), encoded.present);
  if (all(logical_and(ge(quality, 0), le(quality, 1))).item() == 0)
    throw ConfigError(
        text(method, ": a quality of the data is not in [0, 1]\n  help: bring it to a scale from 0 to 1"));
  return quality;
}

Fused begin(const Tensor& present) {
  Fused fused;
  fused.present = present;
  fused.empty = nothing_present(present);
  return fused;
}

std::vector<Linear> projections(const Options& o) {
  std::vector<Linear> maps;
  for (const std::int64_t width : o.widths)
    maps.push_back(Linear({.in_features = width, .out_features = o.width, .dtype = o.dtype}));
  return maps;
}

std::vector<Tensor> project(const std::vector<Linear>& maps, const data::Modalities& encoded) {
  std::vector<Tensor> projected;
  for (std::size_t m = 0; m < maps.size(); ++m)
    projected.push_back(maps[m](rows_or(encoded.features[m], who_has(encoded.present, m))));
  return projected;
}

Tensor weighted_sum(const std::vector<Tensor>& projected, const Tensor& weights) {
  Tensor total;
  for (std::size_t m = 0; m < projected.size(); ++m) {
    const Tensor part = projected[m] * who_has(weights, m);
    total = total.defined() ? total + part : part;
  }
  return total;
}

std::vector<Linear> decision_heads(const char* method, const Options& o) {
  at_least(method, "classes", o.classes, 2);
  std::vector<Linear> heads;
  for (const std::int64_t width : o.widths)
    heads.push_back(Linear({.in_features = width, .out_features = o.classes, .dtype = o.dtype}));
  return heads;
}

std::vector<Tensor> decide_alone(const std::vector<Linear>& heads, const data::Modalities& encoded) {
  std::vector<Tensor> logits;
  for (std::size_t m = 0; m < heads.size(); ++m) {
    const Tensor who = who_has(encoded.present, m);
    logits.push_back(rows_or(heads[m](rows_or(encoded.features[m], who)), who));  // (B, C)
  }
  return logits;
}

std::vector<Tensor> absent_vectors(const Options& o) {
  std::vector<Tensor> absent;
  for (const std::int64_t width : o.widths) absent.push_back(randn({width}, 0, 0.02, o.dtype).set_requires_grad());
  return absent;
}

Tensor joint(const data::Modalities& encoded, const std::vector<Tensor>& absent) {
  std::vector<Tensor> parts;
  for (std::size_t m = 0; m < absent.size(); ++m)
    parts.push_back(rows_or(encoded.features[m], who_has(encoded.present, m), absent[m]));
  return cat(parts, 1);  // (B, width_1 + ... + width_M)
}

}  // namespace weft::fusion
