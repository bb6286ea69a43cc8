// How long will a patient with a brain tumour live, and which evidence tells?
// 569 patients with glioblastoma or lower-grade glioma: age and sex, the activity of 1,544 genes, copy numbers of 30,
// mutations of 16. Cox's partial likelihood needs no hour of death of those still alive: it asks of each who died how
// much higher their risk was than that of all still at risk then. Each kind of evidence gets a small network of its
// own, that of the genes behind a sparse gate; their standardised risks are averaged (late fusion). Beside them stands
// the linear Cox model with an L2 penalty (ridge). In each of the five published folds everything is learned and chosen
// from the training patients. Data: $WEFT_DATA/tcga_gbmlgg_survival. Arguments: --full (5 seeds), --threads N.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <weft/weft.h>

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;
const std::vector<std::string> kinds = {"age and sex", "gene activity",    "copy numbers",
                                        "mutations",   "all side by side", "late fusion"};
constexpr std::size_t genes = 1, joint = 4, late = 5;

Tensor time_of, event_of, fold_of;  // (N,) float64; which fold a patient is tested in

Tensor loss(const Tensor& risk, const Rows& rows) {  // of the risks of these rows
  return cox_loss(risk, data::take_rows(time_of, rows), data::take_rows(event_of, rows));
}

/// Mean over the folds of the concordance index: patients are compared with others of their fold only.
double index(const Tensor& risk, std::span<const std::int64_t> rows, bool folds = true) {
  const Reals t = to_vector<double>(time_of), r = to_vector<double>(risk), f = to_vector<double>(fold_of);
  const Rows e = to_vector<std::int64_t>(event_of);
  std::vector<Reals> time(5), given(5);
  std::vector<Rows> event(5);
  for (const std::size_t i : std::vector<std::size_t>(rows.begin(), rows.end())) {
    const auto k = folds ? static_cast<std::size_t>(f[i]) : 0;
    time[k].push_back(t[i]), event[k].push_back(e[i]), given[k].push_back(r[i]);
  }
  double total = 0;
  for (std::size_t k = 0; k < (folds ? 5 : 1); ++k) total += data::concordance_index(time[k], event[k], given[k]);
  return total / (folds ? 5 : 1);
}

/// Log risks x w of everybody, where w has the least loss of these rows plus penalty |w|^2.
Tensor ridge(const Tensor& x, const Rows& rows, double penalty) {
  const Tensor w = zeros({x.size(1), 1}).set_requires_grad(), seen = data::take_rows(x, rows);
  optim::Lbfgs optimizer({w}, {.max_iter = 30, .line_search_fn = optim::LineSearch::strong_wolfe});
  optimizer.step([&] {
    optimizer.zero_grad();
    const Tensor total = loss(matmul(seen, w), rows) + sum(square(w)) * penalty;
    total.backward();
    return total;
  });
  return detach(matmul(x, w));
}

/// The same with the penalty that is best over three parts of the rows.
Tensor best_ridge(const Tensor& x, const Rows& rows) {
  Generator g{0};
  std::pair<double, double> best;
  const auto parts = data::k_fold(static_cast<std::int64_t>(rows.size()), 3, g);
  for (const double penalty : {0.1, 1., 3.}) {
    double found = 0;
    const Tensor all_rows = from(rows);
    for (const auto& [a, b] : parts)
      found += index(ridge(x, to_vector<std::int64_t>(data::take_rows(all_rows, a)), penalty),
                     to_vector<std::int64_t>(data::take_rows(all_rows, b)), false);
    best = std::max(best, {found, penalty});
  }
  return ridge(x, rows, best.second);
}

struct Net {
  GatedLinear first;
  Dropout input, hidden;
  Linear risk;
  explicit Net(std::int64_t features) : first(features, 16), input(features > 2 ? 0.2 : 0), hidden(0.5), risk(16, 1) {}
  Tensor operator()(const Tensor& x) const { return risk(hidden(relu(first(input(x))))); }
  void fields(auto&& f) { f("first", first, "input", input, "hidden", hidden, "risk", risk); }
};

/// Trained on inner.train as one batch until the loss of inner.test has not fallen for 40 epochs.
Net trained(const Tensor& x, const data::Split& inner, bool sparse) {
  Net net(x.size(1)), best = clone(net);
  const double factor = 0.004, step = 0.03;  // of the L1 penalty; a useless gate is closed after 1 / 0.03 epochs
  optim::AdamW optimizer(parameters(net.first.linear), {.weight_decay = 0.1});
  optimizer.add_group(parameters(net.risk), {.weight_decay = 0.1});
  optim::Sgd gates(parameters(net.first.gate), {.lr = step / factor});
  const Tensor seen = data::take_rows(x, inner.train), held = data::take_rows(x, inner.test);
  double least = 1e9;
  for (int epoch = 0, last = 0; epoch < 400 && epoch - last < 40; ++epoch) {
    train(net);
    loss(net(seen), inner.train).backward();
    optimizer.step();
    if (sparse) gates.step(), optim::soft_threshold(parameters(net.first.gate), step);
    optimizer.zero_grad(), gates.zero_grad();
    eval(net);
    const NoGrad off;
    if (const double now = loss(net(held), inner.test).item(); now < least)
      least = now, last = epoch, best = clone(net);
  }
  eval(best);
  return best;
}

int main(int argc, char** argv) {
  std::size_t seeds = 1;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--full")) seeds = 5;
    if (!std::strcmp(argv[i], "--threads") && i + 1 < argc) set_num_threads(std::atoi(argv[i + 1]));
  }
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
        manual_seed(seed);
        Generator g{seed};
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
