#include <weft/study/command_line.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <new>

// The one place that includes it: it costs seconds to compile.
#include <CLI/CLI.hpp>

#include <weft/show/terminal.h>
#include <weft/study/commands.h>
#include <weft/study/completion.h>
#include <weft/study/config.h>
#include <weft/study/explain.h>
#include <weft/study/impute.h>
#include <weft/study/init.h>
#include <weft/study/inspect.h>
#include <weft/study/interrupt.h>
#include <weft/study/manual.h>
#include <weft/study/report.h>
#include <weft/study/robustness.h>
#include <weft/study/simulate.h>
#include <weft/study/version.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

constexpr int user_error = 2;
constexpr int was_interrupted = 130;

int complain(const std::string& message, int status) {
  const auto style = show::Style::of(stderr);
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
  const std::string name = chosen.empty() ? above : text(above, ' ', command.get_name());
  if (chosen.empty() && argc > 1 && argv[1][0] != '-')
    return complain(text(above, ": there is no command \"", argv[1], "\"", closest(argv[1], commands), "\n  help: run ",
                         above, " --help"),
                    user_error);
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& each : option->get_lnames()) options.push_back(text("--", each));
  for (const std::string& extra : command.remaining())
    if (extra.starts_with("-"))
      return complain(text(name, ": there is no option \"", extra, "\"", closest(extra, options), "\n  help: run ",
                           name, " --help"),
                      user_error);
  std::string what = e.what();
  if (chosen.empty()) what = "a command is required";
  if (!what.empty() && what[0] >= 'A' && what[0] <= 'Z') what[0] = static_cast<char>(what[0] - 'A' + 'a');
  while (what.ends_with('\n')) what.pop_back();
  return complain(text(name, ": ", what, "\n  help: run ", name, " --help"), user_error);
}

/// An unsigned number: CLI11 would take -1 for the largest there is.
const CLI::Validator whole(
    [](const std::string& s) {
      return s.empty() || s.find_first_not_of("0123456789") != std::string::npos
                 ? text(s, " is not a whole number from 0 on")
                 : std::string();
    },
    "", "whole");

CLI::Validator range(int least, int largest) { return CLI::Range(least, largest).description(""); }

/// What all commands share while the command line is described and parsed.
struct Line {
  CLI::App app{"weft: train and compare ways to weave several kinds of evidence into one decision", "weft"};
  CommandOptions options;
  SimulateOptions simulation;
  InitOptions init;
  InspectOptions inspection;
  std::string shell;
  bool skip_missing = false;  ///< a study without its data is no error
  bool resumes = false;       ///< what was interrupted can go on
  std::function<void()> run;

  CLI::App* command(const char* name, const char* about, const char* examples) {
    return app.add_subcommand(name, about)->footer(text("Examples:\n", examples));
  }
  /// The command runs a function of the common options; what Ctrl-C stops may go on with --resume.
  void runs(CLI::App* command, void (*f)(const CommandOptions&), bool may_resume = false) {
    command->callback([=, this] {
      run = [f, this] { f(options); };
      resumes = may_resume;
    });
  }
};

// ---- options that several commands have. What follows one (STUDY, MODEL, CSV, FOLDER ...) tells completion which
// files.

void study_file(Line& line, CLI::App* command) {
  command->add_option("study", line.options.study, "a study file, see docs/studies.md")->required()->type_name("STUDY");
}

void model_folder(Line& line, CLI::App* command) {
  command->add_option("model", line.options.study, "the folder that weft train wrote")->required()->type_name("MODEL");
}

void out_folder(Line& line, CLI::App* command) {
  command->add_option("-o,--out", line.options.out, "folder for the results (runs/<study>)")->type_name("FOLDER");
}

void out_csv(Line& line, CLI::App* command) {
  command->add_option("-o,--out", line.options.out, "a CSV file (stdout)")->type_name("CSV");
  command->add_flag("--json", line.options.json, "print rows as JSON, where no --out is given");
}

void file_rows(Line& line, CLI::App* command) {
  command
      ->add_option("--file", line.options.files,
                   "rows of a modality that the study reads from NPY files; once per such modality")
      ->allow_extra_args(false)
      ->type_name("MODALITY=NPY");
  command->add_option("--quality", line.options.qualities, "the same, of the quality of a modality")
      ->allow_extra_args(false)
      ->type_name("MODALITY=NPY");
}

void seed(Line& line, CLI::App* command) {
  command->add_option("--seed", line.options.seed, "instead of the study's")->check(whole)->type_name("N");
}

void skip_missing(Line& line, CLI::App* command) {
  command->add_flag("--skip-missing", line.skip_missing, "end with status 0 when the study's data are not here");
}

void splits_and_jobs(Line& line, CLI::App* command) {
  command->add_option("--splits", line.options.splits, "instead of the study's")
      ->check(range(2, 100000))
      ->type_name("N");
  command->add_option("-j,--jobs", line.options.jobs, "splits at a time (one per core)")
      ->check(range(1, 4096))
      ->type_name("N");
}

void results(Line& line, CLI::App* command) {
  command->add_flag("--json", line.options.json, "print results as JSON");
  command->add_flag("-q,--quiet", line.options.quiet, "no progress");
}

/// What train and compare share.
CLI::App* fitting_command(Line& line, const char* name, const char* about, const char* examples) {
  CLI::App* command = line.command(name, about, examples);
  study_file(line, command);
  out_folder(line, command);
  seed(line, command);
  command->add_flag("--resume", line.options.resume, "go on where Ctrl-C stopped, to the same result");
  command->add_option("--log", line.options.log, "curves as they come: csv, json, tensorboard, or several (none)")
      ->delimiter(',')
      ->type_name("{csv,json,tensorboard}");
  skip_missing(line, command);
  results(line, command);
  return command;
}

// ---- the description for others

CommandText description_of(const CLI::App& app) {
  CommandText out{app.get_name(), app.get_description(), app.get_footer(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    OptionText o;
    for (const std::string& name : option->get_snames()) o.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) o.names.push_back("--" + name);
    o.positional = o.names.empty();
    if (o.positional) o.names.push_back(option->get_single_name());
    if (option->get_type_size() > 0) o.value = option->get_type_name();
    if (o.value == "FUSIONS") o.choices = fusion_names();
    if (o.value.starts_with('{')) o.choices = CLI::detail::split(o.value.substr(1, o.value.size() - 2), ',');
    o.text = option->get_description();
    o.required = option->get_required();
    out.options.push_back(std::move(o));
  }
  for (const CLI::App* command : app.get_subcommands({})) out.commands.push_back(description_of(*command));
  return out;
}

// ---- the commands, each with its examples

void add_init(Line& line) {
  CLI::App* command = line.command("init", "draft a study file from a CSV or a folder of NPY files",
                                   "  weft init patients.csv                        guesses all of it: patients.toml\n"
                                   "  weft init patients.csv --target diagnosis -o first.toml\n"
                                   "  weft init arrays/ --target y.npy              a folder of NPY files\n");
  InitOptions& init = line.init;
  command->add_option("data", init.data, "a CSV, gzipped or not, or a folder of NPY files")
      ->required()
      ->type_name("DATA");
  command->add_option("-o,--out", init.out, "the study file (<data>.toml)")->type_name("STUDY");
  command->add_option("--target", init.target, "the column, or the array, to predict (guessed)")->type_name("NAME");
  command->add_flag("--force", init.force, "replace a study file that is there");
  command->add_flag("--json", init.json, "print what was guessed as JSON");
  command->add_flag("-q,--quiet", init.quiet, "print nothing");
  command->callback([&line] { line.run = [&line] { run_init(line.init); }; });
}

void add_inspect(Line& line) {
  CLI::App* command = line.command("inspect", "what is in a study, a kept model or a data file",
                                   "  weft inspect patients.csv                     columns, gaps, likely target\n"
                                   "  weft inspect studies/alzheimer.toml           rows, classes, modalities\n"
                                   "  weft inspect runs/alzheimer --json            layers and parameters\n");
  InspectOptions& inspection = line.inspection;
  command
      ->add_option("file", inspection.path,
                   "a study, the folder of a model or of arrays, CSV, NPY, NPZ, IDX, NIfTI, DICOM, EDF, safetensors, "
                   "PNG or JPEG")
      ->required()
      ->type_name("FILE");
  command->add_option("--target", inspection.target, "of a CSV: the column to predict (guessed)")->type_name("NAME");
  command->add_flag("--json", inspection.json, "print results as JSON");
  command->callback([&line] { line.run = [&line] { run_inspect(line.inspection); }; });
}

void add_train(Line& line) {
  CLI::App* command =
      fitting_command(line, "train", "train the study's fusion and keep it",
                      "  weft train studies/alzheimer.toml             the model goes to runs/alzheimer\n"
                      "  weft train studies/alzheimer.toml -o gate --seed 3\n"
                      "  weft train studies/alzheimer.toml --log csv,tensorboard\n"
                      "  weft train studies/alzheimer.toml --resume    after Ctrl-C, to the same result\n");
  line.runs(command, run_train, true);
}

void add_compare(Line& line) {
  CLI::App* command =
      fitting_command(line, "compare", "compare fusions, single modalities and plain baselines",
                      "  weft compare studies/alzheimer.toml           a table, and runs/alzheimer/report.html\n"
                      "  weft compare studies/alzheimer.toml --splits 5 --jobs 2\n"
                      "  weft compare studies/rosmap.toml --json --quiet > rosmap.json\n");
  splits_and_jobs(line, command);
  line.runs(command, run_compare, true);
}

void add_evaluate(Line& line) {
  CLI::App* command = line.command("evaluate", "judge a kept model on its test rows, or on other rows",
                                   "  weft evaluate runs/alzheimer                  its own test rows\n"
                                   "  weft evaluate runs/alzheimer --rows new.csv   rows with the target\n");
  model_folder(line, command);
  command->add_option("--rows", line.options.rows, "a CSV with the study's columns and target")->type_name("CSV");
  file_rows(line, command);
  command->add_option("--target", line.options.target, "classes of new rows, where the study reads them from NPY files")
      ->type_name("NPY");
  results(line, command);
  line.runs(command, run_evaluate);
}

void add_predict(Line& line) {
  CLI::App* command = line.command("predict", "class probabilities and weights for new rows",
                                   "  weft predict runs/alzheimer new.csv           a CSV on the terminal\n"
                                   "  weft predict runs/alzheimer new.csv -o predictions.csv\n"
                                   "  weft predict runs/lesions new.csv --file image=new.npy\n");
  model_folder(line, command);
  command->add_option("rows", line.options.rows, "a CSV with the study's columns, where it has such")->type_name("CSV");
  file_rows(line, command);
  out_csv(line, command);
  line.runs(command, run_predict);
}

void add_explain(Line& line) {
  CLI::App* command = line.command("explain", "what counted for a kept model's answers",
                                   "  weft explain runs/alzheimer                   its own test rows\n"
                                   "  weft explain runs/alzheimer new.csv --by sex -o explained\n");
  model_folder(line, command);
  command->add_option("rows", line.options.rows, "a CSV with the study's columns (the model's test rows)")
      ->type_name("CSV");
  file_rows(line, command);
  command->add_option("-o,--out", line.options.out, "folder for explanations.json (the model's)")->type_name("FOLDER");
  command->add_option("--by", line.options.by, "a column whose values are groups, beside classes and subgroups")
      ->type_name("COLUMN");
  command->add_option("--patients", line.options.patients, "how many rows are explained one by one (1000)")
      ->check(range(0, 100'000'000))
      ->type_name("N");
  results(line, command);
  line.runs(command, run_explain);
}

void add_impute(Line& line) {
  CLI::App* command = line.command("impute", "fill the gaps of a CSV's rows, and say how sure that is",
                                   "  weft impute runs/alzheimer new.csv -o filled.csv\n"
                                   "  weft impute studies/alzheimer.toml new.csv    without a kept model\n");
  command->add_option("model", line.options.study, "a study file, or the folder that weft train wrote")
      ->required()
      ->type_name("STUDY");
  command->add_option("rows", line.options.rows, "a CSV with the study's columns")->required()->type_name("CSV");
  out_csv(line, command);
  seed(line, command);
  skip_missing(line, command);
  line.runs(command, run_impute);
}

void add_robustness(Line& line) {
  CLI::App* command =
      line.command("robustness", "what noise, missing and conflicting modalities do",
                   "  weft robustness studies/alzheimer.toml        curves, and runs/alzheimer/robustness.html\n"
                   "  weft robustness studies/alzheimer.toml --fusions gate,concat,late --splits 5\n");
  study_file(line, command);
  out_folder(line, command);
  command->add_option("--fusions", line.options.fusions, "which ones (the study's, and concat)")
      ->delimiter(',')
      ->type_name("FUSIONS");
  splits_and_jobs(line, command);
  seed(line, command);
  command->add_flag("--resume", line.options.resume, "go on where Ctrl-C stopped, to the same result");
  command->add_flag("--train-missing", line.options.train_missing, "training rows lack as much as test rows do");
  skip_missing(line, command);
  results(line, command);
  line.runs(command, run_robustness, true);
}

void add_report(Line& line) {
  CLI::App* command = line.command("report", "one page of what compare, robustness, train and explain found",
                                   "  weft report runs/alzheimer                    runs/alzheimer/report.html\n"
                                   "  weft report runs/compared runs/model -o page.html\n");
  command->add_option("folders", line.options.folders, "folders of results")->required()->type_name("FOLDER");
  command->add_option("-o,--out", line.options.out, "an HTML file (report.html in the first folder)")
      ->type_name("HTML");
  results(line, command);
  line.runs(command, run_report);
}

void add_simulate(Line& line) {
  SimulateOptions& simulation = line.simulation;
  CLI::App* simulate = line.command("simulate", "make data whose truth is known",
                                    "  weft simulate clinic --out clinic             and then\n"
                                    "  weft compare clinic/study.toml\n");
  simulate->require_subcommand(1);
  CLI::App* clinic = simulate->add_subcommand("clinic", "simulated patients with images, signals, notes and values");
  clinic->footer(
      "Examples:\n"
      "  weft simulate clinic --out clinic             2,000 patients who have everything\n"
      "  weft simulate clinic --out gaps --missing not-random --missing-rate 0.4\n");
  clinic->add_option("-o,--out", simulation.out, "a folder")->required()->type_name("FOLDER");
  clinic->add_option("--patients", simulation.clinic.patients, "how many (2000)")->type_name("N");
  clinic->add_option("--seed", simulation.clinic.seed, "another one makes other patients (0)")
      ->check(whole)
      ->type_name("N");
  clinic->add_option("--missing", simulation.missing, "who lacks modalities: none, random, not-random (none)")
      ->type_name("{none,random,not-random}");
  clinic->add_option("--missing-rate", simulation.clinic.missing_rate, "mean chance to lack each, up to 0.6 (0.3)")
      ->type_name("RATE");
  clinic->add_flag("--json", simulation.json, "print what was made as JSON");
  clinic->add_flag("-q,--quiet", simulation.quiet, "print nothing");
  clinic->callback([&line] { line.run = [&line] { run_simulate_clinic(line.simulation); }; });
}

void add_completion(Line& line) {
  CLI::App* command =
      line.command("completion", "print what bash or zsh need to complete weft's words",
                   "  source <(weft completion bash)                in ~/.bashrc\n"
                   "  weft completion zsh > ~/.zfunc/_weft          a folder of $fpath, before compinit\n");
  command->add_option("shell", line.shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}).description(""))
      ->type_name("{bash,zsh}");
  command->callback([&line] {
    line.run = [&line] {
      const CommandText weft = description_of(line.app);
      print(line.shell == "bash" ? bash_completion(weft) : zsh_completion(weft));
    };
  });
}

void add_man(Line& line) {
  CLI::App* command = line.command("man", "print the manual page",
                                   "  weft man | man -l -                           to read it here\n"
                                   "  weft man > ~/.local/share/man/man1/weft.1     to find it with man weft\n");
  command->callback([&line] { line.run = [&line] { print(manual(description_of(line.app))); }; });
}

constexpr const char* overview =
    "Examples:\n"
    "  weft init patients.csv                    draft a study of one's own table: patients.toml\n"
    "  weft inspect patients.csv                 what is in it\n"
    "  weft compare studies/alzheimer.toml       fusions, single modalities and baselines on the same splits\n"
    "  weft train studies/alzheimer.toml         train the study's own fusion, kept in runs/alzheimer\n"
    "  weft evaluate runs/alzheimer              judge it again on its test rows\n"
    "  weft predict runs/alzheimer new.csv       probabilities and weights for new rows\n"
    "  weft explain runs/alzheimer               weights, Shapley values, and what would change each answer\n"
    "  weft impute runs/alzheimer new.csv        new rows with their gaps filled in, and how sure that is\n"
    "  weft robustness studies/alzheimer.toml    what noise, missing and conflicting modalities do\n"
    "  weft report runs/alzheimer                one page of all that lies there, with a card per patient\n"
    "  weft simulate clinic --out clinic         patients whose truth is known, and a study of them\n"
    "\n"
    "docs/first-study.md leads from a CSV to a comparison; docs/studies.md lists what a study file may say.\n"
    "Exit status: 0 done, 2 something in the input is wrong, 130 interrupted (go on with --resume).\n";

void describe(Line& line) {
  line.app.set_version_flag("--version", std::string("weft ") + version);
  line.app.require_subcommand(1);
  line.app.footer(overview);
  add_init(line);
  add_inspect(line);
  add_train(line);
  add_compare(line);
  add_evaluate(line);
  add_predict(line);
  add_explain(line);
  add_impute(line);
  add_robustness(line);
  add_report(line);
  add_simulate(line);
  add_completion(line);
  add_man(line);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Line line;
  describe(line);
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return e.get_exit_code() == 0 ? line.app.exit(e) : complain(e, line.app, argc, argv);
  }
  catch_interrupts();
  try {
    line.run();
    return 0;
  } catch (const MissingData& e) {
    if (!line.skip_missing) return complain(e.what(), user_error);
    std::printf("skipped: %s: %s\n", std::filesystem::path(line.options.study).stem().c_str(), e.reason.c_str());
    return 0;
  } catch (const Interrupted&) {
    std::fputs(line.resumes ? "\ninterrupted; weft goes on from here with --resume\n" : "\ninterrupted\n", stderr);
    return was_interrupted;
  } catch (const Error& e) {
    return complain(e.what(), user_error);
  } catch (const std::bad_alloc&) {
    return complain("there is not enough memory\n  help: choose smaller networks or a smaller batch", 1);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
}

}  // namespace weft::study
