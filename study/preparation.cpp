#include <algorithm>

#include <nlohmann/json.hpp>

#include <weft/study/dataset.h>
#include <weft/tensor/create.h>

namespace weft::study {

Preparation Preparation::fit(const Dataset& dataset, std::span<const std::int64_t> rows) {
  Preparation p;
  p.rows.assign(rows.begin(), rows.end());
  const std::vector<std::string> all = {"*"};
  for (const Evidence& e : dataset.evidence)
    p.encoders.push_back(data::TableEncoder::fit(e.table, all, rows, e.options));
  return p;
}

data::Modalities Preparation::apply(const Dataset& dataset) const {
  if (dataset.evidence.size() != encoders.size())
    throw ConfigError(text("prepare: ", dataset.evidence.size(), " modalities, ", encoders.size(), " were learned"));
  data::Modalities x;
  const std::int64_t all = dataset.rows();
  const auto count = static_cast<std::int64_t>(encoders.size());
  x.present = empty({all, count}, DType::boolean);
  bool* present = x.present.mutable_data<bool>();
  if (std::ranges::any_of(dataset.evidence, [](const Evidence& e) { return !e.quality.numbers.empty(); }))
    x.quality = ones({all, count}, DType::float64);
  for (std::size_t m = 0; m < encoders.size(); ++m) {
    data::Encoded encoded;
    try {
      encoded = encoders[m].apply(dataset.evidence[m].table, DType::float64);
    } catch (const ConfigError& e) {
      throw ConfigError(text("modality \"", dataset.evidence[m].name, "\": ", e.what()));
    }
    x.names.push_back(dataset.evidence[m].name);
    x.features.push_back(encoded.features);
    const bool* has = encoded.present.data<bool>();
    const auto column = static_cast<std::int64_t>(m);
    for (std::int64_t i = 0; i < all; ++i) present[i * count + column] = has[i];
    const std::vector<double>& quality = dataset.evidence[m].quality.numbers;
    for (std::size_t i = 0; i < quality.size(); ++i)
      x.quality.mutable_data<double>()[static_cast<std::int64_t>(i) * count + column] = quality[i];
  }
  return x;
}

std::string Preparation::to_json() const {
  nlohmann::json out{{"rows", rows}, {"encoders", nlohmann::json::array()}};
  for (const data::TableEncoder& e : encoders) out["encoders"].push_back(e.to_json());
  return out.dump();
}

Preparation Preparation::from_json(const std::string& json) {
  const auto in = nlohmann::json::parse(json, nullptr, false);
  Preparation p;
  try {
    in.at("rows").get_to(p.rows);
    for (const std::string& item : in.at("encoders").get<std::vector<std::string>>())
      p.encoders.push_back(data::TableEncoder::from_json(item));
  } catch (const nlohmann::json::exception&) {
    throw ConfigError("prepare: the stored preparation is damaged");
  }
  return p;
}

}  // namespace weft::study
