#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cli.h"
#include "mote/hooks.h"
#include "mote/version.h"

namespace mote::cli {
namespace {

void print_log(void*, LogLevel level, std::string_view message) {
  if (level == LogLevel::kError || level == LogLevel::kWarning) {
    say(std::string(message));
  } else {
    detail(std::string(message));
  }
}

struct Verb {
  std::string_view name;
  Register add;
};
constexpr Verb kVerbs[] = {
    {"run", register_run},         {"inspect", register_inspect},   {"plan", register_plan},
    {"bench", register_bench},     {"profile", register_profile},   {"compare", register_compare},
    {"convert", register_convert}, {"quantize", register_quantize}, {"prune", register_prune},
    {"verify", register_verify},   {"ops", register_ops},           {"doctor", register_doctor}};

// The first argument that is no option: options before the verb take no values.
std::string_view asked_verb(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] != '-') return argv[i];
  }
  return {};
}

// The options of one verb; of all where none of that name is there, for help and messages.
void add_verbs(CLI::App& app, std::string_view asked, int& exit_code) {
  const bool known = std::ranges::any_of(kVerbs, [&](const Verb& v) { return v.name == asked; });
  for (const Verb& v : kVerbs) {
    if (!known || v.name == asked) v.add(app, exit_code);
  }
}

int parse(CLI::App& app, int argc, char** argv, int& exit_code) {
  try {
    app.parse(argc, argv);
    return exit_code;
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    // Options are not taken over when parsing fails.
    for (int i = 1; i < argc; ++i) globals.json = globals.json || std::strcmp(argv[i], "--json") == 0;
    std::string verb;
    for (const CLI::App* sub : app.get_subcommands()) verb = " " + sub->get_name();
    return fail(invalid(e.what()).hint("mote" + verb + " --help explains"));
  } catch (const std::bad_alloc&) {
    return fail(Status(Code::kResourceExhausted, "the system gives no more memory"));
  }
}

int main(int argc, char** argv) {
  CLI::App app("Mote runs machine-learning models on small and large devices.", "mote");
  app.set_version_flag("--version", std::string("mote ") + kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", globals.json, "print one JSON object");
  app.add_flag("-v,--verbose", globals.verbose, "say more on stderr");
  app.add_flag("-q,--quiet", globals.quiet, "say nothing but errors on stderr");
  app.footer("mote VERB --help explains a verb, with an example.");
  bool plain = std::getenv("NO_COLOR") != nullptr;
  globals.progress = isatty(STDERR_FILENO) != 0;
  globals.error_colour = globals.progress && !plain;
  globals.colour = isatty(STDOUT_FILENO) != 0 && !plain;
  set_log_hook(print_log, nullptr, LogLevel::kDebug);

  int exit_code = 0;
  add_verbs(app, asked_verb(argc, argv), exit_code);
  int code = parse(app, argc, argv, exit_code);
  // A result that could not be written is no result.
  if (std::fflush(stdout) != 0 && code == 0)
    code = fail(Status(Code::kIo, std::string("cannot write the result: ") + std::strerror(errno)));
  return code;
}

}  // namespace
}  // namespace mote::cli

int main(int argc, char** argv) { return mote::cli::main(argc, argv); }
