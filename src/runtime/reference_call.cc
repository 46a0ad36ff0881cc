#include "runtime/reference_call.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "ops/element.h"
#include "ops/run_util.h"

namespace mote {

Status stopped(const Stop& stop) {
  if (stop.cancelled()) return Status(Code::kCancelled, "the run was cancelled");
  return Status(Code::kDeadlineExceeded, "the deadline passed");
}

std::optional<KnownValue> known_value(const TensorView& view) {
  if (!(is_int(view.dtype) || view.dtype == DType::boolean) || view.count() > static_cast<std::int64_t>(kMaxKnown) ||
      !view.dense()) {
    return std::nullopt;
  }
  KnownValue out;
  for (std::int64_t i = 0; i < view.count(); ++i) out.emplace_back(load_i64(view, i));
  return out;
}

std::optional<std::vector<double>> known_floats(const TensorView& view) {
  if (!is_float(view.dtype) || view.count() > static_cast<std::int64_t>(kMaxKnown) || !view.dense()) {
    return std::nullopt;
  }
  std::vector<double> out;
  for (std::int64_t i = 0; i < view.count(); ++i) out.push_back(load_f64(view, i));
  return out;
}

std::vector<TensorView> StepCall::list(int i) const {
  std::vector<TensorView> views;
  const Cell& s = frame_.slot(id(i));
  if (s.list) {
    for (const OwnedTensor& t : *s.list) views.push_back(t.view);
  }
  return views;
}

Result<TensorView> StepCall::out(int o, DType dtype, std::span<const std::int64_t> shape) {
  if (!wants(o)) {
    // Nobody reads it: memory that goes with the call.
    std::optional<std::int64_t> count = usable_count(shape);
    if (!count || shape.size() > kMaxRank) return Status(Code::kResourceExhausted, "an output is too large");
    MOTE_ASSIGN(auto bytes, scratch(static_cast<std::size_t>(bytes_of(dtype, *count))));
    return TensorView::of(bytes.data(), dtype, shape);
  }
  std::int32_t v = out_id(o);
  const PlanValue& pv = frame_.f_.values[static_cast<std::size_t>(v)];
  if (frame_.slot(v).list) return internal_error("a list was planned where a tensor is given");
  if (dtype != pv.dtype && pv.dtype != DType::none) {
    return internal_error("output " + std::to_string(o) + " is " + std::string(name_of(dtype)) + ", planned as " +
                          std::string(name_of(pv.dtype)));
  }
  if (pv.late) {
    MOTE_TRY(frame_.take_heap(v, shape, dtype));
    return frame_.slot(v).view;
  }
  const TensorView& view = frame_.slot(v).view;
  if (view.rank != static_cast<int>(shape.size()) || !std::equal(shape.begin(), shape.end(), view.dims)) {
    return invalid("output " + std::to_string(o) + " has the shape " + to_string(Shape(shape.begin(), shape.end())) +
                   " at run time, planned as " + to_string(Shape(view.dims, view.dims + view.rank)));
  }
  return view;
}

Status StepCall::out_list(int o, std::span<const TensorView> items) {
  if (!wants(o)) return {};
  OwnedList copy;
  for (const TensorView& v : items) {
    copy.emplace_back();
    MOTE_TRY(copy.back().reserve_like(frame_.core_.budget, v, "list"));
    if (spend(1)) copy_bytes(*this, v, copy.back().view);
    if (ReferenceContext::stopped()) return mote::stopped(frame_.core_.stop);
  }
  Cell& s = frame_.slot(out_id(o));
  if (!s.list) return internal_error("a tensor was planned where a list is given");
  *s.list = std::move(copy);
  s.present = true;
  return {};
}

Status StepCall::poll(std::int64_t) {
  return frame_.core_.stop.requested() ? mote::stopped(frame_.core_.stop) : Status();
}

Result<std::span<std::byte>> StepCall::scratch(std::size_t bytes) {
  scratch_.emplace_back();
  MOTE_TRY(scratch_.back().reserve(frame_.core_.budget, static_cast<std::int64_t>(std::max<std::size_t>(bytes, 1)),
                                   "scratch"));
  for (auto [begin, end] : pieces(bytes)) std::memset(scratch_.back().data() + begin, 0, end - begin);
  if (ReferenceContext::stopped()) return mote::stopped(frame_.core_.stop);
  return std::span<std::byte>(scratch_.back().data(), bytes);
}

// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): counter (draw, 0, 0), key =
// seed.
std::uint32_t StepCall::random() {
  std::uint64_t draw = frame_.core_.random_counter++;
  std::uint32_t c[4] = {static_cast<std::uint32_t>(draw >> 2), static_cast<std::uint32_t>(draw >> 34), 0, 0};
  std::uint64_t seed = frame_.core_.options.seed;
  std::uint32_t k[2] = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0], p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    std::uint32_t n[4] = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
                          static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    std::copy(n, n + 4, c);
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c[draw & 3];
}

}  // namespace mote
