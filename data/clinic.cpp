#include <weft/data/clinic.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>
#include <sstream>

#include <weft/data/statistics.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>
#include <weft/tensor/random.h>

namespace weft::data {
namespace {

constexpr std::size_t image = 0, ecg = 1, note = 2, laboratory = 3, count = 4, group_count = 3;
const std::vector<std::string> modality_names = {"image", "ecg", "note", "laboratory"};
/// The modality that is relevant for each group.
constexpr std::array<std::size_t, group_count> relevant = {image, ecg, laboratory};
constexpr double relevant_share = 0.95, other_share = 0.65;  ///< of the ill who show the finding
constexpr double told = 0.7;                                 ///< chance that a topic is told as it would be in the ill
constexpr double alike = 0.8;                                ///< chance that two found alike have one diagnosis
constexpr int levels = 11;                                   ///< of the quality of images and signals

double share_of(std::size_t modality, std::size_t group) {
  return relevant[group] == modality ? relevant_share : other_share;
}

/// log(exp(a) + exp(b)).
double log_add(double a, double b) {
  const double high = std::max(a, b);
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

// ---- images: a nodule on a canvas, blurred, cut out where it was found

constexpr std::int64_t side = 16, margin = 4, canvas = side + 2 * margin, pixels = side * side;
constexpr int jitter = 1;  ///< the nodule's place differs by so many pixels from the centre
constexpr double pixel_noise = 0.5;
using Picture = std::vector<double>;

double blur_of(int level) { return 2.4 - 2.0 * level / (levels - 1); }

Picture blurred(const Picture& x, double deviation) {
  const int reach = static_cast<int>(std::ceil(3 * deviation));
  std::vector<double> kernel;
  double total = 0;
  for (int k = -reach; k <= reach; ++k) kernel.push_back(std::exp(-0.5 * k * k / (deviation * deviation)));
  for (const double k : kernel) total += k;
  Picture rows(x.size()), out(x.size());
  const auto pass = [&](const Picture& from, Picture& to, std::int64_t step, std::int64_t across) {
    for (std::int64_t line = 0; line < canvas; ++line)
      for (std::int64_t i = 0; i < canvas; ++i) {
        double sum = 0;
        for (int k = -reach; k <= reach; ++k) {
          const std::int64_t j = i + k;
          if (j >= 0 && j < canvas)
            sum +=
                kernel[static_cast<std::size_t>(k + reach)] * from[static_cast<std::size_t>(line * across + j * step)];
        }
        to[static_cast<std::size_t>(line * across + i * step)] = sum / total;
      }
  };
  pass(x, rows, 1, canvas);
  pass(rows, out, canvas, 1);
  return out;
}

/// All pictures without noise.
struct Nodules {
  std::array<std::array<Picture, levels>, 2> on_canvas;  ///< [finding][level]
  std::array<std::array<std::array<double, 2 * jitter + 1>, 2 * jitter + 1>, levels>
      separation{};  ///< [level][down][right]

  Nodules() {
    for (std::size_t finding = 0; finding < 2; ++finding) {
      Picture sharp(static_cast<std::size_t>(canvas * canvas));
      for (std::int64_t i = 0; i < canvas; ++i)
        for (std::int64_t j = 0; j < canvas; ++j) {
          const double y = static_cast<double>(i) - 11.5, x = static_cast<double>(j) - 11.5;
          const double radius = 3.4 + (finding == 1 ? 1.5 * std::cos(4 * std::atan2(y, x)) : 0.0);
          sharp[static_cast<std::size_t>(i * canvas + j)] = 1 / (1 + std::exp((std::hypot(x, y) - radius) / 0.35));
        }
      for (int level = 0; level < levels; ++level)
        on_canvas[finding][static_cast<std::size_t>(level)] = blurred(sharp, blur_of(level));
    }
    for (int level = 0; level < levels; ++level)
      for (int down = 0; down <= 2 * jitter; ++down)
        for (int right = 0; right <= 2 * jitter; ++right) {
          double squares = 0;
          for (std::int64_t k = 0; k < pixels; ++k)
            squares += std::pow(at(1, level, down, right, k) - at(0, level, down, right, k), 2);
          separation[static_cast<std::size_t>(level)][static_cast<std::size_t>(down)][static_cast<std::size_t>(right)] =
              std::sqrt(squares) / pixel_noise;
        }
  }
  /// Pixel k of what is cut out, the nodule moved down and right by so many pixels, less `jitter`.
  double at(std::size_t finding, int level, int down, int right, std::int64_t k) const {
    const std::int64_t row = k / side + margin + jitter - down, column = k % side + margin + jitter - right;
    return on_canvas[finding][static_cast<std::size_t>(level)][static_cast<std::size_t>(row * canvas + column)];
  }
};

const Nodules& nodules() {
  static const Nodules all;
  return all;
}

// ---- signals: two beats

constexpr std::int64_t steps = 128;
constexpr int delay = 3;  ///< the beats begin up to so many steps early or late

double signal_noise(int level) { return 0.5 * std::pow(6.0, 1 - static_cast<double>(level) / (levels - 1)); }

double beats(std::size_t finding, int shift, std::int64_t t) {
  const auto wave = [](double height, double from, double width) {
    return height * std::exp(-0.5 * from * from / (width * width));
  };
  double sum = 0;
  for (const double peak : {32.0, 96.0}) {
    const double from = static_cast<double>(t) - peak - shift;
    sum += wave(0.2, from + 14, 3) + wave(-0.2, from + 3, 1.2) + wave(1.5, from, 1.5) + wave(-0.4, from - 3, 1.2);
    sum += finding == 1 ? wave(-0.2, from - 9, 4) + wave(-0.15, from - 18, 5) : wave(0.35, from - 18, 5);
  }
  return sum;
}

/// The distance between beats with the finding and without, in deviations of the noise.
double beats_separation(int level, int shift) {
  static const std::array<double, 2 * delay + 1> distance = [] {
    std::array<double, 2 * delay + 1> all{};
    for (int s = -delay; s <= delay; ++s) {
      double squares = 0;
      for (std::int64_t t = 0; t < steps; ++t) squares += std::pow(beats(1, s, t) - beats(0, s, t), 2);
      all[static_cast<std::size_t>(s + delay)] = std::sqrt(squares);
    }
    return all;
  }();
  return distance[static_cast<std::size_t>(shift + delay)] / signal_noise(level);
}

// ---- laboratory values: what each is in the mean, its deviation, and how many of these the finding shifts it by

struct Value {
  const char* name;
  double mean, deviation, shift;
};
constexpr std::array<Value, 6> values = {{{"crp_mg_l", 8, 3, 1.2},
                                          {"ferritin_ug_l", 120, 40, -0.9},
                                          {"tsh_mu_l", 2, 0.6, 0.6},
                                          {"glucose_mmol_l", 5.4, 0.7, 1.5},
                                          {"creatinine_umol_l", 80, 15, 1.8},
                                          {"haemoglobin_g_l", 140, 12, -2.1}}};

// ---- notes

struct Topic {
  const char *ill, *well, *vague;
};
constexpr std::array<Topic, 5> topics = {
    {{"breathless climbing stairs", "climbs hills easily", "exertion not asked about"},
     {"lost weight", "weight steady", "weight unknown"},
     {"sleeps badly", "sleeps soundly", "sleep unclear"},
     {"poor appetite", "good appetite", "appetite unrecorded"},
     {"woke sweating", "nights dry", "nights unmentioned"}}};

std::vector<std::string> words_of(const std::string& sentence) {
  std::istringstream in(sentence);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}
std::string referral(std::size_t group) { return "referred for " + Clinic::groups()[group]; }

/// Chance that the majority of n tellings is right, a tie being right in half of the cases.
double majority(int n) {
  double chance = 0;
  for (int right = 0; right <= n; ++right) {
    double ways = 1;
    for (int k = 1; k <= right; ++k) ways *= static_cast<double>(n - right + k) / k;
    const double p = ways * std::pow(told, right) * std::pow(1 - told, n - right);
    chance += 2 * right > n ? p : 2 * right == n ? p / 2 : 0;
  }
  return chance;
}

// ---- the process

/// Everything about a patient but the numbers of images, signals and values: all that their likelihoods depend on.
struct Patient {
  std::size_t diagnosis, group;
  std::array<std::size_t, count> finding{};  ///< 1: what the ill show; of the note not used
  std::array<bool, count> has{};
  int sharpness, down, right;             // image
  int clearness, shift;                   // ecg
  std::array<int, topics.size()> said{};  ///< 1 as in the ill, -1 as in the well, 0 vague
  std::array<bool, values.size()> measured{};

  int clear() const {
    return static_cast<int>(std::ranges::count_if(said, [](int s) { return s != 0; }));
  }
  int tests() const { return static_cast<int>(std::ranges::count(measured, true)); }
  /// The distance between finding and none in deviations of the noise, of a modality that shows findings.
  double separation(std::size_t modality) const {
    if (modality == image)
      return nodules().separation[static_cast<std::size_t>(sharpness)][static_cast<std::size_t>(down)]
                                 [static_cast<std::size_t>(right)];
    if (modality == ecg) return beats_separation(clearness, shift);
    double squares = 0;
    for (std::size_t k = 0; k < values.size(); ++k) squares += measured[k] ? values[k].shift * values[k].shift : 0;
    return std::sqrt(squares);
  }
  double quality(std::size_t modality) const {
    if (modality == image) return static_cast<double>(sharpness) / (levels - 1);
    if (modality == ecg) return static_cast<double>(clearness) / (levels - 1);
    if (modality == note) return clear() / static_cast<double>(topics.size());
    return tests() / static_cast<double>(values.size());
  }
  double reliability(std::size_t modality) const {
    if (modality == note) return majority(clear());
    const double read = normal_cdf(separation(modality) / 2);  // that finding and none are told apart
    return 0.5 + (2 * share_of(modality, group) - 1) * (read - 0.5);
  }
  /// The logarithm of how much likelier in the ill than in the well this note is.
  double note_evidence() const {
    int balance = 0;
    for (const int s : said) balance += s;
    return balance * std::log(told / (1 - told));
  }
};

/// Marks `n` of all, each choice being as likely.
template <std::size_t size>
std::array<bool, size> some(std::int64_t n, Generator& g) {
  std::array<bool, size> chosen{};
  for (std::int64_t left = static_cast<std::int64_t>(size); auto& each : chosen) {
    each = g.below(left--) < n;
    n -= each;
  }
  return chosen;
}

double chance_of_missing(const ClinicOptions& o, std::size_t diagnosis) {
  if (o.missing == ClinicMissing::none) return 0;
  return o.missing_rate * (o.missing == ClinicMissing::random ? 1.0 : diagnosis == 1 ? 0.5 : 1.5);
}

Patient draw(const ClinicOptions& o, Generator& g) {
  Patient p{};
  p.diagnosis = static_cast<std::size_t>(g.below(2));
  p.group = static_cast<std::size_t>(g.below(group_count));
  for (std::size_t m = 0; m < count; ++m) {
    const bool typical = g.uniform() < share_of(m, p.group);
    p.finding[m] = typical ? p.diagnosis : 1 - p.diagnosis;
    p.has[m] = g.uniform() >= chance_of_missing(o, p.diagnosis);
  }
  p.sharpness = static_cast<int>(g.below(levels));
  p.down = static_cast<int>(g.below(2 * jitter + 1));
  p.right = static_cast<int>(g.below(2 * jitter + 1));
  p.clearness = static_cast<int>(g.below(levels));
  p.shift = static_cast<int>(g.below(2 * delay + 1)) - delay;
  const auto clear = some<topics.size()>(g.below(static_cast<std::int64_t>(topics.size()) + 1), g);
  for (std::size_t k = 0; k < topics.size(); ++k) {
    const bool right = g.uniform() < told;
    p.said[k] = !clear[k] ? 0 : right == (p.diagnosis == 1) ? 1 : -1;
  }
  p.measured = some<values.size()>(1 + g.below(static_cast<std::int64_t>(values.size())), g);
  return p;
}

/// Bayes' rule for who knows the wanted modalities, as far as they are there. `evidence`: of image, ecg and laboratory
/// the logarithm of how much likelier they are with the finding.
double chance_of_ill(const ClinicOptions& o, const Patient& p, const std::array<double, count>& evidence,
                     const std::array<bool, count>& wanted) {
  const auto used = [&](std::size_t m) { return wanted[m] && p.has[m]; };
  const double low = -std::numeric_limits<double>::infinity();
  std::array<double, 2> total = {low, low};
  for (std::size_t g = 0; g < group_count; ++g) {
    if (used(note) && g != p.group) continue;  // the note says which it is
    std::array<double, 2> here = {0, used(note) ? p.note_evidence() : 0};
    for (const std::size_t m : {image, ecg, laboratory}) {
      if (!used(m)) continue;
      const double often = std::log(share_of(m, g)), seldom = std::log(1 - share_of(m, g));
      here[0] += log_add(evidence[m] + seldom, often);
      here[1] += log_add(evidence[m] + often, seldom);
    }
    for (std::size_t y = 0; y < 2; ++y) total[y] = total[y] == low ? here[y] : log_add(total[y], here[y]);
  }
  if (o.missing == ClinicMissing::not_random)  // who lacks what tells something, too
    for (std::size_t m = 0; m < count; ++m)
      for (std::size_t y = 0; wanted[m] && y < 2; ++y)
        total[y] += std::log(p.has[m] ? 1 - chance_of_missing(o, y) : chance_of_missing(o, y));
  return 1 / (1 + std::exp(total[0] - total[1]));
}

void check(const ClinicOptions& o) {
  if (o.patients < 4 || o.patients > 10'000'000)
    throw ConfigError(text("clinic: ", o.patients, " patients\n  help: choose from 4 to 10000000"));
  if (!(o.missing_rate >= 0 && o.missing_rate <= 0.6))
    throw ConfigError(text("clinic: missing_rate is ", o.missing_rate, "\n  help: choose one from 0 to 0.6"));
}

/// Patients found alike: everybody looks for three others.
std::vector<std::array<std::int64_t, 2>> find_alike(const std::vector<std::int64_t>& diagnosis, Generator g) {
  std::array<std::vector<std::int64_t>, 2> who;
  for (std::size_t i = 0; i < diagnosis.size(); ++i)
    who[static_cast<std::size_t>(diagnosis[i])].push_back(static_cast<std::int64_t>(i));
  std::set<std::array<std::int64_t, 2>> edges;
  for (std::size_t i = 0; i < diagnosis.size(); ++i)
    for (int k = 0; k < 3; ++k) {
      const auto own = static_cast<std::size_t>(diagnosis[i]);
      const std::vector<std::int64_t>& from = who[g.uniform() < alike ? own : 1 - own];
      const auto me = static_cast<std::int64_t>(i);
      if (from.empty()) continue;
      const std::int64_t other = from[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(from.size())))];
      if (other != me) edges.insert({std::min(me, other), std::max(me, other)});
    }
  return {edges.begin(), edges.end()};
}

/// Where a clinic's arrays lie while they are filled.
struct Rows {
  float *image, *ecg, *note, *laboratory;
  std::int64_t* tokens;
};

constexpr auto nan = std::numeric_limits<float>::quiet_NaN();

double fill_image(float* to, const Patient& p, Generator& g) {
  double evidence = 0;
  for (std::int64_t k = 0; k < pixels; ++k) {
    const double without = nodules().at(0, p.sharpness, p.down, p.right, k);
    const double with = nodules().at(1, p.sharpness, p.down, p.right, k);
    const double x = (p.finding[image] == 1 ? with : without) + pixel_noise * g.normal();
    evidence += (x - without) * (x - without) - (x - with) * (x - with);
    to[k] = static_cast<float>(x);
  }
  return evidence / (2 * pixel_noise * pixel_noise);
}

double fill_ecg(float* to, const Patient& p, Generator& g) {
  double evidence = 0;
  const double noise = signal_noise(p.clearness);
  for (std::int64_t t = 0; t < steps; ++t) {
    const double without = beats(0, p.shift, t), with = beats(1, p.shift, t);
    const double x = (p.finding[ecg] == 1 ? with : without) + noise * g.normal();
    evidence += (x - without) * (x - without) - (x - with) * (x - with);
    to[t] = static_cast<float>(x);
  }
  return evidence / (2 * noise * noise);
}

double fill_laboratory(float* to, std::vector<Column>& columns, std::size_t row, const Patient& p, Generator& g) {
  double evidence = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double z = (p.finding[laboratory] == 1 ? 0.5 : -0.5) * values[k].shift + g.normal();
    to[k] = p.measured[k] ? static_cast<float>(z) : 0;
    to[values.size() + k] = p.measured[k] ? 1 : 0;
    if (!p.measured[k] || !p.has[laboratory]) continue;
    evidence += values[k].shift * z;
    columns[k].numbers[row] = values[k].mean + values[k].deviation * z;
  }
  return evidence;
}

std::string write_note(float* counts, std::int64_t* tokens, const Patient& p) {
  std::vector<std::string> sentences = {referral(p.group)};
  for (std::size_t k = 0; k < topics.size(); ++k)
    sentences.emplace_back(p.said[k] == 0 ? topics[k].vague : p.said[k] == 1 ? topics[k].ill : topics[k].well);
  std::string all;
  for (std::string& sentence : sentences) {
    for (const std::string& word : words_of(sentence)) {
      const auto place = std::ranges::lower_bound(Clinic::words(), word) - Clinic::words().begin();
      counts[place] += 1;
      *tokens++ = place + 1;
    }
    sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
    all += (all.empty() ? "" : " ") + sentence + '.';
  }
  return all;
}

}  // namespace

const std::vector<std::string>& Clinic::groups() {
  static const std::vector<std::string> all = {"cough", "palpitations", "fatigue"};
  return all;
}

const std::vector<std::string>& Clinic::words() {
  static const std::vector<std::string> all = [] {
    std::set<std::string> each;
    const auto add = [&](const std::string& sentence) {
      each.merge([&] {
        const auto list = words_of(sentence);
        return std::set<std::string>(list.begin(), list.end());
      }());
    };
    for (std::size_t g = 0; g < group_count; ++g) add(referral(g));
    for (const Topic& t : topics)
      for (const char* sentence : {t.ill, t.well, t.vague}) add(sentence);
    return std::vector<std::string>(each.begin(), each.end());
  }();
  return all;
}

Clinic simulate_clinic(const ClinicOptions& o) {
  check(o);
  const std::int64_t n = o.patients;
  const auto words = static_cast<std::int64_t>(Clinic::words().size());
  constexpr std::int64_t longest = 20;  // words of a note, which has 3 for the reason and at most 4 a topic: 16
  constexpr auto m_count = static_cast<std::int64_t>(count);
  Clinic c;
  c.evidence.names = modality_names;
  c.evidence.features = {empty({n, 1, side, side}), empty({n, 1, steps}), zeros({n, words}),
                         empty({n, 2 * static_cast<std::int64_t>(values.size())})};
  c.evidence.present = empty({n, m_count}, DType::boolean);
  c.tokens = zeros({n, longest}, DType::int64);
  c.quality = empty({n, m_count}, DType::float64);
  c.reliability = empty({n, m_count}, DType::float64);
  c.probability = empty({n}, DType::float64);
  c.probability_with_edges = empty({n}, DType::float64);
  c.laboratory.source = "simulated";
  for (const Value& v : values)
    c.laboratory.columns.push_back(Column::of_numbers(v.name, std::vector<double>(static_cast<std::size_t>(n), nan)));

  std::array<float*, count> at{};
  std::array<std::int64_t, count> width{};
  for (std::size_t m = 0; m < count; ++m) {
    at[m] = c.evidence.features[m].mutable_data<float>();
    width[m] = c.evidence.features[m].numel() / n;
  }
  bool* present = c.evidence.present.mutable_data<bool>();
  double *quality = c.quality.mutable_data<double>(), *reliability = c.reliability.mutable_data<double>();
  double* probability = c.probability.mutable_data<double>();
  std::int64_t* tokens = c.tokens.mutable_data<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i) {
    // Each patient has a stretch of the stream of random numbers, more than any needs.
    Generator g{o.seed, static_cast<std::uint64_t>(i) << 13U};
    const Patient p = draw(o, g);
    const auto row = static_cast<std::size_t>(i);
    std::array<double, count> evidence{};
    evidence[image] = fill_image(at[image] + i * width[image], p, g);
    evidence[ecg] = fill_ecg(at[ecg] + i * width[ecg], p, g);
    evidence[laboratory] = fill_laboratory(at[laboratory] + i * width[laboratory], c.laboratory.columns, row, p, g);
    c.notes.push_back(p.has[note] ? write_note(at[note] + i * width[note], tokens + i * longest, p) : "");
    for (std::size_t m = 0; m < count; ++m) {
      const std::size_t k = row * count + m;
      present[k] = p.has[m];
      quality[k] = p.has[m] ? p.quality(m) : 0;
      reliability[k] = p.has[m] ? p.reliability(m) : 0.5;
      if (!p.has[m]) std::fill_n(at[m] + i * width[m], width[m], nan);
    }
    probability[i] = chance_of_ill(o, p, evidence, {true, true, true, true});
    c.diagnosis.push_back(static_cast<std::int64_t>(p.diagnosis));
    c.group.push_back(static_cast<std::int64_t>(p.group));
  }

  c.edges = find_alike(c.diagnosis, {o.seed, static_cast<std::uint64_t>(n) << 13U});
  std::vector<double> odds;
  for (std::int64_t i = 0; i < n; ++i) odds.push_back(std::log(probability[i] / (1 - probability[i])));
  for (const auto& [i, j] : c.edges)
    for (const auto& [one, other] : {std::array{i, j}, std::array{j, i}})
      odds[static_cast<std::size_t>(one)] +=
          (c.diagnosis[static_cast<std::size_t>(other)] == 1 ? 1 : -1) * std::log(alike / (1 - alike));
  double* with_edges = c.probability_with_edges.mutable_data<double>();
  for (std::size_t i = 0; i < odds.size(); ++i) with_edges[i] = 1 / (1 + std::exp(-odds[i]));
  return c;
}

double clinic_best_accuracy(const ClinicOptions& o, std::span<const std::string> names) {
  check(o);
  std::array<bool, count> wanted{};
  for (const std::string& name : names) {
    const auto it = std::ranges::find(modality_names, name);
    if (it == modality_names.end())
      throw ConfigError(text("clinic: there is no modality \"", name, "\"", closest(name, modality_names)));
    wanted[static_cast<std::size_t>(it - modality_names.begin())] = true;
  }
  if (names.empty()) wanted.fill(true);
  constexpr int draws = 200'000;
  Generator g{20, 0};
  double sum = 0;
  for (int i = 0; i < draws; ++i) {
    const Patient p = draw(o, g);
    std::array<double, count> evidence{};
    for (const std::size_t m : {image, ecg, laboratory}) {
      // What a likelihood ratio is like under Gaussian noise, without drawing every pixel.
      const double d = p.separation(m);
      evidence[m] = (p.finding[m] == 1 ? 0.5 : -0.5) * d * d + d * g.normal();
    }
    const double ill = chance_of_ill(o, p, evidence, wanted);
    sum += std::max(ill, 1 - ill);
  }
  return sum / draws;
}

}  // namespace weft::data
