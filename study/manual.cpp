#include <weft/study/manual.h>

#include <weft/study/version.h>
#include <weft/tensor/error.h>

namespace weft::study {
namespace {

/// Text as troff prints it: its own signs told apart, and no line that begins like a request.
std::string plain(const std::string& s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if ((c == '.' || c == '\'') && (i == 0 || s[i - 1] == '\n')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string usage_of(const OptionText& option) {
  std::string out;
  for (const std::string& name : option.names) out += (out.empty() ? "" : ", ") + ("\\fB" + plain(name) + "\\fR");
  if (option.positional) out = "\\fI" + plain(option.names.front()) + "\\fR";
  // A list of choices is in the text already.
  if (!option.value.empty() && !option.positional) out += " \\fI" + plain(option.value) + "\\fR";
  return out;
}

/// "Examples:" and its lines as they are; other paragraphs as text.
std::string footer_of(const std::string& footer) {
  constexpr std::string_view head = "Examples:\n";
  if (!footer.starts_with(head)) return "";
  const std::size_t end = footer.find("\n\n");
  return ".PP\nExamples:\n.PP\n.nf\n" +
         plain(footer.substr(head.size(), end == footer.npos ? end : end + 1 - head.size())) +
         (footer.ends_with('\n') || end != footer.npos ? "" : "\n") + ".fi\n";
}

void add(std::string& out, const std::string& path, const CommandText& command) {
  if (!command.commands.empty()) {
    for (const CommandText& each : command.commands) add(out, path + ' ' + each.name, each);
    return;
  }
  std::string synopsis = "\\fB" + plain(path) + "\\fR";
  for (const OptionText& option : command.options)
    if (option.positional) synopsis += text(option.required ? " " : " [", usage_of(option), option.required ? "" : "]");
  out += ".SS " + plain(path.substr(path.find(' ') + 1)) + "\n" + synopsis + " [\\fIoptions\\fR]\n.PP\n" +
         plain(command.text) + ".\n";
  for (const OptionText& option : command.options)
    out += ".TP\n" + usage_of(option) + "\n" + plain(option.text) + (option.required ? " (required)\n" : "\n");
  out += footer_of(command.footer);
}

}  // namespace

std::string manual(const CommandText& weft) {
  std::string out =
      text(".TH WEFT 1 \"\" \"weft ", plain(version), "\" \"User commands\"\n.SH NAME\nweft \\- ",
           plain(weft.text.substr(weft.text.find(' ') + 1)),
           "\n.SH SYNOPSIS\n\\fBweft\\fR \\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n.SH DESCRIPTION\n"
           "Takes a study file, or a table to draft one from, and compares, trains and uses ways to weave several "
           "kinds of evidence into one decision.\n");
  out += footer_of(weft.footer);
  out += ".SH COMMANDS\n";
  for (const CommandText& each : weft.commands) add(out, "weft " + each.name, each);
  out +=
      ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nnot enough memory, or a fault of weft's own\n.TP\n2\nsomething in the "
      "input is "
      "wrong\n.TP\n130\ninterrupted; \\fB\\-\\-resume\\fR goes on where a command has it\n";
  out +=
      ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nno colours, on a terminal either\n.TP\n\\fBWEFT_DATA\\fR\nwhere studies "
      "look for "
      "data that are not shipped with them\n.TP\n\\fBWEFT_ISA\\fR\n\\fBv2\\fR, \\fBv3\\fR or \\fBv4\\fR: the "
      "instruction\\-set "
      "level to use\n";
  return out;
}

}  // namespace weft::study
