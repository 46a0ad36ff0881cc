// mote convert and mote verify.
#include "mote/convert.h"

#include <cstdio>

#include "base/text.h"
#include "cli.h"

namespace mote::cli {

void register_convert(CLI::App& app, int& exit_code) {
  CLI::App* verb =
      add_verb(app, "convert", "write a model in another format", "mote convert model.onnx -o model.mote --target all");
  struct Options {
    ModelOptions model;
    std::string out;
    bool plans_only = false, tune = false;
  };
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_option("-o,--output", o->out, "what to write: .mote, .onnx or .ir (Mote IR text)")->required();
  verb->add_flag("--plans-only", o->plans_only,
                 "leave the module out of a .mote file: smaller, for these targets only");
  verb->add_flag("--tune", o->tune, kTuneHelp);
  verb->get_option("--target")
      ->description("what a .mote file is prepared for: host, avx2, avx512, aarch64, all; several by commas");
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(FileFormat format, file_format(o->out));
    ConvertOptions options;
    MOTE_ASSIGN(options.load, o->model.load());
    options.load.target.clear();
    options.load.tune = o->tune;
    if (!o->model.target.empty()) {
      split(o->model.target, ',', [&](std::string_view target) { options.targets.emplace_back(target); });
    }
    options.keep_module = !o->plans_only;
    double start = now_ms();
    MOTE_TRY(convert(o->model.path, o->out, format, options));
    double ms = now_ms() - start;
    if (globals.json) {
      print_json({{"output", o->out}, {"convert_ms", ms}});
    } else {
      say(concat("wrote ", o->out, " in ", fixed(ms, 1), " ms"));
    }
    return 0;
  });
}

void register_verify(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "verify", "check that a model file is sound", "mote verify model.mote");
  auto o = std::make_shared<ModelOptions>();
  o->add(*verb);
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(LoadOptions load, o->load());
    MOTE_ASSIGN(std::string checked, verify_file(o->path, load));
    if (globals.json) {
      print_json({{"ok", true}, {"checked", checked}});
    } else {
      std::printf("ok: %s\n", checked.c_str());
    }
    return 0;
  });
}

}  // namespace mote::cli
