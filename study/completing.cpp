#include <weft/study/completing.h>

#include <algorithm>
#include <limits>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/loader.h>
#include <weft/data/split.h>
#include <weft/fusion/degrade.h>
#include <weft/optim/optimizer.h>
#include <weft/study/compare.h>
#include <weft/study/interrupt.h>
#include <weft/tensor/create.h>

namespace weft::study {

std::vector<Tensor> observed_numbers(const Dataset& dataset, const Preparation& preparation) {
  std::vector<Tensor> all;
  for (std::size_t m = 0; m < dataset.evidence.size(); ++m) {
    const data::Table& table = dataset.evidence[m].table;
    std::vector<Tensor> columns;
    for (const auto& part : preparation.encoders[m].parts) {
      const data::Column& column = table.at(part.column);
      Tensor known = empty({table.rows(), 1}, DType::boolean);
      for (std::int64_t i = 0; i < table.rows(); ++i) known.mutable_data<bool>()[i] = !column.missing(i);
      const auto width = part.categorical ? static_cast<std::int64_t>(part.levels.size()) : 1 + part.indicator;
      columns.push_back(expand(known, {table.rows(), width}));
    }
    all.push_back(contiguous(cat(columns, 1)));
  }
  return all;
}

std::vector<Tensor> prepared_zeros(const Preparation& preparation) {
  std::vector<Tensor> all;
  for (const data::TableEncoder& encoder : preparation.encoders) {
    std::vector<double> zero;
    for (const auto& part : encoder.parts) {
      if (part.categorical) {
        zero.insert(zero.end(), part.levels.size(), 0.0);
        continue;
      }
      zero.push_back(encoder.standardize ? -part.mean / part.deviation : 0.0);
      if (part.indicator) zero.push_back(0);
    }
    all.push_back(from(zero));
  }
  return all;
}

fusion::Completion fit_completion(const data::Modalities& rows, const std::vector<Tensor>& observed,
                                  std::uint64_t seed) {
  constexpr std::int64_t epochs = 200, patience = 20, warm_up = 200;
  constexpr double dropped = 0.3;
  manual_seed(derive_seed(seed, 1));
  fusion::Completion net(rows, {.latent = 16, .hidden = {64}, .dropout = 0.2}), best = clone(net);
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.01});
  Generator parting{derive_seed(seed, 2), 0}, drops{derive_seed(seed, 3), 0};
  const data::Split split = data::random_split(rows.batch(), 1.0 / 7, parting);
  const auto context_of = [&](const Tensor& ids) {
    fusion::CompletionContext context;
    for (const Tensor& each : observed) context.observed.push_back(data::take_rows(each, to_vector<std::int64_t>(ids)));
    return context;
  };
  const data::Modalities held = rows.rows(split.test);
  const fusion::CompletionContext of_held = context_of(from(split.test));
  // The batch is known by its rows, so that what was measured can be looked up.
  data::Loader loader(rows.rows(split.train), from(split.train),
                      {.batch_size = rows.batch() > 2000 ? 128 : 32, .seed = derive_seed(seed, 4)});
  double best_bound = -std::numeric_limits<double>::infinity();
  std::int64_t step = 0, best_epoch = 0;
  for (std::int64_t epoch = 0; epoch < epochs && epoch - best_epoch < patience; ++epoch) {
    train(net);
    for (auto& [x, ids] : loader) {
      const data::Modalities shown = fusion::drop_modalities(x, dropped, drops);
      net.bound(shown, x, context_of(ids), drops).loss(beta_warmup(step++, warm_up)).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
    check_interrupt();
    eval(net);
    const NoGrad off;
    // The same gaps and draws each time, so that epochs differ by the model alone.
    Generator same{derive_seed(seed, 5), 0};
    double total = 0;
    for (int time = 0; time < 4; ++time) {
      const data::Modalities shown = fusion::drop_modalities(held, dropped, same);
      total += mean(net.bound(shown, held, of_held, same).value()).item();
    }
    // While beta rises the bound is not yet what is trained for.
    if (total > best_bound || step < warm_up) {
      best_bound = total;
      best_epoch = epoch;
      best = clone(net);
    }
  }
  eval(best);
  return best;
}

}  // namespace weft::study
