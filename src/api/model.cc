#include "mote/model.h"

#include <algorithm>

#include "api/engine.h"
#include "api/preparing.h"
#include "base/cpu.h"
#include "base/log.h"
#include "base/text.h"

namespace mote {
namespace {

int find_port(const std::vector<Port>& ports, std::string_view name) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

struct Model::Impl {
  std::shared_ptr<const LinkedPlan> linked;
  std::vector<Port> inputs, outputs;
  std::vector<std::string> signatures;
  LoadTimes times;
};

struct Session::Impl {
  std::unique_ptr<Context> context;
  std::vector<Port> inputs, outputs;
  std::vector<StepTime> times;
  std::vector<TensorView> dense;  // of outputs that are strided
  bool profile = false;
};

namespace {

// What was loaded, and what of it runs slowly.
void log_model(const std::string& name, const Plan& plan, const LoadTimes& times) {
  if (!log_enabled(LogLevel::kInfo)) return;
  std::size_t steps = 0;
  std::vector<std::string> slow;
  for (const PlanFunction& f : plan.functions) {
    steps += f.steps.size();
    for (const Step& s : f.steps) {
      if (s.kernel == kNone) continue;
      std::string_view kernel = plan.kernels[static_cast<std::size_t>(s.kernel)].name;
      if (kernel.starts_with("reference.")) slow.push_back(concat(kernel.substr(10), " '", s.name, "'"));
    }
  }
  log(LogLevel::kInfo,
      concat(name, ": read in ", times.load_ms, " ms, prepared for ", plan.target, " in ", times.prepare_ms,
             " ms: ", steps, " steps, weights of ", human_bytes(static_cast<std::int64_t>(plan.weight_bytes()))));
  if (slow.empty()) return;
  std::size_t count = slow.size();
  slow.resize(std::min<std::size_t>(count, 8));
  log(LogLevel::kInfo, concat(name, ": ", count, " steps run by reference loops, on one thread: ", join(slow),
                              count > slow.size() ? ", ..." : ""));
}

Result<Model> make_model(std::shared_ptr<const Source> source, const std::string& folder, const LoadOptions& options) {
  auto impl = std::make_shared<Model::Impl>();
  std::string name = source->name;
  if (api::is_prepared(source->bytes())) {
    std::int64_t start = Stop::now_ns();
    MOTE_TRY(api::check_fixed(options, name));
    MOTE_ASSIGN(impl->linked, api::open_plan(source, options));
    impl->times.load_ms = api::ms_since(start);
  } else {
    MOTE_ASSIGN(impl->linked, api::prepare_source(std::move(source), folder, options, impl->times));
  }
  const Plan& plan = impl->linked->plan;
  impl->inputs = api::ports(plan, plan.signatures[0], true);
  impl->outputs = api::ports(plan, plan.signatures[0], false);
  for (const PlanSignature& signature : plan.signatures) impl->signatures.push_back(signature.name);
  log_model(name, plan, impl->times);
  return Model(std::move(impl));
}

Result<std::int32_t> find_signature(const Plan& plan, std::string_view name) {
  auto it = std::find_if(plan.signatures.begin(), plan.signatures.end(),
                         [&](const PlanSignature& s) { return s.name == name; });
  if (it == plan.signatures.end()) {
    std::string names;
    for (const PlanSignature& s : plan.signatures) names += (names.empty() ? "" : ", ") + s.name;
    return invalid("the model has no signature '" + std::string(name) + "'").hint("it has: " + names);
  }
  return static_cast<std::int32_t>(it - plan.signatures.begin());
}

Session make_session(std::unique_ptr<Context> context, const PlanSignature& signature) {
  auto impl = std::make_unique<Session::Impl>();
  const Plan& plan = context->linked().plan;
  impl->context = std::move(context);
  impl->inputs = api::ports(plan, signature, true);
  impl->outputs = api::ports(plan, signature, false);
  return Session(std::move(impl));
}

}  // namespace

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  MOTE_ASSIGN(auto source, api::map_file(path));
  return make_model(std::move(source), api::folder_of(path), options);
}

Result<Model> Model::load(std::span<const std::byte> bytes, std::string_view name, const LoadOptions& options) {
  return make_model(api::borrow(bytes, name), "", options);
}

Result<Session> Model::session(const SessionOptions& options) const {
  if (std::optional<Isa> isa = isa_of(target()); isa && !active_cpu().has(*isa))
    return unsupported("this CPU does not run " + target()).hint("mote doctor lists what it has");
  ContextOptions o;
  o.threads = options.threads;
  if (options.max_bytes > 0) o.max_bytes = options.max_bytes;
  o.seed = options.seed;
  o.state_capacity = options.state_capacity;
  const Plan& plan = impl_->linked->plan;
  if (!options.signature.empty()) {
    MOTE_ASSIGN(o.signature, find_signature(plan, options.signature));
  }
  MOTE_ASSIGN(std::unique_ptr<Context> context, Context::create(impl_->linked, o));
  return make_session(std::move(context), plan.signatures[static_cast<std::size_t>(o.signature)]);
}

Status Model::save(const std::string& path) const { return api::save_plan(*impl_->linked, path); }

const std::vector<Port>& Model::inputs() const { return impl_->inputs; }
const std::vector<Port>& Model::outputs() const { return impl_->outputs; }
const std::vector<std::string>& Model::signatures() const { return impl_->signatures; }
const std::string& Model::target() const { return impl_->linked->plan.target; }
std::uint64_t Model::weight_bytes() const { return impl_->linked->plan.weight_bytes(); }
const std::vector<std::pair<std::string, std::string>>& Model::metadata() const { return impl_->linked->plan.metadata; }
std::string Model::metadata(std::string_view key) const {
  for (const auto& [k, v] : metadata()) {
    if (k == key) return v;
  }
  return {};
}
PlanInfo Model::plan() const { return api::describe(*impl_->linked); }
LoadTimes Model::times() const { return impl_->times; }

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const std::vector<Port>& Session::inputs() const { return impl_->inputs; }
const std::vector<Port>& Session::outputs() const { return impl_->outputs; }
int Session::input_index(std::string_view name) const { return find_port(impl_->inputs, name); }
int Session::output_index(std::string_view name) const { return find_port(impl_->outputs, name); }

Status Session::set_input(int i, const TensorView& tensor) { return impl_->context->set_input(i, tensor); }
Status Session::set_input(std::string_view name, const TensorView& tensor) {
  int i = input_index(name);
  if (i < 0) return invalid("the model has no input named '" + std::string(name) + "'");
  return set_input(i, tensor);
}
Status Session::set_input_list(int i, std::span<const TensorView> items) {
  return impl_->context->set_input_list(i, items);
}
Status Session::set_input_absent(int i) { return impl_->context->set_input_absent(i); }
Status Session::set_input_strings(int i, std::span<const std::int64_t> shape, std::span<const std::string> elements) {
  return impl_->context->set_input_strings(i, shape, elements);
}
Status Session::set_output(int i, const TensorView& tensor) { return impl_->context->set_output(i, tensor); }

Status Session::run(const RunOptions& options) {
  impl_->times.clear();
  ContextRun run;
  run.cancel = options.cancel;
  if (options.deadline_ns > 0) run.deadline_ns = Stop::now_ns() + options.deadline_ns;
  return impl_->context->run(run);
}

const TensorView& Session::output(int i) const {
  const TensorView& view = impl_->context->output(i);
  if (view.dense()) return view;
  impl_->dense.resize(impl_->outputs.size());
  TensorView& copy = impl_->dense[static_cast<std::size_t>(i)];
  Result<TensorView> dense = impl_->context->dense_output(i);
  copy = dense.ok() ? *dense : TensorView();
  return copy;
}
bool Session::output_present(int i) const { return impl_->context->output_present(i); }

std::vector<TensorView> Session::output_list(int i) const {
  std::vector<TensorView> out;
  if (const OwnedList* list = impl_->context->output_list(i)) {
    for (const OwnedTensor& t : *list) out.push_back(t.view);
  }
  return out;
}

std::vector<std::string> Session::output_strings(const TensorView& v) const {
  std::vector<std::string> out;
  if (v.dtype != DType::string) return out;
  for (std::int64_t i = 0; i < v.count(); ++i) out.emplace_back(impl_->context->string(v.as<StringRef>()[i]));
  return out;
}

Result<Session> Session::sibling(std::string_view signature) const {
  const Plan& plan = impl_->context->linked().plan;
  MOTE_ASSIGN(std::int32_t index, find_signature(plan, signature));
  MOTE_ASSIGN(std::unique_ptr<Context> context, impl_->context->sibling(index));
  return make_session(std::move(context), plan.signatures[static_cast<std::size_t>(index)]);
}

Status Session::reset_states() { return impl_->context->reset_states(); }
std::int64_t Session::arena_bytes() const { return impl_->context->arena_bytes(); }

void Session::enable_profile(bool on) {
  impl_->profile = on;
  impl_->context->set_profile(on ? &impl_->times : nullptr);
}

std::vector<StepTiming> Session::profile() const {
  const Plan& plan = impl_->context->linked().plan;
  std::vector<StepTiming> out;
  for (const StepTime& t : impl_->times) {
    std::string op = t.step->op == kNone ? "" : plan.ops[static_cast<std::size_t>(t.step->op)].name;
    std::string kernel = t.step->kernel == kNone ? op : plan.kernels[static_cast<std::size_t>(t.step->kernel)].name;
    out.push_back({t.step->name, std::move(op), std::move(kernel), t.start_ns, t.duration_ns, t.shape,
                   static_cast<std::int64_t>(t.step->macs), t.bytes});
  }
  return out;
}

void Session::set_step_hook(std::function<Status(const StepResult&)> hook) {
  if (!hook) return impl_->context->set_after_step(nullptr);
  const Plan* plan = &impl_->context->linked().plan;
  impl_->context->set_after_step([hook = std::move(hook), plan](const Step& step, std::span<Cell* const> cells) {
    auto holds = [&](const PlanFunction& f) {
      return &step >= f.steps.data() && &step < f.steps.data() + f.steps.size();
    };
    auto f = std::find_if(plan->functions.begin(), plan->functions.end(), holds);
    std::vector<StepResult::Output> outputs;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Cell* c = cells[i];
      std::int32_t v = step.outputs[i];
      outputs.push_back({v == kNone ? std::string_view() : f->values[static_cast<std::size_t>(v)].name,
                         c && c->present && !c->list ? c->view : TensorView()});
    }
    std::string_view op = step.op == kNone ? std::string_view() : plan->ops[static_cast<std::size_t>(step.op)].name;
    std::string_view kernel = step.kernel == kNone ? op : plan->kernels[static_cast<std::size_t>(step.kernel)].name;
    return hook({step.name, op, kernel, outputs});
  });
}

}  // namespace mote
