#include "ops/run_util.h"

#include "ir/infer.h"
#include "ops/element.h"

namespace mote {
namespace {

Type type_of(const TensorView& v) { return Type::tensor(v.dtype, Shape(v.shape().begin(), v.shape().end())); }

Type type_of(const ReferenceContext& ctx, int i) {
  if (!ctx.is_list(i)) return type_of(ctx.in(i));
  std::vector<TensorView> items = ctx.list(i);
  return Type::list(items.empty() ? Type::tensor(DType::none) : Type::tensor(items[0].dtype));
}

std::optional<KnownValue> value_of(const TensorView& v) {
  if ((!is_int(v.dtype) && v.dtype != DType::boolean) || v.count() > static_cast<std::int64_t>(kMaxKnown)) return {};
  KnownValue out;
  for (std::int64_t x : read_ints(v)) out.emplace_back(x);
  return out;
}

std::optional<std::vector<double>> floats_of(const TensorView& v) {
  if (!is_float(v.dtype) || v.count() > static_cast<std::int64_t>(kMaxKnown)) return {};
  std::vector<double> out;
  for (std::int64_t i = 0; i < v.count(); ++i) out.push_back(load_f64(v, i));
  return out;
}

}  // namespace

Result<std::vector<Type>> infer_now(const ReferenceContext& ctx) {
  InferContext infer(ctx.op(), ctx.attrs(), "");
  infer.late_ = true;
  infer.output_count_ = ctx.outputs();
  int fresh = 0;
  infer.fresh_name_ = [&] { return "$" + std::to_string(fresh++); };
  std::vector<Type> types(static_cast<std::size_t>(ctx.inputs()));
  for (int i = 0; i < ctx.inputs(); ++i) {
    infer.values_.emplace_back();
    infer.floats_.emplace_back();
    if (!ctx.has(i)) {
      infer.types_.push_back(nullptr);
      continue;
    }
    Type& t = types[static_cast<std::size_t>(i)];
    t = type_of(ctx, i);
    infer.types_.push_back(&t);
    if (i < 32 && (ctx.op().shape_operands >> i & 1u) != 0 && t.is_tensor()) {
      infer.values_.back() = value_of(ctx.in(i));
      infer.floats_.back() = floats_of(ctx.in(i));
    }
  }
  MOTE_TRY(ctx.op().infer(infer));
  infer.out_types_.resize(static_cast<std::size_t>(ctx.outputs()));
  return std::move(infer.out_types_);
}

namespace {

Result<TensorView> make_out(ReferenceContext& ctx, int i, const Type& t) {
  std::optional<std::vector<std::int64_t>> extents = t.has_rank() ? constant_extents(*t.shape) : std::nullopt;
  if (!extents || extents->size() > kMaxRank) {
    return internal_error(std::string(ctx.op().name) + ": inference gives no extents for output " + std::to_string(i));
  }
  return ctx.out(i, t.dtype, *extents);
}

}  // namespace

Result<TensorView> infer_out(ReferenceContext& ctx, int i) {
  MOTE_ASSIGN(std::vector<Type> types, infer_now(ctx));
  return make_out(ctx, i, types[static_cast<std::size_t>(i)]);
}

Result<std::vector<TensorView>> infer_outs(ReferenceContext& ctx) {
  MOTE_ASSIGN(std::vector<Type> types, infer_now(ctx));
  std::vector<TensorView> outs(types.size());
  std::span<const Slot> slots = ctx.op().outputs;
  for (int i = 0; i < ctx.outputs(); ++i) {
    const bool may_lack =
        static_cast<std::size_t>(i) >= slots.size() || slots[static_cast<std::size_t>(i)].arity != Arity::kOne;
    if (!ctx.wants(i) && may_lack) continue;
    MOTE_ASSIGN(outs[static_cast<std::size_t>(i)], make_out(ctx, i, types[static_cast<std::size_t>(i)]));
  }
  return outs;
}

std::vector<std::int64_t> read_ints(const TensorView& v) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(v.count()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = load_i64(v, static_cast<std::int64_t>(i));
  return out;
}

Status out_of_range(std::string_view what, std::int64_t position, std::int64_t value, std::int64_t lo,
                    std::int64_t hi) {
  return Status(Code::kOutOfRange, std::string(what) + "[" + std::to_string(position) + "] is " +
                                       std::to_string(value) + ", outside [" + std::to_string(lo) + ", " +
                                       std::to_string(hi) + "]");
}

Result<std::int64_t> checked_index(std::string_view what, std::int64_t position, std::int64_t index,
                                   std::int64_t extent) {
  if (index < -extent || index >= extent) return out_of_range(what, position, index, -extent, extent - 1);
  return index < 0 ? index + extent : index;
}

void zero(ReferenceContext& ctx, const TensorView& v) {
  for (auto [begin, end] : ctx.pieces(v.bytes())) std::memset(v.data + begin, 0, static_cast<std::size_t>(end - begin));
}

void copy_bytes(ReferenceContext& ctx, const TensorView& from, const TensorView& to) {
  for (auto [begin, end] : ctx.pieces(from.bytes()))
    std::memcpy(to.data + begin, from.data + begin, static_cast<std::size_t>(end - begin));
}

void copy_elements(ReferenceContext& ctx, const TensorView& from, std::int64_t from_index, const TensorView& to,
                   std::int64_t to_index, std::int64_t n) {
  for (auto [begin, end] : ctx.pieces(n)) copy_elements(from, from_index + begin, to, to_index + begin, end - begin);
}

}  // namespace mote
