#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include <weft/autograd/anomaly.h>
#include <weft/autograd/checkpoint.h>
#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/profile.h>
#include <weft/layers/recurrent.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/random.h>

#include "error_of.h"

using namespace weft;
using tests::error_of;

namespace {

struct Small {
  Linear hidden{3, 4};
  Linear out{4, 2};
  Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
  void fields(auto&& f) { f("hidden", hidden, "out", out); }
};

struct Various {
  Conv2d convolution{{.in_channels = 4, .out_channels = 6, .kernel_size = 3, .padding = 1, .groups = 2}};
  LSTM recurrent{{.input_size = 3, .hidden_size = 5, .batch_first = true}};
  void fields(auto&& f) { f("convolution", convolution, "recurrent", recurrent); }
};

const ProfileEntry& entry(const std::vector<ProfileEntry>& all, const std::string& what, ProfilePhase phase) {
  for (const ProfileEntry& e : all)
    if ((e.operation.empty() ? e.path : e.operation) == what && e.phase == phase) return e;
  FAIL("no entry ", what, " ", name(phase));
  return all[0];
}
bool has(const std::vector<ProfileEntry>& all, const std::string& what, ProfilePhase phase) {
  for (const ProfileEntry& e : all)
    if ((e.operation.empty() ? e.path : e.operation) == what && e.phase == phase) return true;
  return false;
}

nlohmann::json trace_of(const Profile& profile) {
  const std::string path = (std::filesystem::temp_directory_path() / "weft_profile_test.json").string();
  profile.write_trace(path);
  std::ifstream in(path);
  nlohmann::json all = nlohmann::json::parse(in);
  std::filesystem::remove(path);
  return all;
}

constexpr auto forward = ProfilePhase::forward, backward_ = ProfilePhase::backward;

}  // namespace

TEST_CASE("profile: counts, arithmetic and bytes of a small net are exact") {
  Small net;
  optim::Sgd optimizer(parameters(net), {.lr = 0.1});
  const Tensor x = randn({5, 3}), target = from(std::vector<std::int64_t>{0, 1, 0, 1, 1});
  Profile profile(net);
  for (int i = 0; i < 2; ++i) {
    optimizer.zero_grad();
    cross_entropy(net(x), target).backward();
    optimizer.step();
  }
  profile.stop();
  const auto all = profile.operations();
  const ProfileEntry& linear = entry(all, "linear", forward);
  CHECK(linear.count == 4);
  // 5 x 3 by 4 and 5 x 4 by 2, each with a bias, twice
  CHECK(linear.flops == 2 * (2 * 5 * 3 * 4 + 5 * 4 + 2 * 5 * 4 * 2 + 5 * 2));
  CHECK(linear.bytes_read == 2 * 4 * ((15 + 12 + 4) + (20 + 8 + 2)));
  CHECK(linear.bytes_written == 2 * 4 * (20 + 10));
  const ProfileEntry& back = entry(all, "linear", backward_);
  CHECK(back.count == 4);
  // The first layer's input needs no gradient: one product; the second has both. Biases: sums over the rows.
  CHECK(back.flops == 2 * (2 * 5 * 3 * 4 + 5 * 4 + 2 * 2 * 5 * 4 * 2 + 5 * 2));
  // Read: dy and the saved input and weight; written: the gradients.
  CHECK(back.bytes_read == 2 * 4 * ((20 + 15 + 12) + (10 + 20 + 8)));
  CHECK(back.bytes_written == 2 * 4 * ((12 + 4) + (20 + 8 + 2)));
  CHECK(back.self_seconds < back.seconds);  // the rule calls products
  CHECK(entry(all, "relu", forward).count == 2);
  CHECK(entry(all, "relu", forward).flops == 2 * 20);
  CHECK(entry(all, "relu", backward_).count == 2);
  CHECK(entry(all, "cross_entropy", forward).count == 2);
  CHECK_FALSE(has(all, "matmul", backward_));  // part of the rule
  const ProfileEntry& step = entry(all, "sgd", ProfilePhase::optimizer);
  CHECK(step.count == 2);
  CHECK(step.flops == 2 * 26);
  CHECK(step.bytes_read == 2 * 2 * 26 * 4);
  CHECK(step.bytes_written == 2 * 26 * 4);
  double share = 0;
  for (const ProfileEntry& e : all) {
    share += e.share;
    CHECK(e.seconds >= e.self_seconds);
    CHECK(e.gflops() == doctest::Approx(e.flops / e.seconds * 1e-9));
    CHECK(e.gbps() == doctest::Approx((e.bytes_read + e.bytes_written) / e.seconds * 1e-9));
  }
  CHECK(share > 0);
  CHECK(share <= 1);
  const double seconds = profile.seconds();
  net(x);  // nothing after stop() counts
  CHECK(profile.operations().size() == all.size());
  CHECK(entry(profile.operations(), "linear", forward).count == 4);
  CHECK(profile.seconds() == seconds);
  profile.stop();
  CHECK(profile.seconds() == seconds);
}

TEST_CASE("profile: operations belong to the module whose parameters they read") {
  Small net;
  const Tensor x = randn({5, 3});
  Profile profile(net);
  const Tensor scaled = x * 2;  // before any module
  sum(net(scaled)).backward();
  {
    const Scope scope("penalty");
    sum(x * x);
    net.hidden(x);
  }
  x + 1;
  profile.stop();
  const auto all = profile.modules();
  CHECK(entry(all, "hidden", forward).count == 4);  // linear and relu after it, linear again, and the sum after that
  CHECK(entry(all, "out", forward).count == 2);     // linear, sum
  CHECK(entry(all, "penalty", forward).count == 2);
  CHECK(entry(all, "", forward).count == 1);
  CHECK(entry(all, "hidden", backward_).count == 2);
  CHECK(entry(all, "out", backward_).count == 2);
  CHECK(entry(all, "hidden", backward_).flops == 2 * 5 * 3 * 4 + 5 * 4 + 20);
  const std::string text = profile.table();
  CHECK(text.find("penalty") != std::string::npos);
  CHECK(text.find("(outside of operations)") != std::string::npos);
  CHECK(text.find("linear") < text.find("module"));
}

TEST_CASE("profile: arithmetic of convolution, attention and recurrent layers") {
  Various net;
  const Tensor images = randn({2, 4, 5, 5}).set_requires_grad(), sequence = randn({2, 7, 3});
  const Tensor q = randn({2, 20, 8}).set_requires_grad(), k = randn({2, 24, 8}), v = randn({2, 24, 16});
  Profile profile(net);
  sum(net.convolution(images)).backward();
  sum(net.recurrent(sequence).output).backward();
  sum(scaled_dot_product_attention(q, k, v)).backward();
  profile.stop();
  const auto all = profile.operations();
  const double products = 2.0 * 2 * 6 * 25 * 2 * 9, outputs = 2 * 6 * 25;
  CHECK(entry(all, "conv2d", forward).flops == products + outputs);
  CHECK(entry(all, "conv2d", backward_).flops == 2 * products + outputs);
  CHECK(entry(all, "recurrent", forward).flops == 2 * 14 * 20 * (3 + 5));
  CHECK(entry(all, "recurrent", backward_).flops == 2 * 2 * 14 * 20 * (3 + 5));
  CHECK(entry(all, "scaled_dot_product_attention", forward).flops == 2 * 2 * 20 * 24 * (8 + 16));
  CHECK(entry(all, "scaled_dot_product_attention", backward_).flops == 2 * 2 * 20 * 24 * (3 * 8 + 2 * 16));
}

TEST_CASE("profile: views move nothing, and of a table only rows are read") {
  const Tensor table = randn({1000, 8}), rows = from(std::vector<std::int64_t>{3, 4});
  Profile profile;
  reshape(table, {8, 1000});
  embedding(table, rows);
  const auto all = profile.operations();
  CHECK(entry(all, "reshape", forward).bytes_read == 0);
  CHECK(entry(all, "reshape", forward).bytes_written == 0);
  const ProfileEntry& e = entry(all, "embedding", forward);
  CHECK(e.bytes_written == 2 * 8 * 4);
  CHECK(e.bytes_read == 2 * 8 * 4 + 2 * 8);
  CHECK(e.flops == 0);
}

TEST_CASE("profile: an inner profile sees its part, the outer one all, and both end what they began") {
  const Tensor x = ones({4});
  Profile outer;
  x + 1;
  {
    const ProfileSection section("outer's");
    Profile inner;
    const ProfileSection both("both's");
    x + 2;
    x * 3;
  }
  x + 4;
  outer.stop();
  x + 5;
  const auto all = outer.operations();
  CHECK(entry(all, "add", forward).count == 3);
  CHECK(entry(all, "mul", forward).count == 1);
  CHECK(entry(all, "outer's", ProfilePhase::section).count == 1);
  const ProfileEntry& both = entry(all, "both's", ProfilePhase::section);
  CHECK(both.count == 1);
  CHECK(both.self_seconds < both.seconds);
  Profile first;
  {
    Profile inner;
    x + 1;
    CHECK(entry(inner.operations(), "add", forward).count == 1);
  }
  x + 1;
  CHECK(entry(first.operations(), "add", forward).count == 2);
}

TEST_CASE("profile: an exception inside of an operation or a rule leaves the record in order") {
  const Tensor x = ones({4}).set_requires_grad();
  const auto broken = [](const Tensor& a) {
    return record({"broken"}, {a}, [](const Inputs&) -> Tensor { throw ShapeError("broken"); });
  };
  const auto broken_rule = [](const Tensor& a) {
    return record(
        {"broken_rule", {}, saves::nothing}, {a}, [](const Inputs& in) { return kernels::copy(in[0]); },
        [](const Saved&, const Tensor& dy) -> Tensor {
          dy + 1;
          throw ShapeError("broken rule");
        });
  };
  Profile profile;
  {
    const ProfileSection section("section");
    CHECK_THROWS_AS(broken(x), ShapeError);
    x + 1;
  }
  CHECK_THROWS_AS(sum(broken_rule(x)).backward(), ShapeError);
  CHECK_THROWS_AS(broken(x), ShapeError);
  sum(x).backward();
  profile.stop();
  const auto all = profile.operations();
  CHECK_FALSE(has(all, "broken", forward));
  CHECK_FALSE(has(all, "broken_rule", backward_));
  CHECK_FALSE(has(all, "add", backward_));
  CHECK(entry(all, "add", forward).count == 1);
  CHECK(entry(all, "sum", backward_).count == 2);
  CHECK(entry(all, "section", ProfilePhase::section).count == 1);
  const ProfileEntry& section = entry(all, "section", ProfilePhase::section);
  CHECK(section.seconds >= entry(all, "add", forward).seconds);
  {
    const Profile after;
    x + 1;
    CHECK(entry(after.operations(), "add", forward).count == 1);
  }
  const auto escape = [&] {
    const Profile lost;
    throw ShapeError("out");
  };
  CHECK_THROWS_AS(escape(), ShapeError);
  CHECK(detail::autograd_state.tracer == nullptr);
}

TEST_CASE("profile: what a checkpoint computes again counts as its rule's") {
  const Tensor x = randn({3, 3}).set_requires_grad(), w = randn({3, 3}).set_requires_grad();
  Profile profile;
  sum(checkpoint([&](const Tensor& a) { return matmul(a, w); }, x)).backward();
  profile.stop();
  const auto all = profile.operations();
  CHECK(entry(all, "matmul", forward).count == 1);
  CHECK_FALSE(has(all, "matmul", backward_));
  // once more forward, and both gradients
  CHECK(entry(all, "checkpoint", backward_).flops == 3 * 2 * 27);
}

TEST_CASE("profile: threads have records of their own, in one profile if they ask for it") {
  const Tensor x = ones({4});
  Profile profile;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      x * 2;  // not recorded
      const ProfileThread here(profile);
      for (int i = 0; i <= t; ++i) x + 1;
    });
  for (std::thread& t : threads) t.join();
  x + 1;
  profile.stop();
  const auto all = profile.operations();
  CHECK(entry(all, "add", forward).count == 1 + 2 + 3 + 1);
  CHECK_FALSE(has(all, "mul", forward));
  std::set<int> rows;
  const nlohmann::json trace = trace_of(profile);
  for (const auto& e : trace["traceEvents"])
    if (e["ph"] == "X") rows.insert(e["tid"].get<int>());
  CHECK(rows == std::set<int>{1, 2, 3, 4});
}

TEST_CASE("profile: the trace holds complete events in microseconds, nested by time, and memory as a counter") {
  Small net;
  const Tensor x = randn({5, 3});
  Profile profile(net, {.memory_interval_us = 0});
  sum(net(x)).backward();
  profile.stop();
  const nlohmann::json trace = trace_of(profile);
  CHECK(trace["displayTimeUnit"] == "ms");
  CHECK(trace["otherData"]["events left out"] == 0);
  double rule_start = 0, rule_end = 0;
  int samples = 0, names = 0, inside = 0, linear = 0;
  for (const auto& e : trace["traceEvents"]) {
    CHECK(e["pid"] == 1);
    if (e["ph"] == "M") ++names;
    if (e["ph"] == "C") {
      ++samples;
      CHECK(e["name"] == "memory");
      CHECK(e["args"]["live bytes"].get<double>() > 0);
    }
    if (e["ph"] != "X") continue;
    CHECK(e["ts"].get<double>() >= 0);
    CHECK((e["ts"].get<double>() + e["dur"].get<double>()) * 1e-6 <= profile.seconds());
    if (e["name"] == "linear" && e["cat"] == "forward") ++linear;
    if (e["name"] == "linear" && e["cat"] == "backward" && e["args"]["module"] == "out") {
      rule_start = e["ts"];
      rule_end = rule_start + e["dur"].get<double>();
    }
  }
  for (const auto& e : trace["traceEvents"])
    if (e["ph"] == "X" && e["name"] == "matmul" && e["ts"] >= rule_start &&
        e["ts"].get<double>() + e["dur"].get<double>() <= rule_end)
      ++inside;
  CHECK(names == 2);
  CHECK(samples > 5);
  CHECK(linear == 2);
  CHECK(inside == 2);

  Profile few({.most_events = 2});
  for (int i = 0; i < 5; ++i) x + 1;
  few.stop();
  CHECK(trace_of(few)["otherData"]["events left out"] == 3);
  CHECK(entry(few.operations(), "add", forward).count == 5);
  CHECK(error_of([&] { few.write_trace("/nowhere/at/all.json"); }) ==
        "FileError: write_trace: /nowhere/at/all.json: No such file or directory");
}

TEST_CASE("profile: nothing is watched without one") {
  const ProfileSection section("alone");
  CHECK_FALSE(section.watched());
  CHECK(detail::autograd_state.tracer == nullptr);
}
