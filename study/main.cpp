#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

// The one place that includes it: it costs seconds to compile.
#include <CLI/CLI.hpp>

#include <weft/study/commands.h>
#include <weft/study/config.h>
#include <weft/study/interrupt.h>
#include <weft/study/terminal.h>
#include <weft/study/version.h>

namespace {

using weft::study::CommandOptions;

constexpr int user_error = 2;
constexpr int interrupted = 130;

int complain(const std::string& message, int status) {
  const auto style = weft::study::Style::of(stderr);
  std::fprintf(stderr, "%s %s\n", style.red("error:").c_str(), message.c_str());
  return status;
}

void common(CLI::App* command, CommandOptions& options) {
  command->add_flag("--json", options.json, "print results as JSON (progress goes to stderr)");
  command->add_flag("-q,--quiet", options.quiet, "no progress");
}

}  // namespace

int main(int argc, char** argv) {
  CommandOptions options;
  bool skip_missing = false;
  void (*run)(const CommandOptions&) = nullptr;

  CLI::App app("weft: train and compare ways to weave several kinds of evidence into one decision", "weft");
  app.set_version_flag("--version", std::string("weft ") + weft::study::version);
  app.require_subcommand(1);

  const auto study_command = [&](const char* name, const char* text) {
    CLI::App* command = app.add_subcommand(name, text);
    command->add_option("study", options.study, "a study file, see docs/studies.md")->required();
    command->add_option("-o,--out", options.out, "folder for the results (runs/<study>)");
    command->add_option("--seed", options.seed, "instead of the study's");
    command->add_flag("--resume", options.resume, "go on where Ctrl-C stopped, to the same result");
    command->add_flag("--skip-missing", skip_missing, "end with status 0 when the study's data are not here");
    common(command, options);
    return command;
  };
  study_command("train", "train the study's fusion and keep it")->callback([&] { run = weft::study::run_train; });
  CLI::App* compare = study_command("compare", "compare fusions, single modalities and plain baselines");
  compare->add_option("--splits", options.splits, "instead of the study's")->check(CLI::Range(2, 100000));
  compare->add_option("-j,--jobs", options.jobs, "splits at a time (one per core)")->check(CLI::Range(1, 4096));
  compare->callback([&] { run = weft::study::run_compare; });

  CLI::App* evaluate = app.add_subcommand("evaluate", "judge a kept model on its test rows, or on other rows");
  evaluate->add_option("model", options.study, "the folder that weft train wrote")->required();
  evaluate->add_option("--rows", options.rows, "a CSV with the study's columns and target");
  common(evaluate, options);
  evaluate->callback([&] { run = weft::study::run_evaluate; });

  CLI::App* predict = app.add_subcommand("predict", "class probabilities and weights for the rows of a CSV");
  predict->add_option("model", options.study, "the folder that weft train wrote")->required();
  predict->add_option("rows", options.rows, "a CSV with the study's columns")->required();
  predict->add_option("-o,--out", options.out, "a CSV file (stdout)");
  predict->callback([&] { run = weft::study::run_predict; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : user_error;
  }
  weft::study::catch_interrupts();
  try {
    run(options);
    return 0;
  } catch (const weft::study::MissingData& e) {
    if (!skip_missing) return complain(e.what(), user_error);
    std::printf("skipped: %s: %s\n", std::filesystem::path(options.study).stem().c_str(), e.reason.c_str());
    return 0;
  } catch (const weft::study::Interrupted&) {
    std::fputs("\ninterrupted; weft goes on from here with --resume\n", stderr);
    return interrupted;
  } catch (const weft::Error& e) {
    return complain(e.what(), user_error);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
}
