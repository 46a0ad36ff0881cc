// mote bench: latency of a model on this machine.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/cpu.h"
#include "cli.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string inputs;
  double seconds = 1, warmup = 0.3;
  std::int64_t batch = 0;
  int concurrency = 1;
};

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double peak_rss_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
}

double percentile(const std::vector<double>& sorted, double p) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(p * static_cast<double>(sorted.size())))];
}

// With --batch N the first extent of every input that is a symbol becomes N.
Status apply_batch(const Options& o, const Model& probe, LoadOptions& load) {
  if (o.batch <= 0) return {};
  for (const Port& p : probe.inputs()) {
    if (p.shape.empty() || p.shape[0].find_first_not_of("0123456789") == std::string::npos) continue;
    load.dims[p.shape[0]] = o.batch;
  }
  if (load.dims.empty())
    return invalid("no input has a symbolic first extent to set --batch to").hint("use --shape NAME=...");
  return {};
}

Status measure(const Options& o, Json& out) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  Result<Model> model = Model::load(o.model.path, load);
  if (!model.ok()) return std::move(model).status();
  if (o.batch > 0) {
    MOTE_TRY(apply_batch(o, *model, load));
    model = Model::load(o.model.path, load);
    if (!model.ok()) return std::move(model).status();
  }
  MOTE_ASSIGN(SessionOptions with, o.model.session());
  MOTE_ASSIGN(RunOptions run, o.model.run());
  std::vector<Session> sessions;
  std::vector<std::vector<media::Array>> arrays(static_cast<std::size_t>(o.concurrency));
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    MOTE_ASSIGN(Session session, model->session(with));
    if (o.inputs.empty()) {
      MOTE_ASSIGN(arrays[i], random_inputs(session.inputs(), o.model.seed));
    } else {
      MOTE_ASSIGN(arrays[i], read_arrays(o.inputs, {}));
    }
    MOTE_TRY(bind_inputs(session, arrays[i]));
    sessions.push_back(std::move(session));
  }
  Session& session = sessions[0];
  double start = now_ms();
  MOTE_TRY(session.run(run));
  double first = now_ms() - start;
  for (double end = now_ms() + o.warmup * 1e3; now_ms() < end;) MOTE_TRY(session.run(run));
  std::vector<double> times;
  for (double end = now_ms() + o.seconds * 1e3; times.empty() || now_ms() < end;) {
    start = now_ms();
    MOTE_TRY(session.run(run));
    times.push_back(now_ms() - start);
  }
  std::sort(times.begin(), times.end());
  PlanInfo plan = model->plan();
  double median = percentile(times, 0.5);
  out["model"] = o.model.path;
  out["load_ms"] = model->times().load_ms;
  out["prepare_ms"] = model->times().prepare_ms;
  out["first_ms"] = first;
  out["min_ms"] = times.front();
  out["p50_ms"] = median;
  out["p90_ms"] = percentile(times, 0.9);
  out["p99_ms"] = percentile(times, 0.99);
  out["runs"] = times.size();
  out["peak_rss_mb"] = peak_rss_mb();
  out["arena_bytes"] = session.arena_bytes();
  out["weight_bytes"] = plan.weight_bytes;
  out["macs"] = plan.macs;
  out["gflops"] = 2e-6 * static_cast<double>(plan.macs) / median;
  out["threads"] = o.model.threads > 0 ? o.model.threads : allowed_threads();
  out["precision"] = o.model.precision;
  out["cpu"] = host_cpu().model;
  out["isa"] = plan.target;
  return {};
}

}  // namespace

void register_bench(CLI::App& app, int& exit_code) {
  auto* sub = app.add_subcommand("bench", "measure latency and memory");
  auto o = std::make_shared<Options>();
  o->model.add(*sub);
  sub->add_option("--inputs", o->inputs, "inputs as .npz; otherwise seeded noise");
  sub->add_option("--seconds", o->seconds, "how long to measure");
  sub->add_option("--warmup", o->warmup, "seconds of runs before measuring");
  sub->add_option("--batch", o->batch, "extent of the symbolic first dimension");
  sub->footer("Example: mote bench mobilenet_v2.onnx --threads 1 --json");
  sub->callback([o, &exit_code] {
    Json out;
    if (Status s = measure(*o, out); !s.ok()) {
      exit_code = fail(s);
    } else if (globals.json) {
      print_json(out);
    } else {
      for (const auto& [key, value] : out.items())
        std::printf("%-14s %s\n", key.c_str(),
                    value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
    }
  });
}

}  // namespace mote::cli
