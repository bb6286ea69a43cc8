#include <algorithm>
#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include <weft/study/report_sections.h>

namespace weft::study {
using namespace show;
namespace {

using Json = nlohmann::json;

// A card shows no more; what is left out counted least.
constexpr std::size_t features_per_modality = 4, features_at_most = 12, changes_at_most = 8;

/// Few digits: a thousand patients must fit into a page.
double rounded(double v) {
  if (v == 0 || !std::isfinite(v)) return 0;
  const double unit = std::pow(10.0, 3 - std::floor(std::log10(std::abs(v))));
  return std::round(v * unit) / unit;
}
Json rounded(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double v : values) out.push_back(std::round(v * 1e4) / 1e4);
  return out;
}

/// The features that counted most, of each modality and in all.
std::vector<std::pair<std::size_t, Contribution>> strongest(const Patient& p, std::size_t modalities) {
  auto all = p.features;
  std::ranges::stable_sort(all, std::greater<>(), [](const auto& f) { return std::abs(f.second.attribution); });
  std::vector<std::size_t> count(modalities, 0);
  std::vector<std::pair<std::size_t, Contribution>> out;
  for (auto& f : all)
    if (out.size() < features_at_most && count[f.first]++ < features_per_modality) out.push_back(std::move(f));
  return out;
}

/// What the script makes cards of; lists instead of objects, names once.
class Cards {
 public:
  explicit Cards(const Explained& explained) : explained_(explained) {
    for (const Patient& p : explained.patients) patients_.push_back(patient(p));
  }

  std::string json(const std::vector<CertaintyBin>& bins, const std::string& bins_of) const {
    Json out{{"level", explained_.level},
             {"modalities", explained_.modalities},
             {"classes", explained_.classes},
             {"names", names_},
             {"bins", Json::array()},
             {"bins_of", bins_of},
             {"about", text("Fusion ", explained_.fusion, ", study ", explained_.study, ", seed ", explained_.seed,
                            ", weft ", explained_.version, ".")},
             {"patients", patients_}};
    for (const CertaintyBin& bin : bins) out["bins"].push_back({bin.rows, bin.certainty, bin.accuracy});
    if (bins.empty()) out["bins"] = nullptr;
    // Nothing in it may end the script element that holds it.
    std::string escaped;
    for (const char c : out.dump(-1, ' ', false, Json::error_handler_t::replace))
      escaped += c == '<' ? std::string("\\u003c") : std::string(1, c);
    return escaped;
  }

 private:
  std::size_t name(const std::string& s) {
    const auto [it, added] = known_.try_emplace(s, names_.size());
    if (added) names_.push_back(s);
    return it->second;
  }

  Json patient(const Patient& p) {
    std::string state;
    for (std::size_t m = 0; m < p.present.size(); ++m) state += p.generated[m] ? 'g' : p.present[m] ? '1' : '0';
    Json nearest = Json::array(), features = Json::array(), change = nullptr;
    for (const Neighbour& n : p.nearest) nearest.push_back({n.id, n.label, rounded(n.distance)});
    for (const auto& [m, f] : strongest(p, p.present.size()))
      features.push_back({m, name(f.name), rounded(f.value), rounded(f.attribution)});
    if (p.counterfactual) {
      Json changes = Json::array();
      for (std::size_t i = 0; i < std::min(changes_at_most, p.counterfactual->changes.size()); ++i) {
        const Change& c = p.counterfactual->changes[i];
        changes.push_back({name(c.name), rounded(c.from), rounded(c.to)});
      }
      const std::size_t more = p.counterfactual->changes.size() - changes.size();
      change = {p.counterfactual->modality, p.counterfactual->becomes, changes, more};
    }
    return {p.row,
            p.id,
            p.label ? Json(*p.label) : Json(nullptr),
            p.prediction,
            rounded(p.probabilities),
            p.set ? Json(*p.set) : Json(nullptr),
            state,
            p.weights.empty() ? Json(nullptr) : rounded(p.weights),
            rounded(p.shapley),
            std::round(p.base * 1e4) / 1e4,
            rounded(p.drop_one),
            nearest,
            features,
            change};
  }

  const Explained& explained_;
  std::map<std::string, std::size_t> known_;
  std::vector<std::string> names_;
  Json patients_ = Json::array();
};

double certainty_of(const Patient& p) { return p.probabilities[static_cast<std::size_t>(p.prediction)]; }

/// Certainty and right answers of the explained patients themselves.
std::vector<CertaintyBin> own_bins(const Explained& explained) {
  std::vector<CertaintyBin> bins(10);
  for (const Patient& p : explained.patients) {
    if (!p.label) continue;
    const double sure = certainty_of(p);
    auto& bin = bins[static_cast<std::size_t>(std::clamp(std::ceil(sure * 10 - 1e-9) - 1, 0.0, 9.0))];
    ++bin.rows;
    bin.certainty += sure;
    bin.accuracy += *p.label == p.prediction ? 1 : 0;
  }
  for (CertaintyBin& bin : bins) {
    bin.certainty /= std::max(1.0, static_cast<double>(bin.rows));
    bin.accuracy /= std::max(1.0, static_cast<double>(bin.rows));
  }
  return bins;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + escape(n);
  return out.empty() ? "none" : out;
}

std::string patient_row(const Explained& explained, const Patient& p) {
  const auto name = [&](std::int64_t c) { return explained.classes[static_cast<std::size_t>(c)]; };
  std::vector<std::string> set, missing, generated;
  if (p.set)
    for (const std::int64_t c : *p.set) set.push_back(name(c));
  std::size_t strongest = 0;
  for (std::size_t m = 0; m < p.present.size(); ++m) {
    if (p.generated[m])
      generated.push_back(explained.modalities[m]);
    else if (!p.present[m])
      missing.push_back(explained.modalities[m]);
    if (std::abs(p.shapley[m]) > std::abs(p.shapley[strongest])) strongest = m;
  }
  return row({escape(p.id), escape(name(p.prediction)), fixed(certainty_of(p)),
              !p.set           ? "–"
              : set.size() > 3 ? text(set.size(), " classes")
                               : joined(set),
              p.label ? (*p.label == p.prediction ? "right" : text("wrong, is ", escape(name(*p.label)))) : "not known",
              joined(missing), joined(generated), escape(explained.modalities[strongest])});
}

std::string share(std::size_t part, std::size_t all) {
  return percent(static_cast<double>(part) / static_cast<double>(all));
}

/// How often the answers are right and how large the sets are.
std::string overview(const Explained& explained) {
  std::size_t known = 0, right = 0, covered = 0, sets = 0, narrow = 0;
  for (const Patient& p : explained.patients) {
    sets += p.set.has_value();
    narrow += p.set && p.set->size() == 1;
    if (!p.label) continue;
    ++known;
    right += *p.label == p.prediction;
    covered += p.set && std::ranges::find(*p.set, *p.label) != p.set->end();
  }
  std::string out = text("<p>", explained.patients.size(), " patients.");
  if (sets > 0)
    out += text(" The ", percent(explained.level), " prediction set is narrowed to one class for ", share(narrow, sets),
                ".");
  if (known > 0) out += text(" Of the ", known, " whose class is known, ", share(right, known), " are answered right");
  if (known > 0 && sets > 0) out += text(", and the set holds the true class for ", share(covered, known));
  return out + (known > 0 ? ".</p>\n" : "</p>\n");
}

}  // namespace

std::string patients_section(const Report& report) {
  if (!report.explained || report.explained->patients.empty()) return "";
  const Explained& explained = *report.explained;
  std::vector<CertaintyBin> bins;
  std::string bins_of = "test answers of this fusion";
  // Rows of many splits say more than those of one.
  for (const Summary& each : report.findings.rows)
    if (each.method == explained.fusion) bins = each.bins;
  if (bins.empty() && std::ranges::any_of(explained.patients, [](const Patient& p) { return p.label.has_value(); })) {
    bins = own_bins(explained);
    bins_of = "patients of this list";
  }
  std::string out = overview(explained) +
                    "<noscript><p>The list works as it is; cards of single patients, sorting and finding need "
                    "JavaScript.</p></noscript>\n" +
                    open_table({.caption = "One row per patient; a name opens the card of that patient",
                                .header = {"Patient", "Answer", "Probability", text(percent(explained.level), " set"),
                                           "Outcome", "Missing", "Generated", "Strongest evidence"},
                                .sortable = true,
                                .choices = {1, 4, 5, 6, 7},
                                .id = "patient-list",
                                .tall = true});
  for (const Patient& p : explained.patients) out += patient_row(explained, p);
  return out + close_table + "<script type=\"application/json\" id=\"patients-data\">" +
         Cards(explained).json(bins, bins_of) + "</script>\n";
}

}  // namespace weft::study
