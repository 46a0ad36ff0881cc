#include <unistd.h>

#include <cstdlib>

#include "cli.h"
#include "mote/version.h"

int main(int argc, char** argv) {
  using namespace mote::cli;
  CLI::App app("Mote runs machine-learning models at the edge.", "mote");
  app.set_version_flag("--version", std::string("mote ") + mote::kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", globals.json, "print one JSON object");
  app.add_flag("-v,--verbose", globals.verbose, "say more on stderr");
  app.add_flag("-q,--quiet", globals.quiet, "say nothing but errors on stderr");
  app.footer("mote VERB --help explains a verb, with an example.");
  globals.terminal = isatty(STDERR_FILENO) != 0;
  globals.colour = globals.terminal && std::getenv("NO_COLOR") == nullptr;

  int exit_code = 0;
  for (Register add : {register_run, register_bench, register_plan}) add(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForAllHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return fail(mote::invalid(e.what()).hint("mote --help lists the verbs and options"));
  }
  return exit_code;
}
