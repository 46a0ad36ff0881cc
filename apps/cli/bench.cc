// mote bench: latency, throughput, memory and energy of a model on this machine.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>

#include "base/memory_info.h"
#include "base/power.h"
#include "base/text.h"
#include "cli.h"
#include "mote/inspect.h"
#include "mote/system.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  ArrayOptions arrays;
  double seconds = 1, warmup = 0.3;
  std::int64_t batch = 0;
  int concurrency = 1;
  bool tune = false;
};

double percentile(const std::vector<double>& sorted, double p) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(p * static_cast<double>(sorted.size())))];
}

bool is_symbol(const std::string& d) {
  return !d.empty() && !parse_int(d) && d.find_first_of("+-*/%(), ") == std::string::npos;
}

// With --batch N the first extent of every input becomes N, where it is a symbol.
Status apply_batch(const Options& o, LoadOptions& load) {
  if (o.batch <= 0) return {};
  MOTE_ASSIGN(ModelInfo info, inspect(o.model.path, load));
  for (const Port& p : info.signatures.front().inputs) {
    if (p.state || p.shape.empty()) continue;
    if (is_symbol(p.shape[0])) {
      load.dims[p.shape[0]] = o.batch;
    } else if (parse_int(p.shape[0]) != o.batch) {
      return invalid("the first extent of input '" + p.name + "' is " + p.shape[0] + ", not a batch that can be chosen")
          .hint("export the model with a dynamic batch, or use --shape NAME=...");
    }
  }
  return {};
}

struct Worker {
  explicit Worker(Session s) : session(std::move(s)) {}
  Session session;
  std::vector<media::Array> arrays;
  std::vector<double> times;
  Status status;
};

Status repeat(Worker& w, double seconds, const RunOptions& run, bool keep) {
  for (double end = now_ms() + seconds * 1e3; (keep && w.times.empty()) || now_ms() < end;) {
    double start = now_ms();
    MOTE_TRY(w.session.run(run));
    if (keep) w.times.push_back(now_ms() - start);
  }
  return {};
}

// Runs all workers at once; gives the seconds it took.
Result<double> measure(std::vector<std::unique_ptr<Worker>>& workers, double seconds, const RunOptions& run,
                       bool keep) {
  double start = now_ms();
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers.size(); ++i) {
    threads.emplace_back([&, i] { workers[i]->status = repeat(*workers[i], seconds, run, keep); });
  }
  workers[0]->status = repeat(*workers[0], seconds, run, keep);
  for (std::thread& t : threads) t.join();
  for (auto& w : workers) MOTE_TRY(w->status);
  return (now_ms() - start) / 1e3;
}

// Reads the power meter from beginning to end, and often enough for a sensor.
class PowerReading {
 public:
  PowerReading() : meter_(PowerMeter::find()) {
    meter_.start(now_ms() / 1e3);
    if (meter_.present()) thread_ = std::thread([this] { watch(); });
  }
  ~PowerReading() { finish(); }
  PowerReading(const PowerReading&) = delete;
  PowerReading& operator=(const PowerReading&) = delete;
  // The last reading; gives the meter.
  const PowerMeter& finish() {
    if (thread_.joinable()) {
      stop_ = true;
      thread_.join();
      meter_.sample(now_ms() / 1e3);
    }
    return meter_;
  }

 private:
  void watch() {
    while (!stop_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      meter_.sample(now_ms() / 1e3);
    }
  }
  PowerMeter meter_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Of the whole machine, divided among the runs; null where it is not known.
void add_energy(Json& out, const PowerMeter& meter, double seconds, std::size_t runs) {
  const std::optional<double> joules = meter.joules();
  out["power"] = meter.source();
  out["watts"] = joules ? Json(*joules / seconds) : Json();
  out["mj_per_run"] = joules ? Json(*joules * 1e3 / static_cast<double>(runs)) : Json();
}

// Multiply-adds of one run on these inputs; 0 where the model does not tell.
std::int64_t count_macs(const Options& o, const Model& model, LoadOptions load, const Worker& w) {
  if (const std::uint64_t macs = model.plan().macs; macs > 0) return static_cast<std::int64_t>(macs);
  // Extents of the inputs decide.
  load.shapes = shapes_of(w.session.inputs(), w.arrays);
  load.dims.clear();
  Result<ModelInfo> info = inspect(o.model.path, load);
  return info.ok() ? parse_int(info->macs).value_or(0) : 0;
}

Result<Json> bench(const Options& o) {
  const double base = peak_rss_mb();  // before anything is loaded
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(load.overrides, o.arrays.names());
  MOTE_TRY(apply_batch(o, load));
  load.tune = o.tune;
  MOTE_ASSIGN(RunOptions run, o.model.run());
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  progress("loading ...");
  MOTE_ASSIGN(Model model, load_model(o.model.path, load));
  MOTE_ASSIGN(SessionOptions with, o.model.session(model));
  int allowed = system_info().threads;
  if (with.threads == 0 && o.concurrency > 1) with.threads = std::max(1, allowed / o.concurrency);
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < o.concurrency; ++i) {
    MOTE_ASSIGN(Session session, model.session(with));
    workers.push_back(std::make_unique<Worker>(std::move(session)));
    Worker& w = *workers.back();
    if (o.arrays.empty()) {
      MOTE_ASSIGN(media::Limits limits, o.model.limits());
      MOTE_ASSIGN(w.arrays, random_inputs(w.session.inputs(), o.model.seed, limits));
    } else {
      MOTE_ASSIGN(w.arrays, o.arrays.read(limits));
    }
    MOTE_TRY(bind_inputs(w.session, w.arrays));
  }
  drop_code();  // inputs, too, are read once
  progress("measuring ...");
  Worker& first = *workers[0];
  double start = now_ms();
  MOTE_TRY(first.session.run(run));
  double first_ms = now_ms() - start;
  MOTE_TRY(measure(workers, o.warmup, run, false).status());
  PowerReading power;
  MOTE_ASSIGN(double seconds, measure(workers, o.seconds, run, true));
  const PowerMeter& meter = power.finish();
  std::vector<double> times;
  for (const auto& w : workers) times.insert(times.end(), w->times.begin(), w->times.end());
  std::sort(times.begin(), times.end());
  double median = percentile(times, 0.5), peak = peak_rss_mb();
  std::int64_t macs = count_macs(o, model, load, first);
  Json out = {{"model", o.model.path},
              {"load_ms", model.times().load_ms},
              {"prepare_ms", model.times().prepare_ms},
              {"first_ms", first_ms},
              {"min_ms", times.front()},
              {"p50_ms", median},
              {"p90_ms", percentile(times, 0.9)},
              {"p99_ms", percentile(times, 0.99)},
              {"runs", times.size()},
              {"peak_rss_mb", peak},
              {"base_rss_mb", base},
              {"arena_bytes", first.session.arena_bytes()},
              {"weight_bytes", model.weight_bytes()},
              {"macs", macs},
              {"gflops", 2e-6 * static_cast<double>(macs) / median},
              {"threads", with.threads > 0 ? with.threads : allowed},
              {"precision", o.model.precision},
              {"cpu", system_info().cpu},
              {"isa", model.target()}};
  if (o.batch > 0) out["batch"] = o.batch;
  out["concurrency"] = o.concurrency;
  out["runs_per_s"] = static_cast<double>(times.size()) / seconds;
  if (o.batch > 0) out["items_per_s"] = static_cast<double>(times.size()) * static_cast<double>(o.batch) / seconds;
  add_energy(out, meter, seconds, times.size());
  return out;
}

void print(const Json& out) {
  for (const auto& [key, value] : out.items()) {
    if (value.is_null()) continue;
    std::string text = value.is_string()         ? value.get<std::string>()
                       : value.is_number_float() ? fixed(value.get<double>(), 3)
                                                 : value.dump();
    if (value.is_number_integer()) text = grouped(value.get<std::int64_t>());
    std::printf("%-14s %s\n", key.c_str(), text.c_str());
  }
}

}  // namespace

void register_bench(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "bench", "measure latency, throughput, memory and energy",
                            "mote bench mobilenet_v2.onnx --threads 1 --json");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  o->arrays.add(*verb);
  verb->add_option("--seconds", o->seconds, "how long to measure")->check(CLI::Range(0.0, 1e6));
  verb->add_option("--warmup", o->warmup, "seconds of runs before measuring")->check(CLI::Range(0.0, 1e6));
  verb->add_option("--batch", o->batch, "extent of the symbolic first dimension")->check(CLI::Range(1, 1 << 30));
  verb->add_option("--concurrency", o->concurrency, "sessions that run at the same time")->check(CLI::Range(1, 256));
  verb->add_flag("--tune", o->tune, kTuneHelp);
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(Json out, bench(*o));
    progress("");
    globals.json ? print_json(out) : print(out);
    return 0;
  });
}

}  // namespace mote::cli
