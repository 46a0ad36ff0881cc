// lstm and gru as exporters write them (sigmoid and tanh, no peepholes, whole sequences) on kernels/dot and
// kernels/rnn: first the products of all inputs, then the recurrence.
#include "kernels/rnn/rnn.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "backends/cpu/narrow_weights.h"
#include "kernels/scratch.h"

namespace mote::cpu {
namespace {

namespace kd = kernels::dot;
namespace kr = kernels::rnn;

struct RnnStep {
  std::int64_t inputs = 0, hidden = 0, directions = 1;
  std::int32_t lstm = 1, reverse = 0, isa = 0, has_bias = 0, reset_first = 0, unused = 0;
  std::int32_t input_store = 0, recurrent_store = 0;  // a kernels::dot::Store
};

struct RnnState {
  kd::Params products;
  kr::Params recurrence;
  kernels::KernelFn<kd::Params> run_products;
  kernels::KernelFn<kr::Params> run_recurrence;
};

void run_products(const void* state, kernels::TileRange range) noexcept {
  const RnnState& s = *static_cast<const RnnState*>(state);
  s.run_products(s.products, range);
}
void run_recurrence(const void* state, kernels::TileRange range) noexcept {
  const RnnState& s = *static_cast<const RnnState*>(state);
  s.run_recurrence(s.recurrence, range);
}

std::int64_t gates_of(const RnnStep& s) { return s.lstm ? 4 : 3; }
bool has_reset_bias(const RnnStep& s) { return !s.lstm && !s.reset_first; }

kd::Store store_of(std::int32_t s) { return static_cast<kd::Store>(s); }

// Packs [n, k] of f32.
void pack_matrix(kd::Store store, const std::byte* from, std::int64_t k, std::int64_t n, std::byte* to) {
  const kd::PackSource source{from, DType::f32, 1, k};
  if (store != kd::Store::kF32) return kd::pack_halves(store, source, k, n, to, kd::panel_bytes(store, k));
  kd::pack(source, k, n, reinterpret_cast<float*>(to), k * kd::kPanel);
}

// W [directions, gates * hidden, inputs] as one matrix with all directions' gates as its columns.
Packing pack_inputs(const RnnStep& s) {
  Packing p;
  p.operand = 1;
  const kd::Store store = store_of(s.input_store);
  p.name = packing_name("rnn.w", store);
  std::int64_t k = s.inputs, n = s.directions * gates_of(s) * s.hidden;
  p.bytes = static_cast<std::size_t>(kd::packed_bytes(store, k, n));
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) { pack_matrix(store, plain.data, k, n, out.data()); };
  return p;
}

// R [directions, gates * hidden, hidden], one matrix per direction.
Packing pack_recurrent(const RnnStep& s) {
  Packing p;
  p.operand = 2;
  const kd::Store store = store_of(s.recurrent_store);
  p.name = packing_name("rnn.r", store);
  std::int64_t k = s.hidden, n = gates_of(s) * s.hidden, directions = s.directions;
  const kr::Parts parts = kr::recurrent_parts(s.lstm, s.reset_first, k);
  p.bytes = static_cast<std::size_t>(directions * kr::packed_bytes(store, parts, k));
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) {
    std::byte* to = out.data();
    for (std::int64_t d = 0; d < directions; ++d) {
      for (int i = 0; i < parts.count; ++i) {
        const kr::Part& part = parts.part[i];
        pack_matrix(store, plain.data + (d * n + part.first) * k * 4, k, part.columns, to);
        to += kd::packed_bytes(store, k, part.columns);
      }
    }
  };
  return p;
}

// B [directions, 2 * gates * hidden]: what is added to the inputs' products, then, for a gru whose reset acts behind
// the product, what is added inside of it.
Packing pack_bias(const RnnStep& s) {
  Packing p;
  p.operand = 3;
  p.name = "rnn.b";
  std::int64_t h = s.hidden, gates = gates_of(s), directions = s.directions;
  const bool whole = !has_reset_bias(s);
  p.bytes = static_cast<std::size_t>(directions * (gates + (whole ? 0 : 1)) * h) * 4;
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) {
    float* to = reinterpret_cast<float*>(out.data());
    for (std::int64_t d = 0; d < directions; ++d) {
      const float *w = plain.as<float>() + d * 2 * gates * h, *r = w + gates * h;
      for (std::int64_t i = 0; i < gates * h; ++i) to[d * gates * h + i] = whole || i < 2 * h ? w[i] + r[i] : w[i];
      for (std::int64_t i = 0; !whole && i < h; ++i) to[directions * gates * h + d * h + i] = r[2 * h + i];
    }
  };
  return p;
}

// Whether the cell is the usual one: sigmoid, then tanh, spelt out or not, and no clipping.
bool plain_cell(const NodeView& n, bool lstm) {
  if (n.node.attrs.has("clip") || (lstm && n.attr_int("input_forget") != 0)) return false;
  const std::vector<std::string> names = attr_strings(*n.node.op, n.node.attrs, "activations");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view want = i % (lstm ? 3 : 2) == 0 ? "sigmoid" : "tanh";
    const bool same = std::ranges::equal(names[i], want, [](char a, char b) { return (a | 0x20) == b; });
    if (!same) return false;
  }
  return true;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  RnnStep s;
  s.lstm = n.node.op->name == "lstm";
  if (!s.lstm && n.node.op->name != "gru") return std::nullopt;
  const Constant *w = n.constant(1), *r = n.constant(2);
  if (!w || !r || !n.type(0).has_rank() || n.type(0).rank() != 3 || n.type(0).dtype != DType::f32 ||
      w->type.dtype != DType::f32 || r->type.dtype != DType::f32)
    return std::nullopt;
  if (n.has(4) || n.has(7) || (n.has(3) && !n.constant(3)) || n.attr_int("layout") != 0) return std::nullopt;
  if (!plain_cell(n, s.lstm)) return std::nullopt;
  s.reset_first = !s.lstm && n.attr_int("linear_before_reset") == 0;
  std::vector<std::int64_t> wd = *constant_extents(*w->type.shape), rd = *constant_extents(*r->type.shape);
  if (wd.size() != 3 || rd.size() != 3 || rd[2] < 1 || wd[2] < 1 || wd[1] != gates_of(s) * rd[2] || wd[0] < 1 ||
      wd[0] > 2)
    return std::nullopt;
  s.directions = wd[0];
  s.inputs = wd[2];
  s.hidden = rd[2];
  s.reverse = n.attr_string("direction") == "reverse";
  s.has_bias = n.has(3);
  s.input_store = static_cast<std::int32_t>(store_for(*w));
  s.recurrent_store = static_cast<std::int32_t>(store_for(*r));
  CpuFeatures cpu = options.cpu;
  const kr::Row& row = kr::select(cpu);
  s.isa = static_cast<std::int32_t>(row.isa);
  Claim c;
  c.kernel = "rnn";
  c.numerics = row.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kPlain, false},
              {Layout::kPacked, false},
              {Layout::kPacked, false},
              {Layout::kPacked, false},
              {Layout::kPlain, false}};
  c.packings.push_back(pack_inputs(s));
  c.packings.push_back(pack_recurrent(s));
  if (s.has_bias) c.packings.push_back(pack_bias(s));
  c.why = std::string(row.name) + ", inputs' products first" + why_store(*r, store_of(s.recurrent_store));
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  RnnStep s = from_params<RnnStep>(call.params);
  auto in = [&](std::size_t i) { return i < call.inputs.size() ? call.inputs[i] : nullptr; };
  auto out = [&](std::size_t i) { return i < call.outputs.size() ? call.outputs[i] : nullptr; };
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (!in(0) || !in(1) || !in(2) || s.hidden < 1 || s.inputs < 1 || s.hidden > kMost || s.inputs > kMost ||
      s.directions < 1 || s.directions > 2)
    return invalid("rnn needs its operands");
  const TensorView& x = *in(0);
  std::int64_t gates = gates_of(s), columns = s.directions * gates * s.hidden;
  if (x.rank != 3 || x.dtype != DType::f32 || x.dims[2] != s.inputs || !dense(call.inputs) || !dense(call.outputs))
    return invalid("rnn got operands of the wrong kind");
  if (!sizes_fit({x.dims[0], x.dims[1] + 32, columns + 32, std::max(s.inputs, s.hidden) + 32}))
    return invalid("rnn got operands that are too large");
  for (std::int32_t store : {s.input_store, s.recurrent_store}) {
    if (store < 0 || store > static_cast<std::int32_t>(kd::Store::kBf16))
      return invalid("rnn names weights that there are not");
  }
  const std::int64_t packed =
      kr::packed_bytes(store_of(s.recurrent_store), kr::recurrent_parts(s.lstm, s.reset_first, s.hidden), s.hidden);
  if (!holds_packed(in(1), kd::packed_bytes(store_of(s.input_store), s.inputs, columns)) ||
      !holds_packed(in(2), s.directions * packed))
    return invalid("rnn got too few packed weights");
  if (s.has_bias && !holds_packed(in(3), (columns + (has_reset_bias(s) ? s.directions * s.hidden : 0)) * 4))
    return invalid("rnn got too small a bias");
  std::int64_t steps = x.dims[0], batch = x.dims[1], states = s.directions * batch * s.hidden;
  for (std::size_t i : {5, 6}) {
    if (in(i) && (in(i)->dtype != DType::f32 || in(i)->count() != states))
      return invalid("rnn got an initial state of the wrong shape");
  }
  for (std::size_t o = 0; o < 3; ++o) {
    if (out(o) && (out(o)->dtype != DType::f32 || out(o)->count() != (o == 0 ? steps : 1) * states))
      return invalid("rnn got a result of the wrong shape");
  }
  if (states == 0) return {};
  auto* st = new (state) RnnState();
  CpuFeatures cpu = capped(active_cpu(), static_cast<Isa>(s.isa));
  const kd::Kernel& dot = kd::select(cpu);
  kd::Shape shape;
  shape.m = steps * batch;
  shape.n = columns;
  shape.k = s.inputs;
  shape.store = store_of(s.input_store);
  kd::Work products = kd::setup(dot, shape, &st->products);
  std::int64_t product_bytes = (std::max<std::int64_t>(steps * batch * columns, 1) * 4 + 63) / 64 * 64;
  st->products.a = x.as<float>();
  st->products.b = in(1)->data;
  st->products.bias = s.has_bias ? in(3)->as<float>() : nullptr;
  st->products.c = reinterpret_cast<float*>(call.shared_scratch);
  st->run_products = dot.run;
  if (products.tiles > 0) work.add(run_products, products.tiles);

  kr::Params& p = st->recurrence;
  p.lstm = s.lstm;
  p.reset_first = s.reset_first && !s.lstm;
  p.steps = steps;
  p.batch = batch;
  p.hidden = s.hidden;
  p.directions = s.directions;
  p.reverse[0] = s.reverse;
  p.reverse[1] = true;
  p.x = st->products.c;
  p.weights = in(2)->data;
  p.store = store_of(s.recurrent_store);
  p.reset_bias = has_reset_bias(s) && s.has_bias && in(3)->data ? in(3)->as<float>() + columns : nullptr;
  p.h0 = in(5) ? in(5)->as<float>() : nullptr;
  p.c0 = s.lstm && in(6) ? in(6)->as<float>() : nullptr;
  p.y = out(0) ? out(0)->as<float>() : nullptr;
  p.y_h = out(1) ? out(1)->as<float>() : nullptr;
  p.y_c = s.lstm && out(2) ? out(2)->as<float>() : nullptr;
  p.dot = &dot;
  p.threads = call.threads;
  kr::Work recurrence = kr::setup(&p);
  st->run_recurrence = kr::select(cpu).run;
  work.thread_scratch = std::max(products.scratch_bytes, recurrence.scratch_bytes);
  work.shared_scratch = kernels::scratch_size(product_bytes + static_cast<std::int64_t>(recurrence.shared_bytes));
  p.states = call.shared_scratch ? reinterpret_cast<float*>(call.shared_scratch + product_bytes) : nullptr;
  work.add(run_recurrence, recurrence.tiles, recurrence.rounds);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "rnn", .state_bytes = sizeof(RnnState), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(rnn, claim, kKernels);

}  // namespace mote::cpu
