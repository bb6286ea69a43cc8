// How long will a patient with a brain tumour live, and which evidence tells?
// 569 patients with glioblastoma or lower-grade glioma: age and sex, the activity of 1,544 genes, copy numbers of 30,
// mutations of 16. Cox's partial likelihood needs no hour of death of those still alive: it asks of each who died how
// much higher their risk was than that of all still at risk then. Each kind of evidence gets a small network of its
// own, that of the genes behind a sparse gate; their standardised risks are averaged (late fusion). Beside them stands
// the linear Cox model with an L2 penalty (ridge). In each of the five published folds everything is learned and chosen
// from the training patients. Data: $WEFT_DATA/tcga_gbmlgg_survival. --full: five seeds.
#include <filesystem>
#include <fstream>

#include <weft/weft.h>

#include "arguments.h"
#include "survival_models.h"

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const auto seeds = static_cast<std::size_t>(arguments.seeds_or(arguments.full ? 5 : 1));
  const char* place = std::getenv("WEFT_DATA");
  const std::string folder = std::string(place ? place : ".") + "/tcga_gbmlgg_survival/";
  if (!std::ifstream(folder + "clinical.csv"))
    return std::puts("skipped: set WEFT_DATA to a folder with tcga_gbmlgg_survival") < 0;
  const data::Table table = data::read_csv(folder + "clinical.csv");
  const std::int64_t n = table.rows();
  time_of = from(table.at("survival_months").numbers), event_of = from(table.at("event").numbers);
  std::vector<Tensor> raw = {to(table.matrix(std::vector<std::string>{"age", "is_female"}), DType::float32),
                             clamp(data::load_npy(folder + "x1_rnaseq.npy"), -5, 5),  // a few outliers reach 3515
                             to(data::load_npy(folder + "x2_cnv.npy"), DType::float32),
                             to(data::load_npy(folder + "x3_mut.npy"), DType::float32)};
  raw.push_back(cat(raw, 1));
  std::vector<std::string> gene_names;
  std::ifstream name_file(folder + "x1_rnaseq_features.txt");
  for (std::string line; std::getline(name_file, line);) gene_names.push_back(line);

  const Tensor none = zeros({n}, DType::float64);
  fold_of = none;
  std::vector<Tensor> linear(6, none);  // risks of the test patients of all folds, for each kind of evidence
  std::vector<std::vector<Tensor>> nets(seeds, linear);
  Tensor gate = zeros({raw[genes].size(1)});
  double closed = 0;
  show::Progress progress(stderr, false);
  for (std::size_t k = 0; k < 5; ++k) {
    const Tensor test = from(table.at("fold" + std::to_string(k) + "_val").numbers);
    fold_of = fold_of + test * static_cast<double>(k);
    const Rows rows = to_vector<std::int64_t>(nonzero(eq(test, 0)));
    // Risks in deviations of the training patients', so that those of several models can be averaged.
    const auto put = [&](Tensor& to_all, const Tensor& risk) {
      const Tensor column = data::Standardizer::fit(risk, rows).apply(risk);
      to_all = where(gt(test, 0), squeeze(to(column, DType::float64), 1), to_all);
    };
    for (std::size_t m = 0; m < 5; ++m) {
      const Tensor x = data::Standardizer::fit(raw[m], rows).apply(raw[m]);
      progress.update(static_cast<int>(5 * k + m), 25, "fold " + std::to_string(k + 1) + ", " + kinds[m]);
      put(linear[m], best_ridge(x, rows));
      for (std::size_t seed = 0; seed < seeds && m != joint; ++seed) {
        manual_seed(arguments.seed + seed);
        Generator g{arguments.seed + seed};
        const Net net = trained(x, data::validation_split(rows, to_vector<std::int64_t>(event_of), 0.2, g), m == genes);
        const NoGrad off;
        put(nets[seed][m], net(x));
        if (m != genes) continue;
        gate = gate + abs(net.first.gate.gate) / (5. * static_cast<double>(seeds));
        closed += net.first.gate.zero_fraction() / (5. * static_cast<double>(seeds));
      }
    }
  }
  progress.finish();

  const auto average = [](const std::vector<Tensor>& x, std::size_t count) {
    return mean(stack({x.begin(), x.begin() + static_cast<std::ptrdiff_t>(count)}), 0);
  };
  linear[late] = average(linear, 4);
  for (auto& one : nets) one[late] = average(one, 4);
  const Rows everybody = to_vector<std::int64_t>(arange(0, static_cast<double>(n))),
             strata = to_vector<std::int64_t>(fold_of * 2 + event_of);
  const auto interval = [&](const data::Statistic& statistic) {
    const data::Interval i = data::bootstrap(n, statistic, {.resamples = 1000}, strata);
    return show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")";
  };
  show::TextTable out({"concordance index", "ridge Cox", "networks", "SD", "risks of the seeds averaged (95 %)"});
  Tensor risk;  // of the networks, averaged over the seeds
  for (std::size_t m = 0; m < 6; ++m) {
    const std::string by_ridge = show::fixed(index(linear[m], everybody));
    Reals each;
    std::vector<Tensor> risks;
    for (const auto& one : nets) each.push_back(index(one[m], everybody)), risks.push_back(one[m]);
    risk = average(risks, seeds);
    const Tensor found = from(each);
    const std::string deviation = seeds > 1 ? show::fixed(sqrt(var(found)).item()) : "";
    if (m == joint)
      out.row({kinds[m], by_ridge, "", "", ""});
    else
      out.row({kinds[m], by_ridge, show::fixed(mean(found).item()), deviation,
               interval([&](auto i) { return index(risk, i); })},
              m == late);
  }
  std::printf("%lld patients, %.0f deaths; means of 5 folds, networks over %zu seed(s)\n\n%s\n",
              static_cast<long long>(n), sum(event_of).item(), seeds, out.str(show::Style::of(stdout)).c_str());
  std::printf("late fusion of networks less ridge Cox of all side by side: %s\n",
              interval([&](auto i) { return index(risk, i) - index(linear[joint], i); }).c_str());
  std::printf("of the genes' gates %.0f %% are 0; the widest open:", 100 * closed);
  for (const auto g : to_vector<std::int64_t>(topk(gate, 12).indices))
    std::printf(" %s", gene_names[static_cast<std::size_t>(g)].c_str());

  std::vector<show::Line> curves;  // what the index means: who lives how long in the thirds of least and most risk
  const Tensor order = argsort(risk);
  for (const bool high : {false, true}) {
    const Tensor third = weft::index(order, {high ? Slice{n - n / 3} : Slice{0, n / 3}});
    const data::SurvivalCurve c = data::kaplan_meier(to_vector<double>(index_select(time_of, 0, third)),
                                                     to_vector<std::int64_t>(index_select(event_of, 0, third)));
    const auto [x, y] = c.corners();
    curves.push_back({high ? "upper third of risk" : "lower third of risk", y, x});
    std::printf("\n%s: %.0f %% alive after 24 months", curves.back().name.c_str(), 100 * c.at(24));
  }
  std::filesystem::create_directories("runs");
  show::save_plot("runs/survival.svg", curves,
                  {.title = "Glioma: survival by predicted risk", .x_label = "months", .y_label = "share alive"});
  std::puts("\ncurves: runs/survival.svg");
}
