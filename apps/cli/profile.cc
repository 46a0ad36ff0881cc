// mote profile: where the time of a run goes.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "mote/system.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  ArrayOptions arrays;
  double seconds = 1;
  int top = 20;
  bool roofline = false;
  std::string trace;
};

// One step of the plan over all runs. A control step's own time is without that of its bodies' steps.
struct Row {
  std::string name, op, kernel;
  std::vector<std::int64_t> shape;
  std::int64_t calls = 0;
  double own_ms = 0;
  double macs = 0, bytes = 0;  // of all calls
  double least_ms = 0;         // of one call: what other work on the machine disturbs least
};

struct Profile {
  std::vector<Row> steps, kernels;
  double total_ms = 0;
  int runs = 0;
  std::vector<StepTiming> last;
  Ceilings ceilings;  // with --roofline
};

// What a row reached of what the machine can do.
struct Roof {
  double gflops = 0, gbytes = 0;  // per second
  bool by_memory = false;         // which ceiling is the lower one for its work
  double share = 0;               // of that ceiling
};

Roof roof_of(const Row& r, const Ceilings& c) {
  Roof roof;
  const double calls = static_cast<double>(r.calls), seconds = r.least_ms * calls / 1e3;
  const double compute = r.macs / c.macs_per_s, memory = r.bytes / c.bytes_per_s;
  if (seconds <= 0) return roof;
  roof.gflops = 2e-9 * r.macs / seconds;
  roof.gbytes = 1e-9 * r.bytes / seconds;
  roof.by_memory = memory > compute;
  roof.share = std::max(compute, memory) / seconds;
  return roof;
}

// Durations without what other steps took meanwhile: a step that runs bodies ends after their steps.
std::vector<std::int64_t> own_times(const std::vector<StepTiming>& run) {
  std::vector<std::int64_t> own(run.size());
  for (std::size_t i = 0; i < run.size(); ++i) {
    own[i] = run[i].duration_ns;
    for (std::size_t k = i; k-- > 0 && run[k].start_ns >= run[i].start_ns;) own[i] -= own[k];
  }
  return own;
}

void add(std::vector<Row>& rows, std::map<std::string, std::size_t>& index, const std::string& key, const StepTiming& t,
         double ms) {
  auto [it, is_new] = index.emplace(key, rows.size());
  if (is_new) rows.push_back({t.name, t.op, t.kernel, t.shape});
  rows[it->second].calls += 1;
  rows[it->second].own_ms += ms;
  if (is_new || ms < rows[it->second].least_ms) rows[it->second].least_ms = ms;
  rows[it->second].macs += static_cast<double>(t.macs);
  rows[it->second].bytes += static_cast<double>(t.bytes);
}

Result<Profile> measure(const Options& o) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(load.overrides, o.arrays.names());
  MOTE_ASSIGN(RunOptions run, o.model.run());
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  MOTE_ASSIGN(Model model, load_model(o.model.path, load));
  MOTE_ASSIGN(SessionOptions with, o.model.session(model));
  MOTE_ASSIGN(Session session, model.session(with));
  std::vector<media::Array> arrays;
  if (o.arrays.empty()) {
    MOTE_ASSIGN(media::Limits limits, o.model.limits());
    MOTE_ASSIGN(arrays, random_inputs(session.inputs(), o.model.seed, limits));
  } else {
    MOTE_ASSIGN(arrays, o.arrays.read(limits));
  }
  MOTE_TRY(bind_inputs(session, arrays));
  progress("profiling ...");
  MOTE_TRY(session.run(run));
  session.enable_profile(true);
  Profile p;
  std::map<std::string, std::size_t> by_step, by_kernel;
  for (double end = now_ms() + o.seconds * 1e3; p.runs == 0 || now_ms() < end;) {
    double start = now_ms();
    MOTE_TRY(session.run(run));
    p.total_ms += now_ms() - start;
    ++p.runs;
    p.last = session.profile();
    std::vector<std::int64_t> own = own_times(p.last);
    for (std::size_t i = 0; i < p.last.size(); ++i) {
      const StepTiming& t = p.last[i];
      double ms = static_cast<double>(own[i]) / 1e6;
      add(p.steps, by_step, concat(t.name, "\n", t.kernel, "\n", shape_text(t.shape)), t, ms);
      add(p.kernels, by_kernel, concat(t.op, "\n", t.kernel), t, ms);
    }
  }
  if (o.roofline) p.ceilings = measure_ceilings(with.threads > 0 ? with.threads : system_info().threads);
  for (std::vector<Row>* rows : {&p.steps, &p.kernels}) {
    std::stable_sort(rows->begin(), rows->end(), [](const Row& a, const Row& b) { return a.own_ms > b.own_ms; });
  }
  return p;
}

// Trace Event Format, complete events; loads in Perfetto and chrome://tracing.
Status write_trace(const Options& o, const Profile& p) {
  Json events = Json::array();
  events.push_back(
      {{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", "mote " + o.model.path}}}});
  events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", "steps"}}}});
  std::int64_t origin = p.last.empty() ? 0 : p.last.front().start_ns;
  for (const StepTiming& t : p.last) origin = std::min(origin, t.start_ns);
  for (const StepTiming& t : p.last) {
    events.push_back({{"name", t.name.empty() ? t.kernel : t.name},
                      {"cat", t.op},
                      {"ph", "X"},
                      {"ts", static_cast<double>(t.start_ns - origin) / 1e3},
                      {"dur", static_cast<double>(t.duration_ns) / 1e3},
                      {"pid", 1},
                      {"tid", 1},
                      {"args", {{"kernel", t.kernel}, {"shape", shape_text(t.shape)}}}});
  }
  Json trace = {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  MOTE_ASSIGN(FileWriter file, FileWriter::create(o.trace));
  MOTE_TRY(file.write(trace.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
  return file.commit();
}

Json to_json(const std::vector<Row>& rows, const Profile& p, bool steps) {
  double all = 0;
  for (const Row& r : rows) all += r.own_ms;
  Json list = Json::array();
  for (const Row& r : rows) {
    Json row = Json::object();
    if (steps) row["name"] = r.name;
    row["op"] = r.op;
    row["kernel"] = r.kernel;
    if (steps) row["shape"] = r.shape;
    row["calls"] = static_cast<double>(r.calls) / p.runs;
    row["ms"] = r.own_ms / p.runs;
    row["share"] = all > 0 ? r.own_ms / all : 0;
    row["macs"] = r.macs / p.runs;
    row["bytes"] = r.bytes / p.runs;
    if (steps) row["least_ms"] = r.least_ms;
    if (steps && p.ceilings.macs_per_s > 0 && p.ceilings.bytes_per_s > 0) {
      const Roof roof = roof_of(r, p.ceilings);
      row["gflops"] = roof.gflops;
      row["gbytes_per_s"] = roof.gbytes;
      row["bound"] = roof.by_memory ? "memory" : "compute";
      row["of_ceiling"] = roof.share;
    }
    list.push_back(std::move(row));
  }
  return list;
}

// Steps against the ceiling that their work has: arithmetic in registers, or reading memory.
void print_roofline(const Options& o, const Profile& p) {
  Table steps({"least ms", "GFLOP/s", "GB/s", "bound by", "of it", "kernel", "shape", "node"},
              {true, true, true, false, true});
  double reached = 0, all = 0;
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    const Row& r = p.steps[i];
    const Roof roof = roof_of(r, p.ceilings);
    const double ms = r.least_ms * static_cast<double>(r.calls);
    reached += roof.share * ms;
    all += ms;
    if (i >= static_cast<std::size_t>(o.top)) continue;
    steps.add({fixed(ms / p.runs, 4), fixed(roof.gflops, 1), fixed(roof.gbytes, 1),
               roof.by_memory ? "memory" : "compute", fixed(100 * roof.share, 0) + " %", r.kernel, shape_text(r.shape),
               clean_text(r.name, 60)});
  }
  std::printf("\n");
  steps.print();
  std::printf("\nceilings: %s GFLOP/s in f32 registers, %s GB/s from memory; all steps reach %s %% of theirs by time\n",
              fixed(2e-9 * p.ceilings.macs_per_s, 1).c_str(), fixed(1e-9 * p.ceilings.bytes_per_s, 1).c_str(),
              fixed(all > 0 ? 100 * reached / all : 0, 0).c_str());
}

void print(const Options& o, const Profile& p) {
  double all = 0;
  for (const Row& r : p.kernels) all += r.own_ms;
  auto share = [&](const Row& r) { return fixed(all > 0 ? 100 * r.own_ms / all : 0, 1) + " %"; };
  Table kernels({"ms", "share", "calls", "op", "kernel"}, {true, true, true});
  for (const Row& r : p.kernels) {
    kernels.add(
        {fixed(r.own_ms / p.runs, 4), share(r), fixed(static_cast<double>(r.calls) / p.runs, 0), r.op, r.kernel});
  }
  kernels.print();
  std::printf("\n");
  Table steps({"ms", "share", "kernel", "shape", "node"}, {true, true});
  for (std::size_t i = 0; i < p.steps.size() && i < static_cast<std::size_t>(o.top); ++i) {
    const Row& r = p.steps[i];
    steps.add({fixed(r.own_ms / p.runs, 4), share(r), r.kernel, shape_text(r.shape), clean_text(r.name, 80)});
  }
  steps.print();
  std::printf("\n%s ms per run, %d runs; %s ms outside of steps\n", fixed(p.total_ms / p.runs, 3).c_str(), p.runs,
              fixed((p.total_ms - all) / p.runs, 4).c_str());
}

}  // namespace

void register_profile(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "profile", "show where the time goes, step by step",
                            "mote profile mobilenet_v2.onnx --threads 1 --trace trace.json");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  o->arrays.add(*verb);
  verb->add_option("--seconds", o->seconds, "how long to measure")->check(CLI::Range(0.0, 1e6));
  verb->add_option("--top", o->top, "how many steps to print")->check(CLI::Range(1, 1000000));
  verb->add_flag("--roofline", o->roofline, "hold each step against what this machine can do, measured");
  verb->add_option("--trace", o->trace, "write the last run as Trace Event JSON, for Perfetto");
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(Profile p, measure(*o));
    progress("");
    if (!o->trace.empty()) MOTE_TRY(write_trace(*o, p));
    if (globals.json) {
      Json out = {{"runs", p.runs},
                  {"run_ms", p.total_ms / p.runs},
                  {"ops", to_json(p.kernels, p, false)},
                  {"steps", to_json(p.steps, p, true)}};
      if (o->roofline) {
        out["ceiling_gflops"] = 2e-9 * p.ceilings.macs_per_s;
        out["ceiling_gbytes_per_s"] = 1e-9 * p.ceilings.bytes_per_s;
      }
      print_json(out);
    } else {
      print(*o, p);
      if (o->roofline) print_roofline(*o, p);
    }
    return 0;
  });
}

}  // namespace mote::cli
