#include <weft/study/completion.h>

#include <algorithm>

#include <weft/tensor/error.h>

namespace weft::study {
namespace {

/// In single quotes, for a shell.
std::string shell_word(const std::string& s) {
  std::string out = "'";
  for (const char c : s) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += text(out.empty() ? "" : between, word);
  return out;
}

/// f(path, command) for each command, from the outside: "weft", "weft simulate", "weft simulate clinic".
template <class F>
void walk(const CommandText& command, const std::string& path, F&& f) {
  f(path, command);
  for (const CommandText& each : command.commands) walk(each, path + ' ' + each.name, f);
}

/// The bash that offers what may stand for a value.
std::string bash_values(const OptionText& option) {
  if (!option.choices.empty()) return "_weft_list " + shell_word(joined(option.choices, " "));
  if (option.value == "STUDY") return "_weft_files toml";
  if (option.value == "CSV") return "_weft_files csv";
  if (option.value == "MODEL" || option.value == "FOLDER") return "_weft_folders";
  if (option.value == "FILE" || option.value == "DATA" || option.value == "NPY") return "_weft_files ''";
  return ":";
}

constexpr const char* bash_helpers = R"(# bash completion of weft, made by weft completion bash.
_weft_lines() { local line; COMPREPLY=(); while IFS= read -r line; do COMPREPLY+=("$line"); done; }
_weft_files() { _weft_lines < <(compgen -d -- "$cur"; compgen -f -X "!*${1:+.$1}" -- "$cur" | while IFS= read -r f; do [ -d "$f" ] || printf '%s\n' "$f"; done); }
_weft_folders() { _weft_lines < <(compgen -d -- "$cur"); }
_weft_words() { compopt +o filenames 2>/dev/null; _weft_lines < <(compgen -W "$1" -- "$cur"); }
_weft_list() {
  local before=''
  case $cur in *,*) before=${cur%,*}, ;; esac
  compopt +o filenames 2>/dev/null
  _weft_lines < <(compgen -P "$before" -W "$1" -- "${cur##*,}")
}
)";

/// How zsh names what stands for a value.
std::string zsh_values(const OptionText& option) {
  const std::string name = option.value.empty() || option.value[0] == '{' ? option.names.back() : option.value;
  if (!option.choices.empty()) return text(':', name, ":_values -s , value ", joined(option.choices, " "));
  if (option.value == "STUDY") return text(':', name, ":_files -g \"*.toml(-.)\"");
  if (option.value == "CSV") return text(':', name, ":_files -g \"*.csv(-.)\"");
  if (option.value == "MODEL" || option.value == "FOLDER") return text(':', name, ":_files -/");
  if (option.value == "FILE" || option.value == "DATA" || option.value == "NPY") return text(':', name, ":_files");
  return text(':', name, ": ");
}

/// What may not stand as it is in the text of _arguments.
std::string zsh_text(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string bash_completion(const CommandText& weft) {
  std::string paths, values, words;
  walk(weft, "weft", [&](const std::string& path, const CommandText& command) {
    std::string offered, positionals;
    for (const CommandText& each : command.commands) {
      paths += (paths.empty() ? "" : " | ") + shell_word(path + ' ' + each.name);
      offered += each.name + ' ';
    }
    std::size_t place = 0;
    for (const OptionText& option : command.options) {
      if (option.positional) {
        positionals += text("        ", place++, ") ", bash_values(option), " ;;\n");
        continue;
      }
      offered += joined(option.names, " ") + ' ';
      if (option.value.empty()) continue;
      std::string patterns;
      for (const std::string& name : option.names)
        patterns += (patterns.empty() ? "" : " | ") + shell_word(path + ' ' + name);
      values += "    " + patterns + ") " + bash_values(option) + "; return ;;\n";
    }
    if (!offered.empty()) offered.pop_back();
    words += "    " + shell_word(path) + ")\n      case $cur in -*) _weft_words " + shell_word(offered) +
             "; return ;; esac\n";
    if (!command.commands.empty())
      words += "      _weft_words " + shell_word(offered) + "\n";
    else if (!positionals.empty())
      words += "      case $place in\n" + positionals + "      esac\n";
    words += "      ;;\n";
  });
  // Which words are values of options is known by the same table: a positional's place counts the others.
  std::string taking;
  walk(weft, "weft", [&](const std::string& path, const CommandText& command) {
    for (const OptionText& option : command.options)
      if (!option.positional && !option.value.empty())
        for (const std::string& name : option.names)
          taking += (taking.empty() ? "" : " | ") + shell_word(path + ' ' + name);
  });
  return text(bash_helpers, "_weft() {\n",
              "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=weft place=0 i\n",
              "  COMPREPLY=()\n", "  for ((i = 1; i < COMP_CWORD; ++i)); do\n",
              "    case \"$command ${COMP_WORDS[i]}\" in\n", "      ", paths,
              ") command=\"$command ${COMP_WORDS[i]}\" ;;\n", "      ", taking, ") ((++i)) ;;\n", "      *' -'*) ;;\n",
              "      *) ((++place)) ;;\n", "    esac\n", "  done\n", "  case \"$command $prev\" in\n", values,
              "  esac\n", "  case $command in\n", words, "  esac\n", "}\n", "complete -o filenames -F _weft weft\n");
}

std::string zsh_completion(const CommandText& weft) {
  std::string out = "#compdef weft\n# zsh completion of weft, made by weft completion zsh.\n";
  walk(weft, "weft", [&](const std::string& path, const CommandText& command) {
    std::string name = "_" + path;
    std::ranges::replace(name, ' ', '_');
    if (path == "weft") name = "_weft_all";
    std::string arguments, commands, cases;
    std::size_t place = 0;
    for (const OptionText& option : command.options) {
      const std::string values = option.value.empty() ? "" : zsh_values(option);
      if (option.positional) {
        arguments += " \\\n    " + shell_word(text(++place, values));
        continue;
      }
      // Each name by itself, and all of them only once.
      for (const std::string& each : option.names)
        arguments += " \\\n    " + shell_word(text('(', joined(option.names, " "), ')', each, '[',
                                                   zsh_text(option.text), ']', values));
    }
    for (const CommandText& each : command.commands) {
      commands += " " + shell_word(each.name + ':' + zsh_text(each.text));
      cases += text("        ", each.name, ") _", path == "weft" ? "weft" : name.substr(1), "_", each.name, " ;;\n");
    }
    out += name + "() {\n";
    if (commands.empty()) {
      out += "  _arguments -s" + arguments + "\n}\n";
      return;
    }
    out += "  local curcontext=\"$curcontext\" state line\n  local -a commands=(" + commands + ")\n  _arguments -C" +
           arguments +
           " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command) _describe command "
           "commands "
           ";;\n    argument)\n      case $line[1] in\n" +
           cases + "      esac\n      ;;\n  esac\n}\n";
  });
  return out +
         "_weft() { _weft_all \"$@\"; }\nif [ \"$funcstack[1]\" = _weft ]; then _weft \"$@\"; else compdef _weft weft; "
         "fi\n";
}

}  // namespace weft::study
