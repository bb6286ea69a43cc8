// CT, MRI or pathology: which counts depends on what is looked for.
// SIMULATED cases: three groups (lung nodule, glioma, breast cancer), benign or malignant, with 256 features of each of
// CT, MRI and pathology, as an image encoder would give them. What kind of case it is shows in all three, a little;
// whether it is malignant shows most in one: a lung nodule in CT, a glioma in MRI, breast cancer in pathology.
// Attention makes the weights of a case from all its features, W being a parameter of the model: (B, 768) -> (B, 3).
// The table of mean weights by group is what one would show a radiologist. A fusion with one weight per modality for
// everybody cannot say it.
//   referrals [--full] [--seeds N] [--seed FIRST] [--threads N]      draws runs/referrals.svg
#include <array>
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
constexpr std::int64_t width = 256, groups = 3;
const std::vector<std::string> names = {"CT", "MRI", "pathology"};
const std::vector<std::string> kinds = {"lung nodule", "glioma", "breast cancer"};

struct Cases {
  data::Modalities x;  // three times (N, 256)
  Tensor malignant;    // (N,)
  std::vector<std::int64_t> group;
};

/// features = noise + 2 (what kind of case) + s (malignant or not), along directions that are the same for all cases; s
/// is 1.5 in the modality that counts, elsewhere 0.15. A direction is spread over all features: none says much by
/// itself.
Cases draw(std::int64_t n, std::uint64_t seed) {
  Generator directions{9}, g{seed};
  Cases c;
  std::vector<std::int64_t> malignant;
  for (std::int64_t i = 0; i < n; ++i) {
    c.group.push_back(g.below(groups));
    malignant.push_back(g.below(2));
  }
  c.malignant = from(malignant);
  const Tensor sign = unsqueeze(to(c.malignant, DType::float32) * 2 - 1, 1);  // (N, 1)
  const Tensor kind = from(c.group);                                          // (N,)
  std::vector<Tensor> features;
  for (std::int64_t m = 0; m < groups; ++m) {
    // Rows of length 1 on average: of the three kinds, and of malignancy in each of them.
    const auto rows = [&] { return randn({groups, width}, 0, 1.0 / 16, DType::float32, directions); };
    const Tensor looks = rows(), finding = rows();
    std::vector<float> strength;
    for (const std::int64_t k : c.group) strength.push_back(k == m ? 1.5F : 0.15F);
    features.push_back(randn({n, width}, 0, 0.8, DType::float32, g) + index_select(looks, 0, kind) * 2 +
                       index_select(finding, 0, kind) * unsqueeze(from(strength), 1) * sign);
  }
  c.x = data::Modalities::complete(names, features);
  return c;
}

fusion::Classifier trained(const Cases& cases, const std::string& method, int epochs, std::uint64_t seed) {
  manual_seed(seed);
  fusion::ClassifierOptions options{.names = names, .fusion = method, .method = {.width = 32}};
  for (int m = 0; m < 3; ++m)
    options.encoders.push_back({"mlp", {.in_features = width, .hidden = {32}, .dropout = 0.3}});
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.1});
  data::Loader loader(cases.x, cases.malignant, {.batch_size = 32, .seed = seed});
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [x, y] : loader) {
      net.loss(net(x), y).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  eval(net);
  return net;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(5), epochs = arguments.full ? 20 : 8;
  std::array<std::array<std::vector<double>, groups>, groups> weights;  // [group][modality], one number per seed
  std::vector<double> right[2];                                         // attention, softmax
  const auto show_mean = [](const std::vector<double>& values) {
    const data::Interval i = data::mean_interval(values);
    return show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")";
  };
  show::Progress progress(stderr, false);
  for (int k = 0; k < seeds; ++k) {
    progress.update(k, seeds, "seeds");
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(k);
    const Cases seen = draw(arguments.full ? 4000 : 2000, 2 * seed), unseen = draw(2000, 2 * seed + 1);
    for (std::size_t how = 0; how < 2; ++how) {
      const fusion::Classifier net = trained(seen, how == 0 ? "attention" : "softmax", epochs, seed);
      const NoGrad off;
      const fusion::Output out = net(unseen.x);
      right[how].push_back(mean(to(eq(argmax(out.logits, 1), unseen.malignant), DType::float32)).item());
      for (std::size_t g = 0; how == 0 && g < groups; ++g) {
        const Tensor who = to(eq(from(unseen.group), static_cast<double>(g)), DType::float32);  // (B,)
        const Tensor means = sum(out.fused.weights * unsqueeze(who, 1), 0) / sum(who);          // (3,)
        for (std::size_t m = 0; m < groups; ++m) weights[g][m].push_back(to_vector<double>(means)[m]);
      }
    }
  }
  progress.finish();
  show::TextTable table({"simulated cases, mean weight of", names[0], names[1], names[2]});
  std::vector<show::Line> lines;
  for (std::size_t g = 0; g < groups; ++g) {
    table.row({kinds[g], show_mean(weights[g][0]), show_mean(weights[g][1]), show_mean(weights[g][2])});
    lines.push_back({kinds[g], {}, {}});
    for (const auto& each : weights[g]) lines.back().y.push_back(mean(from(each)).item());
  }
  std::printf("%d seeds, mean with 95 %% interval\n%s\naccuracy: attention %s, one weight for everybody (softmax) %s\n",
              seeds, table.str().c_str(), show_mean(right[0]).c_str(), show_mean(right[1]).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/referrals.svg", lines,
                  {.title = "Simulated cases: mean weight", .x_label = "1 CT, 2 MRI, 3 pathology", .points = true});
}
