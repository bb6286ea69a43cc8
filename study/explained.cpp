#include <weft/study/explained.h>

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include <weft/tensor/error.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;

/// Numbers that are not (JSON has none such) count as 0 where they are drawn.
double number_from(const Json& in) { return in.is_null() ? 0 : in.get<double>(); }

std::vector<double> numbers(const Json& in, std::size_t count) {
  std::vector<double> out;
  for (const Json& v : in) out.push_back(number_from(v));
  if (out.size() != count) throw std::out_of_range("a list is of another length");
  return out;
}
std::vector<double> numbers_or_none(const Json& in, std::size_t count) {
  return in.is_null() ? std::vector<double>() : numbers(in, count);
}
std::vector<bool> flags(const Json& in, std::size_t count) {
  auto out = in.get<std::vector<bool>>();
  if (out.size() != count) throw std::out_of_range("a list is of another length");
  return out;
}

class Reader {
 public:
  explicit Reader(const Json& in) {
    in.at("version").get_to(out_.version);
    in.at("study").get_to(out_.study);
    in.at("fusion").get_to(out_.fusion);
    in.at("seed").get_to(out_.seed);
    in.at("level").get_to(out_.level);
    in.at("modalities").get_to(out_.modalities);
    in.at("classes").get_to(out_.classes);
    for (const Json& p : in.at("patients")) out_.patients.push_back(patient(p));
    for (const Json& g : in.at("groups")) out_.groups.push_back(group(g));
    if (const Json& a = in.at("agreement"); !a.is_null())
      out_.agreement = {number_from(a.at("spearman")), number_from(a.at("low")), number_from(a.at("high"))};
  }
  Explained take() { return std::move(out_); }

 private:
  std::int64_t label(const Json& in) const {
    const auto c = in.get<std::int64_t>();
    if (c < 0 || c >= static_cast<std::int64_t>(out_.classes.size())) throw std::out_of_range("a class");
    return c;
  }
  std::size_t modality(const std::string& name) const {
    const auto it = std::ranges::find(out_.modalities, name);
    if (it == out_.modalities.end()) throw std::out_of_range(name);
    return static_cast<std::size_t>(it - out_.modalities.begin());
  }

  Patient patient(const Json& in) const {
    const std::size_t m = out_.modalities.size();
    Patient p;
    in.at("row").get_to(p.row);
    in.at("id").get_to(p.id);
    if (!in.at("label").is_null()) p.label = label(in["label"]);
    p.prediction = label(in.at("prediction"));
    p.probabilities = numbers(in.at("probabilities"), out_.classes.size());
    if (const Json& set = in.at("set"); !set.is_null()) {
      p.set.emplace();
      for (const Json& c : set) p.set->push_back(label(c));
    }
    p.present = flags(in.at("present"), m);
    p.generated = flags(in.at("generated"), m);
    p.weights = numbers_or_none(in.at("weights"), m);
    p.shapley = numbers(in.at("shapley"), m);
    p.base = number_from(in.at("base"));
    p.drop_one = numbers(in.at("drop_one"), m);
    for (const Json& n : in.at("nearest"))
      p.nearest.push_back({n.at("row").get<std::int64_t>(), n.at("id").get<std::string>(), label(n.at("label")),
                           number_from(n.at("distance"))});
    for (const auto& [name, list] : in.at("features").items())
      for (const Json& f : list)
        p.features.push_back(
            {modality(name),
             {f.at("name").get<std::string>(), number_from(f.at("value")), number_from(f.at("attribution"))}});
    if (const Json& c = in.at("counterfactual"); !c.is_null()) {
      p.counterfactual = {modality(c.at("modality").get<std::string>()), {}, label(c.at("becomes"))};
      for (const Json& v : c.at("changes"))
        p.counterfactual->changes.push_back(
            {v.at("name").get<std::string>(), number_from(v.at("from")), number_from(v.at("to"))});
    }
    return p;
  }

  PatientGroup group(const Json& in) const {
    const std::size_t m = out_.modalities.size();
    return {in.at("by").get<std::string>(),       in.at("value").get<std::string>(), in.at("n").get<std::int64_t>(),
            numbers_or_none(in.at("weights"), m), numbers(in.at("shapley"), m),      numbers(in.at("drop_one"), m)};
  }

  Explained out_;
};

}  // namespace

Explained read_explanations(const std::string& json, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("weft_explanations"))
    throw FileError(text("report: ", path, " is not what weft explain wrote, or not all of it"));
  try {
    return Reader(in).take();
  } catch (const nlohmann::json::exception&) {
  } catch (const std::out_of_range&) {
  }
  throw FileError(text("report: ", path, " is damaged\n  help: run weft explain again"));
}

}  // namespace weft::study
