// Which words of a note name a drug, which a problem?
// Forty notes have been marked by hand; they know a third of the drugs and four ways of putting things. The notes to
// be read have the other terms and other words around them. But there are thousands of notes that nobody marked: a
// small BERT reads these first and guesses words that are hidden from it. From that it knows which words stand in one
// another's place, and forty marked notes tell it what they are called. Beside it: the same network without reading.
// The notes are SIMULATED (terms_notes.h).
//   terms [--full] [--seeds N] [--seed FIRST] [--threads N]
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>

#include <weft/weft.h>

#include "arguments.h"
#include "terms_notes.h"

using namespace weft;

/// Finds the terms of notes and compares them with the true ones.
data::SpanScores score(const BertForTokenClassification& net, const data::WordPiece& tokens,
                       const std::vector<Note>& all) {
  const NoGrad off;
  std::vector<std::vector<data::Span>> truth, found;
  for (const Note& note : all) {
    const data::Encoding e = tokens.encode_words(note.words);
    const data::TokenBatch b = tokens.batch({&e, 1});
    const auto best = to_vector<std::int64_t>(squeeze(argmax(net({b.ids}), -1), 0));
    std::vector<std::string> right, guessed;
    for (const std::int64_t tag : note.tags) right.push_back(tag_names[static_cast<std::size_t>(tag)]);
    for (const std::int64_t tag : data::word_labels(e, best, std::ssize(note.words)))
      guessed.push_back(tag_names[static_cast<std::size_t>(tag)]);
    truth.push_back(data::bio_spans(right));
    found.push_back(data::bio_spans(guessed));
  }
  return data::span_scores(truth, found);
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), reading = 1500, learning = 120;
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::set<std::string> words;
  for (const auto* list : {&drugs, &problems, &templates})
    for (const std::string& each : *list)
      for (std::string& word : data::WordCoder::split(each)) words.insert(std::move(word));
  vocabulary.insert(vocabulary.end(), words.begin(), words.end());
  const data::WordPiece tokens(vocabulary);
  const BertConfig config{.vocab_size = tokens.size(),
                          .hidden_size = 64,
                          .num_hidden_layers = 2,
                          .num_attention_heads = 2,
                          .intermediate_size = 128,
                          .max_position_embeddings = 32,
                          .labels = tag_names};
  const data::MaskingOptions masking{.mask = tokens.mask(),
                                     .vocabulary = tokens.size(),
                                     .never = {tokens.padding(), tokens.begin(), tokens.separator()}};
  std::vector<double> f1[2];
  std::vector<show::Line> curves;
  show::TextTable table({"network", "term", "precision", "recall", "F1"});
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    manual_seed(seed);
    Generator g{seed, 1 << 20};
    const std::vector<Note> marked = notes(40, 4, 10, g), unseen = notes(300, 99, 99, g);
    BertForMaskedLM reader(config);
    optim::AdamW optimizer(parameters(reader), {.lr = 2e-3, .weight_decay = 1e-2});
    optim::Scheduler schedule(optimizer,
                              optim::OneCycleLr{.max_lr = 2e-3, .total_steps = reading + 1, .cycle_momentum = false});
    curves.push_back({"seed " + std::to_string(seed), {}, {}});
    for (int step = 0; step < reading; ++step) {
      const data::TokenBatch b = batch(tokens, notes(32, 99, 99, g)).first;
      const data::MaskedTokens hidden = data::mask_tokens(b.ids, masking, g);
      const Tensor loss = reader.loss({hidden.ids, b.types, b.attention_mask}, hidden.labels);
      loss.backward();
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      if (step % 10 == 9) curves.back().y.push_back(loss.item());
      progress.update(s * reading + step + 1, seeds * reading, "reading");
    }
    for (const bool read : {false, true}) {
      BertForTokenClassification net(config);
      if (read) net.bert = clone(reader.bert);
      train(net);
      optim::AdamW tuner(parameters(net), {.lr = 1e-3, .weight_decay = 1e-2});
      const auto [b, tags] = batch(tokens, marked);
      for (int step = 0; step < learning; ++step) {
        net.loss({b.ids, b.types, b.attention_mask}, tags).backward();
        tuner.step();
        tuner.zero_grad();
      }
      eval(net);
      const data::SpanScores found = score(net, tokens, unseen);
      f1[read].push_back(found.all.f1());
      for (const auto& [type, one] : found.types)
        if (s == 0)
          table.row({read ? "read first" : "did not read", type, show::fixed(one.precision()),
                     show::fixed(one.recall()), show::fixed(one.f1())});
    }
  }
  progress.finish();
  std::printf("Simulated notes; terms of 300 unseen ones, first seed:\n%s", table.str(show::Style::of(stdout)).c_str());
  for (const bool read : {false, true}) {
    const data::Interval mean_of = data::mean_interval(f1[read]);
    std::printf("F1 %-12s %.3f (95 %% interval of the mean over %d seeds %.3f to %.3f)\n",
                read ? "read first" : "did not read", mean_of.estimate, seeds, mean_of.low, mean_of.high);
  }
  std::filesystem::create_directories("runs");
  show::save_plot("runs/terms.svg", curves,
                  {.title = "Reading", .x_label = "10 steps", .y_label = "loss of hidden words"});
  std::puts("the course of reading: runs/terms.svg");
}
