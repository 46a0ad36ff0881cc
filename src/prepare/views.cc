// Nodes that move no bytes: reshape and its kin, transpose, slice, split, expand, concat. Each is a view of its
// operand's memory, or, for concat, of the result's; where the bytes do not allow it, the operand is copied first.
#include <algorithm>

#include "prepare/lower.h"

namespace mote {
namespace {

using draft::Perm;

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// Sums of products of symbols, none of them subtracted.
bool only_adds(const Dim& d) {
  if (d.constant_term() < 0) return false;
  return std::all_of(d.terms().begin(), d.terms().end(), [](const Dim::Term& t) {
    return t.coef >= 0 && std::all_of(t.factors.begin(), t.factors.end(),
                                      [](const auto& atom) { return atom->fn == Dim::Fn::kSymbol; });
  });
}

}  // namespace

bool FunctionLowering::is_result(ValueId v) const { return std::ranges::find(f_.outputs, v) != f_.outputs.end(); }

bool FunctionLowering::is_parameter(ValueId v) const { return std::ranges::find(f_.inputs, v) != f_.inputs.end(); }

// True when the node was handled.
Result<bool> FunctionLowering::view_node(const Node& n) {
  if (n.inputs.empty() || n.inputs[0] == kNone || n.outputs.empty() || n.outputs[0] == kNone) return false;
  if (n.op->name == "identity") {
    MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
    // What the heap holds has one name only: a result that an input or another result names too is copied.
    bool unplanned = val(v).late || val(v).kind != Type::Kind::kTensor;
    if (entry_ && unplanned && is_result(n.outputs[0]) && (is_result(n.inputs[0]) || is_parameter(n.inputs[0])))
      return false;
    home_[n.outputs[0]] = v;
    return true;
  }
  const Type& in = f_.values[at(n.inputs[0])].type;
  const Type& out = f_.values[at(n.outputs[0])].type;
  if (!in.is_tensor() || !out.is_tensor()) return false;
  if (n.op->is(kView)) return reshape_view(n);
  for (ValueId v : n.outputs) {
    if (v != kNone && is_late(f_.values[at(v)].type)) return false;
  }
  if (is_late(in) || bits_of(in.dtype) < 8) return false;
  if (n.op->name == "transpose") return transpose_view(n);
  if (n.op->name == "slice") return slice_view(n);
  if (n.op->name == "split") return split_view(n);
  if (n.op->name == "expand") return expand_view(n);
  if (n.op->name == "concat") return concat_view(n);
  if (n.op->name == "gather") return gather_view(n);
  return false;
}

// Whether a value that a reshape has to copy is better copied with its channels last: they are neighbours already, more
// than a few, the result lies so too, and no reader wants it row by row. What depth_to_space gives behind a
// convolution.
bool FunctionLowering::stays_channels_last(const Node& reshape, const Val& v, const Shape& dims) const {
  constexpr std::int64_t kFewBytes = 8;
  if (!v.dims || v.rank() < 4 || dims.size() < 3 || bits_of(v.dtype) < 8) return false;
  const Dim& channels = (*v.dims)[1];
  if (!channels.is_const() || channels.value() * bits_of(v.dtype) / 8 < kFewBytes || !(dims[1] == channels) ||
      !(dims[0] == (*v.dims)[0]) || !draft::strides_of(v)[1].is(1) || is_result(reshape.outputs[0]))
    return false;
  for (const Node& n : f_.nodes) {
    if (std::ranges::find(n.inputs, reshape.outputs[0]) == n.inputs.end()) continue;
    if (n.op->is(kView) || n.op->is(kControl) || n.op->name == "transpose" || n.op->name == "matmul") return false;
  }
  Val copied = v;
  copied.strides.reset();
  copied.perm = draft::channels_last(v.rank());
  const std::optional<std::vector<Dim>> strides = draft::view_strides(copied, dims);
  const std::vector<Dim> dense = draft::dense_strides(dims, draft::channels_last(static_cast<int>(dims.size())));
  for (std::size_t i = 0; strides && i < dims.size(); ++i) {
    if (!dims[i].is(1) && !((*strides)[i] == dense[i])) return false;
  }
  return strides.has_value();
}

Result<bool> FunctionLowering::reshape_view(const Node& n) {
  const Value& out = f_.values[at(n.outputs[0])];
  MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
  if (val(v).late || is_late(out.type)) {
    MOTE_ASSIGN(v, convert(v, OperandWant()));
    if (!is_late(out.type)) {
      // Late bytes of a known shape: they get memory of their own, so that what follows is not late.
      std::int32_t to = fresh_val(out.name, out.type, {});
      Step step;
      step.kernel = shared_.kernel_index("copy", 1);
      step.op = shared_.op_index(*n.op);
      step.inputs = {v};
      step.outputs = {to};
      step.attrs = n.attrs;
      step.name = n.name;
      step.why = "a late shape becomes known";
      home_[n.outputs[0]] = to;
      add_step(std::move(step), kNone);
      return true;
    }
    std::int32_t to = new_val(out.name, out.type);
    Step step;
    step.kernel = shared_.kernel_index("view", 1);
    step.op = shared_.op_index(*n.op);
    step.attrs = n.attrs;
    step.name = n.name;
    step.why = "a view whose shape is known when it runs";
    val(to).alias = v;
    for (ValueId i : n.inputs) {
      std::int32_t operand = kNone;
      if (i != kNone) {
        MOTE_ASSIGN(operand, value(i));
      }
      step.inputs.push_back(operand);
    }
    step.inputs[0] = v;
    step.outputs = {to};
    home_[n.outputs[0]] = to;
    add_step(std::move(step), kNone);
    return true;
  }
  Shape dims = *out.type.shape;
  std::optional<std::vector<Dim>> strides =
      bits_of(val(v).dtype) >= 8 ? draft::view_strides(val(v), dims) : std::nullopt;
  if (!strides) {
    const bool last = stays_channels_last(n, val(v), dims);
    MOTE_ASSIGN(v, convert(v, {last ? Layout::kChannelsLast : Layout::kPlain, false}));
    strides = last ? draft::view_strides(val(v), dims) : draft::dense_strides(dims, {});
  }
  home_[n.outputs[0]] = view_val(v, out.name, std::move(dims), *std::move(strides), Dim(0));
  if (bits_of(val(v).dtype) < 8) val(home_[n.outputs[0]]).strides.reset();
  return true;
}

Result<bool> FunctionLowering::transpose_view(const Node& n) {
  MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
  int rank = val(v).rank();
  std::vector<std::int64_t> perm = attr_ints(*n.op, n.attrs, "perm");
  if (perm.empty()) {
    for (int i = rank; i-- > 0;) perm.push_back(i);
  }
  std::vector<Dim> old = draft::strides_of(val(v)), strides;
  Shape dims;
  for (std::int64_t axis : perm) {
    dims.push_back((*val(v).dims)[static_cast<std::size_t>(axis)]);
    strides.push_back(old[static_cast<std::size_t>(axis)]);
  }
  home_[n.outputs[0]] = view_val(v, f_.values[at(n.outputs[0])].name, std::move(dims), std::move(strides), Dim(0));
  return true;
}

Result<bool> FunctionLowering::slice_view(const Node& n) {
  const KnownValue* starts = n.inputs.size() > 1 && n.inputs[1] != kNone ? known(n.inputs[1]) : nullptr;
  auto ints = [&](std::size_t i) -> std::optional<std::vector<std::int64_t>> {
    const KnownValue* k = i < n.inputs.size() && n.inputs[i] != kNone ? known(n.inputs[i]) : nullptr;
    return k ? constant_extents(*k) : std::nullopt;
  };
  auto has = [&](std::size_t i) { return i < n.inputs.size() && n.inputs[i] != kNone; };
  std::optional<std::vector<std::int64_t>> axes = ints(3), steps = ints(4);
  if (!starts || (has(3) && !axes) || (has(4) && !steps)) return false;
  MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
  int rank = val(v).rank();
  Shape dims = *f_.values[at(n.outputs[0])].type.shape;
  std::vector<Dim> strides = draft::strides_of(val(v));
  Dim offset(0);
  for (std::size_t i = 0; i < starts->size(); ++i) {
    std::int64_t axis = axes ? (*axes)[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += rank;
    std::int64_t step = steps ? (*steps)[i] : 1;
    if (step < 1 || axis < 0 || axis >= rank) return false;
    const Dim& extent = (*val(v).dims)[static_cast<std::size_t>(axis)];
    Dim from = (*starts)[i];
    if (!from.is_const()) {
      if (!only_adds(from)) return false;
      if (!only_adds(extent - from)) from = min(extent, from);
      offset = offset + from * strides[static_cast<std::size_t>(axis)];
      strides[static_cast<std::size_t>(axis)] = strides[static_cast<std::size_t>(axis)] * Dim(step);
      continue;
    }
    std::int64_t start = from.value();
    if (extent.is_const()) {
      from = std::clamp<std::int64_t>(start < 0 ? start + extent.value() : start, 0, extent.value());
    } else if (start < 0) {
      from = max(extent + Dim(start), 0);
    } else if (start > 0) {
      from = min(extent, start);
    }
    std::size_t k = static_cast<std::size_t>(axis);
    offset = offset + from * strides[k];
    strides[k] = strides[k] * Dim(step);
  }
  // An empty slice may start at the very end; its bytes are never touched.
  if (volume(dims).is(0)) offset = 0;
  home_[n.outputs[0]] = view_val(v, f_.values[at(n.outputs[0])].name, std::move(dims), std::move(strides), offset);
  return true;
}

Result<bool> FunctionLowering::split_view(const Node& n) {
  MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
  std::int64_t axis = attr_int(*n.op, n.attrs, "axis");
  std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + val(v).rank() : axis);
  std::vector<Dim> strides = draft::strides_of(val(v));
  Dim from(0);
  for (ValueId o : n.outputs) {
    if (o == kNone) return false;
  }
  for (ValueId o : n.outputs) {
    const Value& out = f_.values[at(o)];
    Dim offset = volume(*out.type.shape).is(0) ? Dim(0) : from * strides[k];
    home_[o] = view_val(v, out.name, *out.type.shape, strides, offset);
    from = from + (*out.type.shape)[k];
  }
  return true;
}

Result<bool> FunctionLowering::expand_view(const Node& n) {
  MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
  Shape dims = *f_.values[at(n.outputs[0])].type.shape, from = *val(v).dims;
  std::vector<Dim> old = draft::strides_of(val(v)), strides(dims.size(), Dim(0));
  for (std::size_t back = 1; back <= from.size(); ++back) {
    std::size_t i = from.size() - back, o = dims.size() - back;
    if (from[i] == dims[o]) {
      strides[o] = old[i];
    } else if (!from[i].is(1)) {
      return false;  // may or may not be 1 at run time
    }
  }
  std::int32_t to = view_val(v, f_.values[at(n.outputs[0])].name, dims, strides, Dim(0));
  // A repeated axis is never dense, also where its extent is 1 at run time.
  if (!val(to).strides && !(from == dims)) {
    val(to).perm.clear();
    val(to).strides = strides;
  }
  home_[n.outputs[0]] = to;
  return true;
}

// Points the producer of v at `part`, a view of the wider result, when nobody has counted on v's own memory.
bool FunctionLowering::retarget(std::int32_t v, std::int32_t part) {
  Val& from = val(v);
  if (from.producer == kNone || !from.producer_takes_strides || from.needs_dense || from.late || from.strides ||
      from.buf == kNone)
    return false;
  if (d_.bufs[at(from.buf)].place != Place::kArena || !from.offset.is(0)) return false;
  std::int32_t sharing = 0;
  for (const Val& other : d_.vals) sharing += other.buf == from.buf ? 1 : 0;
  if (sharing != 1) return false;
  const Val& to = val(part);
  OperandWant want{to.perm.empty() && !to.strides ? Layout::kPlain : Layout::kStrided, true};
  bool last = draft::same_order(*from.dims, from.perm, draft::channels_last(from.rank()));
  if (last) want.layout = Layout::kChannelsLast;
  if (!satisfies(to, want)) return false;
  if (!last && to.strides && !(to.strides->empty() || to.strides->back().is(1))) return false;
  from.buf = to.buf;
  from.offset = to.offset;
  from.perm = to.perm;
  from.strides = to.strides;
  return true;
}

Result<bool> FunctionLowering::concat_view(const Node& n) {
  const Value& out = f_.values[at(n.outputs[0])];
  std::vector<std::int32_t> parts;
  Perm perm;
  bool chosen = false;
  for (ValueId i : n.inputs) {
    if (i == kNone || is_late(f_.values[at(i)].type)) return false;
    MOTE_ASSIGN(std::int32_t v, value(i));
    parts.push_back(v);
    // The result lies like its first operand that is not a constant.
    if (!chosen && !val(v).strides && d_.bufs[at(val(v).buf)].place != Place::kConstant) {
      perm = val(v).perm;
      chosen = true;
    }
  }
  std::int64_t axis = attr_int(*n.op, n.attrs, "axis");
  std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + out.type.rank() : axis);
  MOTE_ASSIGN(bool appended, append_view(n, parts, k));
  if (appended) return true;
  std::int32_t whole = fresh_val(out.name, out.type, perm);
  MOTE_TRY(fill_parts(whole, parts, 0, k));
  home_[n.outputs[0]] = whole;
  return true;
}

Status FunctionLowering::fill_parts(std::int32_t whole, const std::vector<std::int32_t>& parts, std::size_t first,
                                    std::size_t axis) {
  std::vector<Dim> strides = draft::strides_of(val(whole));
  std::string name = val(whole).name;
  Dim from(0);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    Shape dims = *val(parts[p]).dims;
    if (p >= first && !volume(dims).is(0)) {
      std::int32_t part = view_val(whole, name, dims, strides, from * strides[axis]);
      bool again = std::find(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(p), parts[p]) !=
                   parts.begin() + static_cast<std::ptrdiff_t>(p);
      if (again || !retarget(parts[p], part)) MOTE_TRY(copy_to(parts[p], part, "into " + name).status());
    }
    from = from + dims[axis];
  }
  return {};
}

// One position of an axis, known now.
Result<bool> FunctionLowering::gather_view(const Node& n) {
  const KnownValue* index = n.inputs.size() == 2 && n.inputs[1] != kNone ? known(n.inputs[1]) : nullptr;
  if (!index || index->size() != 1 || !index->front().is_const() || f_.values[at(n.inputs[0])].constant != kNone)
    return false;
  const Type &in = f_.values[at(n.inputs[0])].type, &which = f_.values[at(n.inputs[1])].type;
  if (!which.has_rank() || which.rank() != 0) return false;
  std::int64_t axis = attr_int(*n.op, n.attrs, "axis"), position = index->front().value();
  std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + in.rank() : axis);
  const Dim& extent = (*in.shape)[k];
  if (!extent.is_const()) return false;
  if (position < 0) position += extent.value();
  if (position < 0 || position >= extent.value()) return false;  // the kernel says what is wrong
  MOTE_ASSIGN(std::int32_t v, value(n.inputs[0]));
  std::vector<Dim> strides = draft::strides_of(val(v));
  Shape dims = *val(v).dims;
  Dim offset = Dim(position) * strides[k];
  strides.erase(strides.begin() + static_cast<std::ptrdiff_t>(k));
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(k));
  home_[n.outputs[0]] = view_val(v, f_.values[at(n.outputs[0])].name, std::move(dims), std::move(strides), offset);
  return true;
}

}  // namespace mote
