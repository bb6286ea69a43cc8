#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

// The one place that includes it: it costs seconds to compile.
#include <CLI/CLI.hpp>

#include <weft/show/terminal.h>
#include <weft/study/commands.h>
#include <weft/study/config.h>
#include <weft/study/impute.h>
#include <weft/study/interrupt.h>
#include <weft/study/robustness.h>
#include <weft/study/simulate.h>
#include <weft/study/version.h>
#include <weft/tensor/names.h>

namespace {

using weft::study::CommandOptions;

constexpr int user_error = 2;
constexpr int interrupted = 130;

int complain(const std::string& message, int status) {
  const auto style = weft::show::Style::of(stderr);
  std::fprintf(stderr, "%s %s\n", style.red("error:").c_str(), message.c_str());
  return status;
}

/// What CLI11 says, in the words of all other messages.
int complain(const CLI::ParseError& e, const CLI::App& app, int argc, char** argv) {
  // `weft simulate clinec`: the words of the command that got furthest.
  if (const auto inner = app.get_subcommands(); !inner.empty() && !inner.front()->get_subcommands({}).empty())
    return complain(e, *inner.front(), argc - 1, argv + 1);
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::string above = app.get_parent() ? "weft " + app.get_name() : "weft";
  const std::string name = chosen.empty() ? above : weft::text(above, ' ', command.get_name());
  if (chosen.empty() && argc > 1 && argv[1][0] != '-')
    return complain(weft::text(above, ": there is no command \"", argv[1], "\"", weft::closest(argv[1], commands),
                               "\n  help: run ", above, " --help"),
                    user_error);
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& each : option->get_lnames()) options.push_back(weft::text("--", each));
  for (const std::string& extra : command.remaining())
    if (extra.starts_with("-"))
      return complain(weft::text(name, ": there is no option \"", extra, "\"", weft::closest(extra, options),
                                 "\n  help: run ", name, " --help"),
                      user_error);
  std::string what = e.what();
  if (chosen.empty()) what = "a command is required";
  if (!what.empty() && what[0] >= 'A' && what[0] <= 'Z') what[0] = static_cast<char>(what[0] - 'A' + 'a');
  while (what.ends_with('\n')) what.pop_back();
  return complain(weft::text(name, ": ", what, "\n  help: run ", name, " --help"), user_error);
}

/// Somebody may have closed a standard stream: files opened later must not take its number.
void occupy_streams() {
  while (true) {
    const int descriptor = ::open("/dev/null", O_RDWR);
    if (descriptor > 2) ::close(descriptor);
    if (descriptor > 2 || descriptor < 0) return;
  }
}

/// An unsigned number: CLI11 would take -1 for the largest there is.
const CLI::Validator whole(
    [](const std::string& s) {
      return s.empty() || s.find_first_not_of("0123456789") != std::string::npos
                 ? weft::text(s, " is not a whole number from 0 on")
                 : std::string();
    },
    "", "whole");

constexpr const char* examples =
    "Examples:\n"
    "  weft compare studies/alzheimer.toml       fusions, single modalities and baselines on the same splits\n"
    "  weft train studies/alzheimer.toml         train the study's own fusion, kept in runs/alzheimer\n"
    "  weft evaluate runs/alzheimer              judge it again on its test rows\n"
    "  weft predict runs/alzheimer new.csv       probabilities and weights for new rows\n"
    "  weft impute runs/alzheimer new.csv        new rows with their gaps filled in, and how sure that is\n"
    "  weft robustness studies/alzheimer.toml    what noise, missing and conflicting modalities do\n"
    "  weft simulate clinic --out clinic         patients whose truth is known, and a study of them\n"
    "\n"
    "docs/first-study.md leads from a CSV to a comparison; docs/studies.md lists what a study file may say.\n"
    "Exit status: 0 done, 2 something in the input is wrong, 130 interrupted (go on with --resume).\n";

void common(CLI::App* command, CommandOptions& options) {
  command->add_flag("--json", options.json, "print results as JSON");
  command->add_flag("-q,--quiet", options.quiet, "no progress");
}

}  // namespace

int main(int argc, char** argv) {
  occupy_streams();
  CommandOptions options;
  bool skip_missing = false;
  void (*run)(const CommandOptions&) = nullptr;

  CLI::App app("weft: train and compare ways to weave several kinds of evidence into one decision", "weft");
  app.set_version_flag("--version", std::string("weft ") + weft::study::version);
  app.require_subcommand(1);
  app.footer(examples);

  const auto study_command = [&](const char* name, const char* text) {
    CLI::App* command = app.add_subcommand(name, text);
    command->add_option("study", options.study, "a study file, see docs/studies.md")->required();
    command->add_option("-o,--out", options.out, "folder for the results (runs/<study>)");
    command->add_option("--seed", options.seed, "instead of the study's")->check(whole);
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

  CLI::App* impute = app.add_subcommand("impute", "fill the gaps of a CSV's rows, and say how sure that is");
  impute->add_option("model", options.study, "a study file, or the folder that weft train wrote")->required();
  impute->add_option("rows", options.rows, "a CSV with the study's columns")->required();
  impute->add_option("-o,--out", options.out, "a CSV file (stdout)");
  impute->add_option("--seed", options.seed, "instead of the study's")->check(whole);
  impute->add_flag("--skip-missing", skip_missing, "end with status 0 when the study's data are not here");
  impute->callback([&] { run = weft::study::run_impute; });

  CLI::App* robustness = app.add_subcommand("robustness", "what noise, missing and conflicting modalities do");
  robustness->add_option("study", options.study, "a study file, see docs/studies.md")->required();
  robustness->add_option("-o,--out", options.out, "folder for the results (runs/<study>)");
  robustness->add_option("--fusions", options.fusions, "which ones (the study's, and concat)")->delimiter(',');
  robustness->add_option("--splits", options.splits, "instead of the study's")->check(CLI::Range(2, 100000));
  robustness->add_option("--seed", options.seed, "instead of the study's")->check(whole);
  robustness->add_option("-j,--jobs", options.jobs, "splits at a time (one per core)")->check(CLI::Range(1, 4096));
  robustness->add_flag("--resume", options.resume, "go on where Ctrl-C stopped, to the same result");
  robustness->add_flag("--train-missing", options.train_missing, "training rows lack as much as test rows do");
  robustness->add_flag("--skip-missing", skip_missing, "end with status 0 when the study's data are not here");
  common(robustness, options);
  robustness->callback([&] { run = weft::study::run_robustness; });
  weft::study::SimulateOptions simulation;
  CLI::App* simulate = app.add_subcommand("simulate", "make data whose truth is known");
  simulate->require_subcommand(1);
  CLI::App* clinic = simulate->add_subcommand("clinic", "simulated patients with images, signals, notes and values");
  clinic->add_option("-o,--out", simulation.out, "a folder")->required();
  clinic->add_option("--patients", simulation.clinic.patients, "how many (2000)");
  clinic->add_option("--seed", simulation.clinic.seed, "another one makes other patients (0)")->check(whole);
  clinic->add_option("--missing", simulation.missing, "who lacks modalities: none, random, not-random (none)");
  clinic->add_option("--missing-rate", simulation.clinic.missing_rate, "mean chance to lack each, up to 0.6 (0.3)");
  clinic->add_flag("-q,--quiet", simulation.quiet, "print nothing");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return e.get_exit_code() == 0 ? app.exit(e) : complain(e, app, argc, argv);
  }
  weft::study::catch_interrupts();
  try {
    if (run)
      run(options);
    else
      weft::study::run_simulate_clinic(simulation);
    return 0;
  } catch (const weft::study::MissingData& e) {
    if (!skip_missing) return complain(e.what(), user_error);
    std::printf("skipped: %s: %s\n", std::filesystem::path(options.study).stem().c_str(), e.reason.c_str());
    return 0;
  } catch (const weft::study::Interrupted&) {
    const bool resumes =
        run == weft::study::run_train || run == weft::study::run_compare || run == weft::study::run_robustness;
    std::fputs(resumes ? "\ninterrupted; weft goes on from here with --resume\n" : "\ninterrupted\n", stderr);
    return interrupted;
  } catch (const weft::Error& e) {
    return complain(e.what(), user_error);
  } catch (const std::bad_alloc&) {
    return complain("there is not enough memory\n  help: choose smaller networks or a smaller batch", 1);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
}
